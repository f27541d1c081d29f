using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Millrace;
using Millrace.Log;
using Millrace.Mqtt;

namespace MqttFigures;

/// <summary>This process is the platform: the embedded log and the embedded broker. A child publishes, so that its work is counted apart.</summary>
internal sealed class IntakeBench(BenchOptions options)
{
    private const string Topic = "readings";

    private long _published;

    public async Task RunAsync()
    {
        try
        {
            for (var round = 0; round < options.Rounds; round++) await RoundAsync(Path.Combine(options.Data, $"round-{round}"));
        }
        finally
        {
            if (Directory.Exists(options.Data)) Directory.Delete(options.Data, recursive: true);
        }
    }

    private async Task RoundAsync(string folder)
    {
        Directory.CreateDirectory(folder);
        await using var engine = await LogEngine.OpenAsync(folder);
        await engine.CreateTopicAsync(new TopicSpecification { Name = Topic, Partitions = 4 });
        await using var source = new MqttSource(engine, new MqttSourceOptions
        {
            Name = "devices",
            Routes =
            [
                new MqttRoute
                {
                    Topics = "sensors/{zone}/{device}/reading", Target = Topic, Key = "{device}",
                    Payload = new MqttPayload.Json { Type = "reading", Source = "/devices/{device}", Subject = "{zone}" },
                },
            ],
            Broker = new MqttBrokerOptions { Port = 0 },
        });
        await source.StartAsync();
        using var child = StartChild(await source.Ready);
        _published = 0;
        await PublishAsync(child, Math.Max(1, options.Messages / 10));
        using var here = Process.GetCurrentProcess();
        var (since, used, allocated) = (Stopwatch.GetTimestamp(), here.TotalProcessorTime, GC.GetTotalAllocatedBytes());
        var publisherSeconds = await PublishAsync(child, options.Messages);
        var seconds = Stopwatch.GetElapsedTime(since).TotalSeconds;
        here.Refresh();
        Print(seconds, (here.TotalProcessorTime - used).TotalSeconds, publisherSeconds, here.PeakWorkingSet64,
            (GC.GetTotalAllocatedBytes() - allocated) / options.Messages);
        child.StandardInput.Close();
        await child.WaitForExitAsync();
        var records = (await engine.FindTopicAsync(Topic))!.Partitions.Sum(partition => partition.EndOffset);
        if (records != _published) throw new InvalidOperationException($"{_published} messages were acknowledged, {records} are in the log.");
    }

    private Process StartChild(int port)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(IntakeBench).Assembly.Location, .. options.ChildArguments(port)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("The publishing process did not start.");
    }

    /// <summary>Bids the child to publish, awaits that all is acknowledged, and returns the processor time that it took there.</summary>
    private async Task<double> PublishAsync(Process child, int messages)
    {
        await child.StandardInput.WriteLineAsync(messages.ToString(CultureInfo.InvariantCulture));
        await child.StandardInput.FlushAsync();
        var answer = await child.StandardOutput.ReadLineAsync()
            ?? throw new InvalidOperationException("The publishing process ended before all was acknowledged.");
        _published += messages;
        return double.Parse(answer, CultureInfo.InvariantCulture);
    }

    private void Print(double seconds, double processorSeconds, double publisherSeconds, long peakBytes, long allocatedBytes) =>
        Console.WriteLine(new JsonObject
        {
            ["figure"] = "MQTT quality 1 to the embedded broker, into the log",
            ["messages"] = options.Messages,
            ["devices"] = options.Devices,
            ["connections"] = options.Connections,
            ["seconds"] = Math.Round(seconds, 3),
            ["perSecond"] = Math.Round(options.Messages / seconds),
            ["cpuSeconds"] = Math.Round(processorSeconds, 3),
            ["perCpuSecond"] = Math.Round(options.Messages / processorSeconds),
            ["publisherCpuSeconds"] = Math.Round(publisherSeconds, 3),
            ["allocatedBytesPerMessage"] = allocatedBytes,
            ["peakRssBytes"] = peakBytes,
            ["durability"] = "acknowledged after fdatasync",
        }.ToJsonString());
}

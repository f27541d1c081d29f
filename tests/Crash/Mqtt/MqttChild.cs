using System.Collections;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Millrace.Log;
using Millrace.Mqtt;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// The platform that is killed: the embedded log in a folder, and an MQTT source with a broker by its port, or the embedded one at it. It
/// says how many different messages are in its log, and warnings on standard error. It ends in good order when its input closes.
/// </summary>
internal sealed class MqttChild(MqttPlan plan)
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "mqtt-child";

    /// <summary>As many as may be at a broker unacknowledged, which count for its queue.</summary>
    private const int ReceiveMaximum = 400;

    /// <summary>So few that what comes at once takes many commits: a kill falls between two of them.</summary>
    private const int CommitMessagesMax = 20;

    private readonly BitArray _taken = new(plan.Count);
    private int _count;

    public static async Task<int> RunAsync(string folder, string port, string isEmbedded, string messages1, string messages2)
    {
        try
        {
            var plan = new MqttPlan(Number(messages1), Number(messages2));
            await new MqttChild(plan).WorkAsync(folder, Number(port), bool.Parse(isEmbedded));
            return 0;
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine(failure);
            return 3;
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static MqttSourceOptions Options(int port, bool isEmbedded, ILoggerFactory log)
    {
        var payload = new MqttPayload.Json { Type = "reading", Source = "/devices/{device}" };
        var route = new MqttRoute
        {
            Topics = $"{MqttPlan.Topics1}/{{device}}/value", Target = MqttPlan.Readings, Key = "{device}", Payload = payload,
        };
        var once = route with { Topics = $"{MqttPlan.Topics2}/{{device}}/value", Quality = MqttQuality.ExactlyOnce };
        var options = new MqttSourceOptions
        {
            Name = MqttPlan.Source, Routes = [route, once], Broker = new MqttBrokerOptions { Port = port },
            RestartBackoffMax = TimeSpan.FromSeconds(1), LoggerFactory = log,
        };
        return isEmbedded ? options : options with
        {
            ReceiveMaximum = ReceiveMaximum, CommitMessagesMax = CommitMessagesMax,
            Server = new MqttServerAddress { Host = "127.0.0.1", Port = port },
        };
    }

    private async Task WorkAsync(string folder, int port, bool isEmbedded)
    {
        await using var engine = await LogEngine.OpenAsync(folder);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = MqttPlan.Readings, Partitions = MqttPlan.Partitions });
        using var log = new ErrorLines();
        await using var source = new MqttSource(engine, Options(port, isEmbedded, log));
        await source.StartAsync();
        using var stop = new CancellationTokenSource();
        var tails = Enumerable.Range(0, MqttPlan.Partitions).Select(partition => Task.Run(() => FollowAsync(engine, partition, stop.Token)));
        _ = source.Ready.ContinueWith(
            static _ => Console.WriteLine("READY ."), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        var work = tails.Append(Task.Run(() => SayAsync(stop.Token))).ToArray();
        var ended = await Task.WhenAny([Task.Run(ChildProcess.ParentEndsAsync), .. work]);
        await stop.CancelAsync();
        await ended;
        await Task.WhenAll(work).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task FollowAsync(LogEngine engine, int partition, CancellationToken cancellation)
    {
        using var reader = engine.OpenReader(new TopicPartition(MqttPlan.Readings, partition), 0);
        while (true)
        {
            using var records = await reader.ReadAsync(1 << 20, cancellation);
            foreach (var record in records)
            {
                var message = plan.Read(record);
                lock (_taken)
                {
                    if (_taken[message]) continue;
                    _taken[message] = true;
                    _count++;
                }
            }
        }
    }

    private async Task SayAsync(CancellationToken cancellation)
    {
        for (var said = -1; ; await Task.Delay(2, cancellation))
        {
            var count = Volatile.Read(ref _count);
            if (count == said) continue;
            said = count;
            await Console.Out.WriteLineAsync($"TAKEN {count} .");
        }
    }

    /// <summary>Warnings and errors, a line each.</summary>
    private sealed class ErrorLines : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one place that lines go to.");

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) Console.Error.WriteLine($"{formatter(state, exception)}: {exception?.Message}");
        }

        public void Dispose()
        {
        }
    }
}

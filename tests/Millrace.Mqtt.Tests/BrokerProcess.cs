using System.Diagnostics;
using Millrace.Servers;

namespace Millrace.Mqtt.Tests;

/// <summary>A real broker for one test, which is skipped where there is none.</summary>
public sealed class BrokerProcess : IDisposable
{
    private readonly Action _stop;

    private BrokerProcess(int port, Action stop) => (Port, _stop) = (port, stop);

    public int Port { get; }

    public static async Task<BrokerProcess> StartAsync(string kind, string directory, CancellationToken cancellation) => kind switch
    {
        "mosquitto" => await StartMosquittoAsync(directory, cancellation),
        "hivemq" => await StartHiveMqAsync(directory),
        _ => throw new ArgumentException($"There is no broker '{kind}'."),
    };

    public void Dispose() => _stop();

    private static async Task<BrokerProcess> StartMosquittoAsync(string directory, CancellationToken cancellation)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin");
        var program = folders.Select(folder => Path.Combine(folder, "mosquitto")).FirstOrDefault(File.Exists);
        if (program is null) Assert.Skip("mosquitto is not installed.");
        var port = Ports.Free();
        var settings = Path.Combine(directory, "mosquitto.conf");
        await File.WriteAllTextAsync(settings, $"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n", cancellation);
        var process = Process.Start(new ProcessStartInfo(program, ["-c", settings]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        while (await process.StandardError.ReadLineAsync(cancellation) is { } line && !line.Contains("running", StringComparison.Ordinal))
        {
        }

        return new BrokerProcess(port, () =>
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        });
    }

    private static async Task<BrokerProcess> StartHiveMqAsync(string directory)
    {
        Assert.SkipUnless(HiveMq.CanStart, HiveMq.WhyAbsent);
        var port = Ports.Free();
        var broker = await HiveMq.StartAsync(Path.Combine(directory, "hivemq"), port);
        return new BrokerProcess(port, broker.Dispose);
    }
}

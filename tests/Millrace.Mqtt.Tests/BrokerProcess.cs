using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Millrace.Mqtt.Tests;

/// <summary>A real broker for one test, which is skipped where there is none.</summary>
public sealed class BrokerProcess : IDisposable
{
    /// <summary>Names a folder with HiveMQ's <c>start DIR PORT</c> and <c>stop DIR</c>.</summary>
    private const string HiveMqVariable = "MILLRACE_HIVEMQ";

    private readonly Action _stop;

    private BrokerProcess(int port, Action stop) => (Port, _stop) = (port, stop);

    public int Port { get; }

    public static async Task<BrokerProcess> StartAsync(string kind, string directory, CancellationToken cancellation) => kind switch
    {
        "mosquitto" => await StartMosquittoAsync(directory, cancellation),
        "hivemq" => await StartHiveMqAsync(directory, cancellation),
        _ => throw new ArgumentException($"There is no broker '{kind}'."),
    };

    public void Dispose() => _stop();

    private static async Task<BrokerProcess> StartMosquittoAsync(string directory, CancellationToken cancellation)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin");
        var program = folders.Select(folder => Path.Combine(folder, "mosquitto")).FirstOrDefault(File.Exists);
        if (program is null) Assert.Skip("mosquitto is not installed.");
        var port = FreePort();
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

    private static async Task<BrokerProcess> StartHiveMqAsync(string directory, CancellationToken cancellation)
    {
        var folder = Environment.GetEnvironmentVariable(HiveMqVariable);
        if (string.IsNullOrEmpty(folder)) Assert.Skip($"HiveMQ is not there: {HiveMqVariable} names no folder with its start and stop.");
        var port = FreePort();
        var data = Path.Combine(directory, "hivemq");
        using var started = Process.Start(Path.Combine(folder, "start"), [data, $"{port}"]);
        await started.WaitForExitAsync(cancellation);
        Assert.Equal(0, started.ExitCode);
        return new BrokerProcess(port, () =>
        {
            using var stopped = Process.Start(Path.Combine(folder, "stop"), [data]);
            stopped.WaitForExit();
        });
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

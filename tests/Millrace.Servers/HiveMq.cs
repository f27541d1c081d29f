using System.Diagnostics;
using System.Globalization;

namespace Millrace.Servers;

/// <summary>HiveMQ on loopback, with data of its own, by the scripts in "hivemq" of <see cref="SharedFiles"/>.</summary>
public sealed class HiveMq : IDisposable
{
    private readonly string _scripts;
    private readonly string _folder;
    private readonly int _port;
    private bool _isRunning;

    private HiveMq(string scripts, string folder, int port) => (_scripts, _folder, _port) = (scripts, folder, port);

    /// <summary>Why none can be started here, for tests that are skipped.</summary>
    public static string WhyAbsent => "HiveMQ is not there: name in MILLRACE_SHARED a folder that holds hivemq/start and hivemq/stop.";

    /// <summary>Whether one can be started.</summary>
    public static bool CanStart => Scripts is not null;

    private static string? Scripts => SharedFiles.FolderOf("hivemq/start");

    /// <summary>Starts one and returns when it answers.</summary>
    /// <param name="folder">Where its data is.</param>
    /// <param name="port">Its port.</param>
    public static async Task<HiveMq> StartAsync(string folder, int port)
    {
        var broker = new HiveMq(Scripts ?? throw new InvalidOperationException(WhyAbsent), folder, port);
        await broker.StartAsync();
        return broker;
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public async Task KillAsync()
    {
        await RunAsync("stop", _folder, "--kill");
        _isRunning = false;
    }

    /// <summary>Starts it on what it has on the disk, and returns when it answers.</summary>
    public async Task StartAsync()
    {
        _isRunning = true;
        await RunAsync("start", _folder, _port.ToString(CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isRunning) return;
        _isRunning = false;
        using var stop = Process.Start(Path.Combine(_scripts, "stop"), [_folder, "--kill"]);
        stop.WaitForExit();
    }

    private async Task RunAsync(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(_scripts, script), arguments) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"HiveMQ's script '{script}' ended with {process.ExitCode}.");
    }
}

using System.Diagnostics;
using System.Globalization;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// HiveMQ with data of its own, by the scripts in the folder "hivemq" of MILLRACE_SHARED (or of a folder "shared" above this program).
/// </summary>
internal sealed class HiveMq : IDisposable
{
    private readonly string _scripts;
    private readonly string _folder;
    private readonly int _port;
    private bool _isRunning;

    private HiveMq(string scripts, string folder, int port) => (_scripts, _folder, _port) = (scripts, folder, port);

    public static async Task<HiveMq> StartAsync(string folder, int port)
    {
        var scripts = Scripts() ?? throw new InvalidOperationException(
            "No HiveMQ here: name in MILLRACE_SHARED a folder that holds hivemq/start and hivemq/stop.");
        var broker = new HiveMq(scripts, folder, port);
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

    public void Dispose()
    {
        if (!_isRunning) return;
        _isRunning = false;
        using var stop = Process.Start(Path.Combine(_scripts, "stop"), [_folder, "--kill"]);
        stop.WaitForExit();
    }

    private async Task RunAsync(string script, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(_scripts, script), arguments) { RedirectStandardOutput = true })!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"HiveMQ's script '{script}' ended with {process.ExitCode}.");
    }

    private static string? Scripts()
    {
        if (Environment.GetEnvironmentVariable("MILLRACE_SHARED") is { Length: > 0 } named) return Existing(named);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Existing(Path.Combine(folder.FullName, "shared")) is { } found) return found;
        }

        return null;
    }

    private static string? Existing(string shared)
    {
        var scripts = Path.Combine(shared, "hivemq");
        return File.Exists(Path.Combine(scripts, "start")) ? scripts : null;
    }
}

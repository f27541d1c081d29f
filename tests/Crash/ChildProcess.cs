using System.Diagnostics;
using System.Globalization;

namespace Millrace.Crash;

/// <summary>
/// A child process whose output is read line by line until it ends. Its standard input closes with this process, so that it can end too.
/// </summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly Queue<string> _errors = new();
    private bool _isDisposed;

    /// <summary>Starts <c>dotnet ASSEMBLY ARGUMENTS</c>.</summary>
    public ChildProcess(string assembly, IEnumerable<string> arguments, Action<string> onLine)
    {
        var host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(host)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.ArgumentList.Add(assembly);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        _process = Process.Start(start) ?? throw new InvalidOperationException($"'{assembly}' did not start.");
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput, onLine), ReadAsync(_process.StandardError, KeepError));
    }

    /// <summary>Whether it ended by itself.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Its last lines on standard error, to be shown when it ended by itself.</summary>
    public string Errors
    {
        get
        {
            lock (_errors) return string.Join(Environment.NewLine, _errors);
        }
    }

    /// <summary>How it ended and what it said last.</summary>
    public string LastWords
    {
        get
        {
            _reading.Wait();
            return $"with code {_process.ExitCode}:{Environment.NewLine}{Errors}";
        }
    }

    /// <summary>In a child: completes when its parent is gone, or bids it to end.</summary>
    public static async Task ParentEndsAsync()
    {
        while (await Console.In.ReadLineAsync() is not null)
        {
        }
    }

    /// <summary>Waits until something holds that its lines tell, but no longer than a time, and not when it has ended by itself.</summary>
    public async Task WaitAsync(Func<bool> condition, TimeSpan within)
    {
        var since = Stopwatch.GetTimestamp();
        while (!condition() && !HasExited && Stopwatch.GetElapsedTime(since) < within) await Task.Delay(5);
    }

    /// <summary>Writes a line to its standard input, which waits there if the process is stopped.</summary>
    public void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Sends SIGKILL and returns when the process is gone and all of its output was read.</summary>
    /// <returns>False when it had ended by itself before.</returns>
    public async Task<bool> KillAsync()
    {
        var wasRunning = !_process.HasExited;
        _process.Kill();
        await _process.WaitForExitAsync();
        await _reading;
        return wasRunning;
    }

    /// <summary>
    /// Sends SIGTERM, by which it ends itself; kills it when that takes too long, which is an error. One that had not begun to listen for
    /// signals ends by it as any process does, and one may be ending already, for a reason that is known.
    /// </summary>
    public async Task TerminateAsync(TimeSpan within, string knownReason)
    {
        await SignalAsync("TERM");
        try
        {
            await _process.WaitForExitAsync().WaitAsync(within);
        }
        catch (TimeoutException)
        {
            _process.Kill();
            throw new InvalidOperationException($"It did not end within {within.TotalSeconds} s: {Errors}");
        }

        await _reading;
        var hadNotBegun = _process.ExitCode == 128 + 15 && Errors.Length == 0;
        if (_process.ExitCode != 0 && !hadNotBegun && !Errors.Contains(knownReason, StringComparison.Ordinal))
            throw new InvalidOperationException($"It was to end in good order and ended {LastWords}");
    }

    /// <summary>Sends SIGSTOP: the process stands still until <see cref="ContinueAsync"/>, and knows nothing of it.</summary>
    public Task StopAsync() => SignalAsync("STOP");

    /// <summary>Sends SIGCONT.</summary>
    public Task ContinueAsync() => SignalAsync("CONT");

    /// <summary>Closes its standard input, by which it ends itself, and returns its exit code; kills it when it takes too long.</summary>
    public async Task<int> EndAsync(TimeSpan within)
    {
        _process.StandardInput.Close();
        try
        {
            await _process.WaitForExitAsync().WaitAsync(within);
        }
        catch (TimeoutException)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        await _reading;
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    /// <summary>The numbers of signals differ between systems; the names that kill takes do not.</summary>
    private async Task SignalAsync(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    private void KeepError(string line)
    {
        lock (_errors)
        {
            _errors.Enqueue(line);
            if (_errors.Count > 30) _errors.Dequeue();
        }
    }

    private static async Task ReadAsync(StreamReader reader, Action<string> onLine)
    {
        while (await reader.ReadLineAsync() is { } line) onLine(line);
    }
}

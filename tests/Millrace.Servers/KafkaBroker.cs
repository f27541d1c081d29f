using System.Diagnostics;
using System.Globalization;

namespace Millrace.Servers;

/// <summary>
/// A real Kafka broker on loopback, with data of its own below the temporary folder: started by the scripts in "kafka" of
/// <see cref="SharedFiles"/>, ended and removed on disposal.
/// </summary>
public sealed class KafkaBroker : IAsyncDisposable
{
    /// <summary>
    /// One at a time: the script gives a broker 30 seconds, and several that start at once, beside tests, do not make it on two cores.
    /// </summary>
    private static readonly SemaphoreSlim s_starting = new(1);

    private readonly string _scripts;
    private readonly string _directory;
    private readonly int _port;
    private readonly string[] _settings;
    private bool _isKept;

    private KafkaBroker(string scripts, string directory, int port, string[] settings) =>
        (_scripts, _directory, _port, _settings) = (scripts, directory, port, settings);

    /// <summary>Why no broker can be started here, for tests that are skipped.</summary>
    public static string WhyAbsent =>
        "No Kafka here: name a broker in MILLRACE_KAFKA, or in MILLRACE_SHARED a folder that holds kafka/start and kafka/stop.";

    /// <summary>The broker that MILLRACE_KAFKA names, or null.</summary>
    public static string? Named => Environment.GetEnvironmentVariable("MILLRACE_KAFKA") is { Length: > 0 } named ? named : null;

    /// <summary>Whether one can be started.</summary>
    public static bool CanStart => ScriptsFolder is not null;

    /// <summary>The folder with start, stop and tool; null when there is none.</summary>
    public static string? ScriptsFolder => SharedFiles.FolderOf("kafka/start");

    /// <summary>Where it listens: <c>127.0.0.1:port</c>.</summary>
    public string Address => $"127.0.0.1:{_port}";

    /// <summary>The port.</summary>
    public int Port => _port;

    /// <summary>The broker's process, while it runs.</summary>
    public int ProcessId => int.Parse(File.ReadAllText(Path.Combine(_directory, "pid")), CultureInfo.InvariantCulture);

    /// <summary>Starts a broker and returns when it answers.</summary>
    /// <param name="settings">
    /// Broker settings, <c>name=value</c>; <c>{port}</c> stands for the port and <c>{controller}</c> for the controller's.
    /// </param>
    public static async Task<KafkaBroker> StartAsync(params string[] settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var scripts = ScriptsFolder ?? throw new InvalidOperationException(WhyAbsent);
        var directory = Path.Combine(Path.GetTempPath(), $"millrace-kafka-{Guid.NewGuid():N}");
        var port = Ports.Free();
        var broker = new KafkaBroker(scripts, directory, port, [.. settings.Select(setting => setting
            .Replace("{port}", $"{port}", StringComparison.Ordinal).Replace("{controller}", $"{port + 1}", StringComparison.Ordinal))]);
        await broker.StartAgainAsync();
        Watch(directory);
        return broker;
    }

    /// <summary>
    /// Settings for a broker that tells its clients another address than its own, as that of a proxy. What brokers tell each other goes
    /// past it, as it would between hosts: the coordinator's markers, which end transactions, are such.
    /// </summary>
    /// <param name="address">What clients are told.</param>
    public static string[] Advertising(string address)
    {
        var between = $"127.0.0.1:{Ports.Free()}";
        return
        [
            $"listeners=PLAINTEXT://127.0.0.1:{{port}},BETWEEN://{between},CONTROLLER://127.0.0.1:{{controller}}",
            $"advertised.listeners=PLAINTEXT://{address},BETWEEN://{between}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name=BETWEEN",
        ];
    }

    /// <summary>
    /// Transactions that a partition holds open and no coordinator knows of, a line each: readers of committed records wait there for ever.
    /// </summary>
    public async Task<IReadOnlyList<string>> FindHangingAsync()
    {
        var found = await ToolAsync("org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", Address, "find-hanging", "--broker-id", "1",
            "--max-transaction-timeout", "0");
        return [.. found.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)];
    }

    /// <summary>What the broker says of a group and its members, for somebody who looks for why it stands still.</summary>
    public async Task<string> DescribeAsync(string group)
    {
        var tool = Path.Combine(_scripts, "tool");
        var said = new List<string>();
        foreach (var what in new[] { "--state", "--members" })
        {
            var (_, output, error) = await ExecuteAsync(
                tool, ["org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", Address, "--describe", "--group", group, what]);
            said.AddRange($"{output}{error}".Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        }

        return string.Join(" / ", said);
    }

    /// <summary>A program that is killed disposes nothing: a shell that outlives it ends the broker and removes its data.</summary>
    private static void Watch(string directory)
    {
        const string watch = "while kill -0 $1 2>/dev/null && [ -d \"$2\" ]; do sleep 1; done; " +
            "[ ! -f \"$2/pid\" ] || kill -9 $(cat \"$2/pid\"); rm -rf \"$2\"";
        using var shell = Process.Start(new ProcessStartInfo("setsid", ["bash", "-c", watch, "watch", $"{Environment.ProcessId}", directory])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
    }

    /// <summary>Starts it again on its data, after <see cref="StopAsync"/> or <see cref="KillAsync"/>.</summary>
    public async Task StartAgainAsync()
    {
        await s_starting.WaitAsync();
        try
        {
            await RunAsync("start", [_directory, $"{_port}", .. _settings]);
        }
        finally
        {
            s_starting.Release();
        }
    }

    /// <summary>Ends it as an operator would.</summary>
    public Task StopAsync() => RunAsync("stop", [_directory]);

    /// <summary>Ends it as a crash would (SIGKILL).</summary>
    public Task KillAsync() => RunAsync("stop", [_directory, "--kill"]);

    /// <summary>Ends it and leaves its data and its log there, for somebody to look at; returns the folder.</summary>
    public async Task<string> KeepAsync()
    {
        _isKept = true;
        await StopAsync();
        var kept = $"{_directory}-kept"; // what watches over the directory removes it when this process ends
        Directory.Move(_directory, kept);
        return kept;
    }

    /// <summary>Runs one of Kafka's own command-line classes and returns what it printed.</summary>
    /// <param name="arguments">The class and its arguments.</param>
    public static Task<string> ToolAsync(params string[] arguments) => ToolWithInputAsync("/dev/null", arguments);

    /// <summary>Runs one of Kafka's own command-line classes with a file as its standard input.</summary>
    /// <param name="input">The file.</param>
    /// <param name="arguments">The class and its arguments.</param>
    public static async Task<string> ToolWithInputAsync(string input, params string[] arguments)
    {
        var tool = Path.Combine(ScriptsFolder ?? throw new InvalidOperationException(WhyAbsent), "tool");
        var (code, output, error) = await ExecuteAsync(tool, arguments, input);
        return code == 0 ? output : throw new InvalidOperationException($"tool {string.Join(' ', arguments)} ended with {code}: {error}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ExecuteAsync(Path.Combine(_scripts, "stop"), [_directory, "--kill"]);
        if (!_isKept && Directory.Exists(_directory)) Directory.Delete(_directory, recursive: true);
    }

    private async Task RunAsync(string script, string[] arguments)
    {
        var (code, output, error) = await ExecuteAsync(Path.Combine(_scripts, script), arguments);
        if (code != 0) throw new InvalidOperationException($"{script} {string.Join(' ', arguments)} ended with {code}: {output} {error}");
    }

    private static async Task<(int Code, string Output, string Error)> ExecuteAsync(
        string program, string[] arguments, string input = "/dev/null")
    {
        // What the script leaves running inherits its streams, so they are files: reading a pipe to its end would wait for the broker.
        var (output, error) = (Path.GetTempFileName(), Path.GetTempFileName());
        try
        {
            const string redirect = "exec \"$@\" >\"$0\" 2>\"$MILLRACE_ERROR\" <\"$MILLRACE_INPUT\"";
            using var process = Process.Start(new ProcessStartInfo("bash", ["-c", redirect, output, program, .. arguments])
            {
                Environment = { ["MILLRACE_ERROR"] = error, ["MILLRACE_INPUT"] = input },
            })!;
            await process.WaitForExitAsync();
            return (process.ExitCode, await File.ReadAllTextAsync(output), await File.ReadAllTextAsync(error));
        }
        finally
        {
            File.Delete(output);
            File.Delete(error);
        }
    }
}

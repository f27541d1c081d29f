using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Millrace.Kafka;
using Millrace.RocksDb;

namespace Millrace.Crash.Accounts;

/// <summary>How a child works; its parent's to say.</summary>
internal sealed record AccountsChildOptions
{
    public required string Name { get; init; }

    public required string Bootstrap { get; init; }

    /// <summary>The engine's state directory.</summary>
    public required string Directory { get; init; }

    /// <summary>How long the member may be silent, and how long its transactions last.</summary>
    public required TimeSpan Session { get; init; }

    /// <summary>Whether copies of state are kept in RocksDB, else in memory with snapshots.</summary>
    public bool IsOnRocksDb { get; init; }

    public bool KeepsStandbyCopies { get; init; }

    public int Seed { get; init; }

    /// <summary>How long the group waits for members that are gone, of which a broker that was killed may know nothing.</summary>
    public static TimeSpan Rebalance { get; } = TimeSpan.FromSeconds(10);

    /// <summary>The options of an engine that is open beside others of the same group, as all of them have it here.</summary>
    public KafkaOptions Kafka => new()
    {
        BootstrapServers = Bootstrap,
        StateDirectory = Directory,
        SessionTimeout = Session,
        TransactionTimeout = Session,
        RebalanceTimeout = Rebalance,
        HeartbeatInterval = TimeSpan.FromMilliseconds(100),
        ConnectTimeout = TimeSpan.FromSeconds(60),
        SnapshotChangesMax = 1_000,
        KeepsStandbyCopies = KeepsStandbyCopies,
    };

    public static AccountsChildOptions Read(string[] arguments) => arguments is
        [var name, var bootstrap, var directory, var session, var isOnRocksDb, var keepsStandbyCopies, var seed]
        ? new AccountsChildOptions
        {
            Name = name, Bootstrap = bootstrap, Directory = directory,
            Session = TimeSpan.FromMilliseconds(Numbers.Read(session)),
            IsOnRocksDb = bool.Parse(isOnRocksDb), KeepsStandbyCopies = bool.Parse(keepsStandbyCopies), Seed = (int)Numbers.Read(seed),
        }
        : throw new InvalidOperationException("The child's arguments are not as its parent writes them.");

    public IReadOnlyList<string> ToArguments() =>
    [
        AccountsChild.Name, Name, Bootstrap, Directory, ((long)Session.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
        $"{IsOnRocksDb}", $"{KeepsStandbyCopies}", Seed.ToString(CultureInfo.InvariantCulture),
    ];
}

/// <summary>
/// The process that is killed, stopped and cut off: the runtime with one processor on the Kafka engine. It says on standard output what
/// happens, one line each, ended by a dot so that a line cut by a kill shows; on standard input it is told to hold a batch in hand, to go
/// on, and, by its end, to end.
/// </summary>
internal sealed class AccountsChild(AccountsChildOptions options)
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "accounts-child";

    private readonly TextWriter _output = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true });
    private readonly ConcurrentDictionary<int, string> _lives = new();
    private readonly TaskCompletionSource _inputEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _hold; // somebody asked that a batch is held
    private TaskCompletionSource? _held; // the same, once a batch is held
    private int _lifeCount;

    public static async Task<int> RunAsync(AccountsChildOptions options)
    {
        try
        {
            return await new AccountsChild(options).WorkAsync();
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine(failure);
            return 3;
        }
    }

    private async Task<int> WorkAsync()
    {
        var reading = Task.Run(ReadInputAsync);
        var random = new Random(options.Seed);
        using var log = new ChildLog(Say);
        using var rocks = options.IsOnRocksDb ? new RocksDbStateStores() : null;
        await using var engine = await KafkaEngine.OpenAsync(
            options.Kafka with { OpenStateStore = rocks is null ? null : rocks.Open, LoggerFactory = log });
        await using var runtime = new ProcessorRuntime(engine, [AccountsProcessor.Describe(Begin, HoldAsync)], new ProcessorRuntimeOptions
        {
            // Small and drawn anew for each child, so that kills meet commits that queue, share transactions and come one by one.
            FetchBytesMax = random.Next(1, 65) << 10,
            CommitRecordsMax = random.Next(20, 2_000),
            CommitsInFlightMax = random.Next(1, 9),
            RestartBackoffMin = TimeSpan.FromMilliseconds(20),
            RestartBackoffMax = TimeSpan.FromMilliseconds(500),
            Seed = options.Seed,
            LoggerFactory = log,
        });
        await runtime.StartAsync();
        Say("READY");
        var failing = runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Failed).AsTask();
        if (await Task.WhenAny(failing, _inputEnded.Task) == failing)
            throw new InvalidOperationException($"The processor failed for good: {runtime.Statuses[0].Failure}");
        await reading;
        return 0;
    }

    private string Begin(int partition)
    {
        var life = string.Create(CultureInfo.InvariantCulture, $"{options.Name}.{Interlocked.Increment(ref _lifeCount)}");
        _lives[partition] = life;
        Say($"WORKS {partition} {life}");
        return life;
    }

    /// <summary>
    /// Holds the batch in hand, once, if that was asked for: state is changed and statements are said, nothing is committed.
    /// </summary>
    private async Task HoldAsync(int partition, long offset)
    {
        if (offset < 0 || Interlocked.Exchange(ref _hold, null) is not { } held) return;
        Volatile.Write(ref _held, held);
        Say($"HOLDS {partition} {offset} {_lives[partition]}");
        await held.Task;
        Say($"LETSGO {partition}");
    }

    private async Task ReadInputAsync()
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            switch (line)
            {
                case "HOLD":
                    Volatile.Write(ref _hold, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                    break;
                case "GO":
                    Interlocked.Exchange(ref _held, null)?.TrySetResult();
                    break;
                default:
                    throw new InvalidDataException($"'{line}' is not known here.");
            }
        }

        Interlocked.Exchange(ref _held, null)?.TrySetResult();
        _inputEnded.TrySetResult();
    }

    private void Say(string line) => _output.WriteLine($"{line} .");
}

/// <summary>Turns what the engine and the runtime log into lines for the parent; warnings go to standard error as they are.</summary>
internal sealed class ChildLog(Action<string> say) : ILoggerFactory, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one log.");

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string? Of(string name) =>
            (state as IReadOnlyList<KeyValuePair<string, object?>>)?.FirstOrDefault(value => value.Key == name).Value?.ToString();
        switch (eventId.Id)
        {
            case 1010:
                say($"ASSIGNED {Of("Partition")}");
                break;
            case 609:
                say($"RESTORED {Of("Partition")} {Of("Records")} {Of("From")}");
                break;
            case 611:
                say("DROPPED");
                break;
            case 1011:
                say($"RELEASED {Of("Partition")}");
                break;
            case 1012 or 1013:
                say($"LOST {Of("Partition")}");
                break;
            case 613:
                say("OUT");
                break;
            case 605 or 606:
                say($"REFUSED {Of("Code")}");
                break;
        }

        if (logLevel < LogLevel.Warning) return;
        var cause = exception is null ? "" : $": {exception.Message}";
        Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {eventId.Id} {formatter(state, exception)}{cause}");
    }

    public void Dispose()
    {
    }
}

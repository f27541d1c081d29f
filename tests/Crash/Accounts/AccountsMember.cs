using System.Diagnostics;

namespace Millrace.Crash.Accounts;

/// <summary>A child, as its parent sees it. Lines come in on one thread, questions on others.</summary>
internal sealed class AccountsMember : IDisposable
{
    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(2);

    private readonly Lock _gate = new(); // guards everything below it
    private readonly HashSet<int> _restoring = [];
    private readonly Dictionary<int, string> _lives = [];
    private Held? _held;
    private int _losses, _refusals;

    private readonly ChildProcess _process;

    public AccountsMember(AccountsChildOptions options)
    {
        Options = options;
        _process = new ChildProcess(typeof(AccountsMember).Assembly.Location, options.ToArguments(), Take);
    }

    public AccountsChildOptions Options { get; }

    public string Name => Options.Name;

    /// <summary>What it warned of last.</summary>
    public string Errors => _process.Errors;

    /// <summary>Whether it is to run: nobody has killed or ended it.</summary>
    public bool IsRunning { get; private set; } = true;

    /// <summary>Whether a partition of it is being restored now.</summary>
    public bool IsRestoring
    {
        get
        {
            lock (_gate) return _restoring.Count > 0;
        }
    }

    /// <summary>The partitions that it works on, and the lives that do.</summary>
    public IReadOnlyDictionary<int, string> Lives
    {
        get
        {
            lock (_gate) return new Dictionary<int, string>(_lives);
        }
    }

    public bool IsWorking
    {
        get
        {
            lock (_gate) return _lives.Count > 0 && _restoring.Count == 0;
        }
    }

    /// <summary>How often a partition was taken from it.</summary>
    public int Losses => Volatile.Read(ref _losses);

    /// <summary>How often a transaction of it was refused.</summary>
    public int Refusals => Volatile.Read(ref _refusals);

    /// <summary>How many changes restoring read, in all.</summary>
    public long ChangesRestored { get; private set; }

    /// <summary>How many copies of state were opened that held something.</summary>
    public int CopiesUsed { get; private set; }

    /// <summary>How many copies were thrown away.</summary>
    public int CopiesDropped { get; private set; }

    /// <summary>Waits until something holds of it.</summary>
    public async Task WaitAsync(string what, Func<AccountsMember, bool> condition, TimeSpan within, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        while (!condition(this))
        {
            DemandRunning();
            if (Stopwatch.GetElapsedTime(since) > within)
                throw new InvalidOperationException(
                    $"{Name} does not {what} within {within.TotalSeconds} s:{Environment.NewLine}{_process.Errors}");
            await Task.Delay(PollTime, cancellation);
        }
    }

    /// <summary>Throws when it ended by itself, with what it said last.</summary>
    public void DemandRunning()
    {
        if (_process.HasExited) throw new InvalidOperationException($"{Name} ended by itself, {_process.LastWords}");
    }

    public async Task KillAsync()
    {
        DemandRunning();
        IsRunning = false;
        await _process.KillAsync();
    }

    public Task StopAsync() => _process.StopAsync();

    public Task ContinueAsync() => _process.ContinueAsync();

    /// <summary>Asks it to hold its next batch in hand, and waits until it does.</summary>
    public async Task<Held> HoldAsync(TimeSpan within, CancellationToken cancellation)
    {
        lock (_gate) _held = null;
        _process.Tell("HOLD");
        await WaitAsync("hold a batch", member => member.HeldNow is not null, within, cancellation);
        return HeldNow!.Value;
    }

    /// <summary>Lets it go on with the batch in hand; it hears of this when it runs.</summary>
    public void LetGo() => _process.Tell("GO");

    /// <summary>Lets it end in good order.</summary>
    public async Task EndAsync()
    {
        IsRunning = false;
        var code = await _process.EndAsync(TimeSpan.FromSeconds(30));
        if (code != 0) throw new InvalidOperationException($"{Name} was to end in good order and ended {_process.LastWords}");
    }

    public void Dispose()
    {
        IsRunning = false;
        _process.Dispose();
    }

    private Held? HeldNow
    {
        get
        {
            lock (_gate) return _held;
        }
    }

    private void Take(string line)
    {
        var words = line.Split(' ');
        if (words[^1] != ".") return;
        lock (_gate)
        {
            switch (words)
            {
                case ["ASSIGNED", var partition, _]:
                    _restoring.Add(int.Parse(partition));
                    break;
                case ["RESTORED", _, var changes, var from, _]:
                    ChangesRestored += Numbers.Read(changes);
                    if (from != "0") CopiesUsed++;
                    break;
                case ["WORKS", var partition, var life, _]:
                    _restoring.Remove(int.Parse(partition));
                    _lives[int.Parse(partition)] = life;
                    break;
                case ["LOST", var partition, _]:
                    _losses++;
                    _restoring.Remove(int.Parse(partition));
                    _lives.Remove(int.Parse(partition));
                    break;
                case ["RELEASED", var partition, _]:
                    _restoring.Remove(int.Parse(partition));
                    _lives.Remove(int.Parse(partition));
                    break;
                case ["REFUSED", ..]:
                    _refusals++;
                    break;
                case ["DROPPED", ..]:
                    CopiesDropped++;
                    break;
                case ["HOLDS", var partition, var offset, var life, _]:
                    _held = new Held(int.Parse(partition), Numbers.Read(offset), life);
                    break;
                case ["READY" or "OUT" or "LETSGO", ..]:
                    break;
                default:
                    throw new InvalidDataException($"The child said '{line}'.");
            }
        }
    }
}

/// <summary>A batch that is processed and not committed: its partition, its last record, and the life that has it in hand.</summary>
internal readonly record struct Held(int Partition, long Offset, string Life);

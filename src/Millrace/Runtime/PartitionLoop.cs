using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Millrace;

/// <summary>
/// A processor's work on one owned partition, from assignment to its end: one <see cref="PartitionRun"/> after the other, with a pause
/// after each that failed. Its state is read by others at any time; only the loop writes it.
/// </summary>
[SuppressMessage("Design", "CA1001",
    Justification = "The sources have no timer and no foreign token: there is nothing to free, and late calls may still cancel.")]
internal sealed class PartitionLoop
{
    private readonly Processor _processor;
    private readonly RuntimeContext _context;
    private readonly UncommittedBytes _uncommitted;
    private readonly Action<Exception> _engineFailed;
    private readonly Backoff _backoff;
    private readonly CancellationTokenSource _abandon = new();
    private readonly CancellationTokenSource _drain;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ProcessorState _state = ProcessorState.Starting;
    private volatile IReadOnlyList<TopicPosition> _positions = [];
    private volatile string? _lastFailure;
    private volatile int _restarts;
    private volatile int _commitsInFlight;
    private volatile int _timersPending;
    private volatile bool _isDraining;
    private volatile bool _isIdle;
    private long _nextDue;

    /// <param name="processor">The processor.</param>
    /// <param name="owned">The partition.</param>
    /// <param name="context">The runtime's shared parts.</param>
    /// <param name="uncommitted">What the processor's partitions have done that is not durable.</param>
    /// <param name="engineFailed">Called when the engine can do nothing more for anyone.</param>
    public PartitionLoop(
        Processor processor, OwnedPartition owned, RuntimeContext context, UncommittedBytes uncommitted, Action<Exception> engineFailed)
    {
        (_processor, Owned, _context, _uncommitted, _engineFailed) = (processor, owned, context, uncommitted, engineFailed);
        _backoff = new Backoff(context.Options, processor.Name, owned.Partition);
        _drain = CancellationTokenSource.CreateLinkedTokenSource(_abandon.Token);
    }

    public OwnedPartition Owned { get; }

    /// <summary>Wakes the loop from whatever it waits for.</summary>
    public Signal Wake { get; } = new();

    /// <summary>Completes when the loop has ended and nothing of it runs any more; never fails.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    public bool IsDraining => _isDraining;

    /// <summary>Whether someone awaits the end in order to give the partition up. Used by the membership's loop only.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>True from a failure until a commit is durable again.</summary>
    public bool IsRecovering => _backoff.FailuresInARow > 0;

    public ProcessorState State => _state;

    public string? LastFailure => _lastFailure;

    public int TimersPending { get => _timersPending; set => _timersPending = value; }

    /// <summary>Whether the loop has nothing to do until the engine or the clock brings something, and the clock has not.</summary>
    public bool IsIdleAt(DateTimeOffset now) => HasEnded || (_isIdle && Interlocked.Read(ref _nextDue) > now.UtcTicks);

    /// <summary>Whether the partition is not worked on any more.</summary>
    public bool HasEnded => _state is ProcessorState.Stopped or ProcessorState.Failed;

    /// <param name="after">What has to end before: an earlier loop on the same partition.</param>
    /// <param name="ready">What has to be there before anything is worked on: the processor's global topics.</param>
    public void Start(Task after, Task ready) => Completion = _context.Start(() => RunAsync(after, ready));

    /// <summary>Lets the loop finish the batch in hand, commit, and end.</summary>
    public void Drain()
    {
        _isDraining = true;
        _drain.Cancel();
        _drained.TrySetResult();
        Wake.Set();
    }

    /// <summary>Lets the loop throw away what is not committed, and end.</summary>
    public void Abandon()
    {
        _isDraining = true;
        _abandon.Cancel();
        _drained.TrySetResult();
        Wake.Set();
    }

    public PartitionStatus Status(long lag) => new()
    {
        Partition = Owned.Partition,
        State = _state,
        Positions = _positions,
        Lag = lag,
        Restarts = _restarts,
        LastFailure = _lastFailure,
        CommitsInFlight = _commitsInFlight,
        Timers = _timersPending,
    };

    public void Restored(IReadOnlyList<TopicPosition> positions, int timers)
    {
        _positions = [.. positions];
        _timersPending = timers;
    }

    public void Running() => Become(ProcessorState.Running);

    public void Launched(int underWay)
    {
        _commitsInFlight = underWay;
        _context.Watch.Changed();
    }

    public void Committed(IReadOnlyList<TopicPosition> positions, int stillUnderWay)
    {
        _positions = positions;
        _commitsInFlight = stillUnderWay;
        _context.Watch.Changed();
        if (!IsRecovering) return;
        _context.Log.Recovered(_processor.Name, Owned.Partition, _backoff.FailuresInARow);
        _backoff.Reset();
    }

    public void FallIdle(long nextDue)
    {
        Interlocked.Exchange(ref _nextDue, nextDue);
        _isIdle = true;
        _context.Watch.Changed();
    }

    public void Awake()
    {
        if (!_isIdle) return;
        _isIdle = false;
        _context.Watch.Awoke();
    }

    private async Task RunAsync(Task after, Task ready)
    {
        await after;
        await Task.WhenAny(ready, _drained.Task);
        var end = ProcessorState.Stopped;
        while (!_isDraining)
        {
            if (await AttemptAsync() is not { } failure) break;
            var kind = FailureKinds.Of(failure);
            if (kind == FailureKind.Fenced)
            {
                _context.Log.Fenced(_processor.Name, Owned.Partition, Owned.Epoch);
                break;
            }

            Note(failure);
            if (kind == FailureKind.EngineFailed)
            {
                end = ProcessorState.Failed;
                _engineFailed(failure);
                break;
            }

            if (!_isDraining) await PauseAsync(failure);
        }

        _isIdle = false;
        Become(end);
    }

    /// <summary>
    /// One run; its failure, or null when it ended because it was asked to. The edge of the loop: everything is caught here.
    /// </summary>
    private async ValueTask<Exception?> AttemptAsync()
    {
        Become(ProcessorState.Starting);
        try
        {
            if (_restarts > 0) await _context.Topics.RefreshAsync(_abandon.Token);
            await using var run = new PartitionRun(this, _processor, _context, _uncommitted, _abandon.Token);
            await run.RunAsync();
            return null;
        }
        catch (OperationCanceledException) when (_abandon.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception failure)
        {
            return failure;
        }
        finally
        {
            Awake();
        }
    }

    private void Note(Exception failure)
    {
        _lastFailure = failure.Message;
        if (_isDraining) _context.Log.FailedWhileStopping(_processor.Name, Owned.Partition, failure);
    }

    private async ValueTask PauseAsync(Exception failure)
    {
        var pause = _backoff.Next();
        _restarts++;
        _context.Meters.Restarted(_processor.Name, failure);
        _context.Log.Restarts(_processor.Name, Owned.Partition, _restarts, pause, failure);

        // The pause is under way before anyone sees that it is: who then sets the clock forward ends it.
        var paused = Task.Delay(pause, _context.Options.Time, _drain.Token);
        Become(ProcessorState.BackingOff);
        try
        {
            await paused;
        }
        catch (OperationCanceledException)
        {
            // Drained or abandoned meanwhile; the loop's condition sees which.
        }
    }

    private void Become(ProcessorState state)
    {
        _state = state;
        _context.Watch.Changed();
    }
}

/// <summary>
/// How long to pause before the next attempt: doubling, bounded, shortened by up to a half so that those who failed together part. One
/// loop's own.
/// </summary>
internal sealed class Backoff(ProcessorRuntimeOptions options, string name, int partition)
{
    // Each partition draws from its own sequence, so that the order in which loops run does not change what they draw.
    private readonly Random _random = new(options.Seed ^ (int)Partitioner.Murmur2(Encoding.UTF8.GetBytes($"{name}-{partition}")));

    public int FailuresInARow { get; private set; }

    public TimeSpan Next()
    {
        var doublings = Math.Min(FailuresInARow++, 30);
        var doubled = options.RestartBackoffMin.TotalMilliseconds * Math.Pow(2, doublings);
        var whole = Math.Min(doubled, options.RestartBackoffMax.TotalMilliseconds);
        return TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(whole * (0.5 + _random.NextDouble() / 2))));
    }

    public void Reset() => FailuresInARow = 0;
}

/// <summary>What a failure asks for.</summary>
internal enum FailureKind
{
    /// <summary>
    /// Start again from the last commit after a pause: the processor's own failures, and those of the world that may pass.
    /// </summary>
    Restart = 0,

    /// <summary>The partition is another member's: let go, the assignment tells.</summary>
    Fenced = 1,

    /// <summary>The engine does nothing more for anyone.</summary>
    EngineFailed = 2,
}

/// <summary>Sorts failures.</summary>
internal static class FailureKinds
{
    public static FailureKind Of(Exception failure) => failure switch
    {
        MillraceException { Code: FailureCodes.Fenced } => FailureKind.Fenced,
        MillraceException { Code: FailureCodes.Stopped or FailureCodes.StorageFailed } => FailureKind.EngineFailed,
        CommitOrderException => FailureKind.EngineFailed,
        _ => FailureKind.Restart,
    };
}

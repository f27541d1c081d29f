using System.Diagnostics.CodeAnalysis;

namespace Millrace;

/// <summary>
/// One processor's membership in its group: follows the assignment and owns a <see cref="PartitionLoop"/> per partition. A membership that
/// ends by a failure of the group is begun again; one that ends with the engine makes the processor fail.
/// </summary>
[SuppressMessage("Design", "CA1001",
    Justification = "The source has no timer and no foreign token: there is nothing to free, and late calls may still cancel.")]
internal sealed class ProcessorMember(Processor processor, RuntimeContext context)
{
    private readonly Lock _gate = new(); // guards the writing of _loops, which is replaced as a whole and read without the lock
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<int, Task> _endings = []; // by partition, what ends before its next loop begins; the membership's loop only
    private readonly Backoff _rejoin = new(context.Options, processor.Name, -1);
    private readonly UncommittedBytes _uncommitted = new(context.Options.ProcessorUncommittedBytesMax);
    private volatile PartitionLoop[] _loops = [];
    private volatile GroupMember? _member;
    private volatile string? _failure;
    private volatile bool _hasFailed;
    private volatile bool _wasTold; // what it owns, be it nothing
    private volatile bool _wasAssigned; // something
    private volatile bool _isStopped;
    private GlobalFollower[] _globals = [];
    private Task _ready = Task.CompletedTask; // completes when each global topic has been read once
    private Task _following = Task.CompletedTask;

    public LagProbe Lags { get; } = new(context.Engine, processor.Name);

    public string Name => processor.Name;

    /// <summary>Why the processor can go on no more; null while it can.</summary>
    public string? EngineFailure => _hasFailed ? _failure : null;

    /// <summary>
    /// Joins the group and begins to follow the assignment. An assignment that comes with the joining, as the embedded engine's does, is
    /// taken up before this returns.
    /// </summary>
    public async ValueTask StartAsync(CancellationToken cancellation)
    {
        _globals = [.. processor.GlobalTopics.Select(topic => new GlobalFollower(processor.Name, topic, context, Fail))];
        foreach (var global in _globals) global.Start();
        _ready = Task.WhenAll(_globals.Select(global => global.Ready));
        var member = _member = await JoinAsync(cancellation);
        var next = member.NextChangeAsync(_stop.Token).AsTask();
        if (next.IsCompletedSuccessfully)
        {
            Apply(member, await next);
            next = member.NextChangeAsync(_stop.Token).AsTask();
        }

        _following = context.Start(() => FollowAsync(next));
    }

    /// <summary>
    /// Ends the following of the assignment, lets every partition finish and commit, and gives it up. Call <see cref="LeaveAsync"/> after
    /// it.
    /// </summary>
    public async Task DrainAsync()
    {
        _stop.Cancel();
        foreach (var loop in _loops) loop.Drain();
        await _following;
        var loops = _loops;
        foreach (var loop in loops) loop.Drain();
        foreach (var loop in loops)
        {
            if (!loop.IsGivenUp) await RetireAsync(loop);
        }

        foreach (var ending in _endings.Values) await ending;
        foreach (var global in _globals) await global.EndAsync();
        await Lags.EndAsync();
        _isStopped = true;
        context.Watch.Changed();
    }

    /// <summary>Throws away what is not committed, on every partition.</summary>
    public void Abandon()
    {
        _stop.Cancel();
        foreach (var loop in _loops) loop.Abandon();
    }

    /// <summary>Leaves the group: loops that are still there are fenced.</summary>
    public async ValueTask LeaveAsync()
    {
        if (Interlocked.Exchange(ref _member, null) is { } member) await DisposeAsync(member);
        _isStopped = true;
    }

    /// <summary>
    /// Whether no partition has anything to do: each has committed all it read, and no timer is due. Before the group has said what is
    /// owned here, nobody knows: a partition without lag may have timers.
    /// </summary>
    public bool IsIdleAt(DateTimeOffset now) => _wasTold && Array.TrueForAll(_loops, loop => loop.IsIdleAt(now));

    /// <summary>Whether nothing is left to read, by the engine's own account, on the partitions that are worked on here.</summary>
    public async ValueTask<bool> HasCaughtUpAsync(CancellationToken cancellation)
    {
        var wasAssigned = _wasAssigned;
        foreach (var lag in await context.Engine.DescribeLagAsync(processor.Name, cancellation))
        {
            if (lag.Lag > 0 && (!wasAssigned || Owns(lag.Source.Partition))) return false;
        }

        foreach (var global in _globals)
        {
            if (!await global.HasCaughtUpAsync(cancellation)) return false;
        }

        return true;
    }

    public ProcessorStatus Status()
    {
        var lags = Lags.Latest();
        var loops = _loops;
        var partitions = new List<PartitionStatus>(loops.Length);
        foreach (var loop in loops) partitions.Add(loop.Status(LagOf(loop, lags)));
        partitions.Sort(static (one, other) => one.Partition.CompareTo(other.Partition));
        return new ProcessorStatus
        {
            Processor = processor.Name,
            State = StateOf(partitions),
            Failure = _failure ?? partitions.Find(partition => partition.LastFailure is not null)?.LastFailure
                ?? Array.Find(_globals, global => global.LastFailure is not null)?.LastFailure,
            Partitions = partitions,
        };
    }

    /// <summary>Whether a partition is worked on here.</summary>
    public bool Owns(int partition) => Array.Exists(_loops, loop => loop.Owned.Partition == partition && !loop.HasEnded);

    private ProcessorState StateOf(List<PartitionStatus> partitions)
    {
        if (_hasFailed) return ProcessorState.Failed;
        if (_isStopped) return ProcessorState.Stopped;
        if (partitions.Exists(partition => partition.State == ProcessorState.BackingOff)) return ProcessorState.BackingOff;
        if (_member is null || partitions.Exists(partition => partition.State == ProcessorState.Starting)) return ProcessorState.Starting;
        return ProcessorState.Running;
    }

    private static long LagOf(PartitionLoop loop, IReadOnlyList<PartitionLag> lags)
    {
        var sum = 0L;
        foreach (var lag in lags)
        {
            if (lag.Source.Partition == loop.Owned.Partition) sum += lag.Lag;
        }

        return sum;
    }

    private ValueTask<GroupMember> JoinAsync(CancellationToken cancellation) => context.Engine.JoinAsync(new GroupSubscription
    {
        Group = processor.Name,
        Topics = processor.Topics,
        OffsetReset = processor.OffsetReset,
        HasState = processor.HasState,
    }, cancellation);

    /// <summary>The edge of the membership's loop: everything is caught here.</summary>
    private async Task FollowAsync(Task<AssignmentChange>? next)
    {
        while (true)
        {
            try
            {
                var member = _member ??= await JoinAsync(_stop.Token);
                while (true)
                {
                    Apply(member, await (next ?? member.NextChangeAsync(_stop.Token).AsTask()));
                    next = null;
                }
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                next = null;
                await FallOutAsync(failure);
            }
        }
    }

    private void Apply(GroupMember member, AssignmentChange change)
    {
        _rejoin.Reset();
        switch (change)
        {
            case AssignmentChange.Assigned assigned:
                foreach (var partition in assigned.Partitions) Begin(partition);
                _wasAssigned |= assigned.Partitions.Count > 0;
                _wasTold = true;
                break;
            case AssignmentChange.Revoked revoked:
                foreach (var partition in revoked.Partitions) GiveUp(member, partition);
                break;
            case AssignmentChange.Lost lost:
                foreach (var partition in lost.Partitions) Lose(partition);
                break;
            default:
                throw new InvalidOperationException($"Unknown change of an assignment: {change.GetType().Name}.");
        }

        context.Watch.Changed();
    }

    private void Begin(OwnedPartition partition)
    {
        context.Log.Assigned(processor.Name, partition.Partition, partition.Epoch);
        if (Array.Find(_loops, loop => loop.Owned.Partition == partition.Partition) is { } stale) Forget(stale);
        var loop = new PartitionLoop(processor, partition, context, _uncommitted, Fail);
        var before = _endings.GetValueOrDefault(partition.Partition, Task.CompletedTask);
        lock (_gate) _loops = [.. _loops, loop];
        loop.Start(before, _ready);
    }

    private void GiveUp(GroupMember member, OwnedPartition partition)
    {
        if (Find(partition) is not { } loop) return;
        loop.IsGivenUp = true;
        loop.Drain();
        _endings[partition.Partition] = RetireAsync(loop, member);
    }

    private void Lose(OwnedPartition partition)
    {
        if (Find(partition) is not { } loop) return;
        context.Log.Lost(processor.Name, partition.Partition, partition.Epoch);
        Forget(loop);
    }

    private void Forget(PartitionLoop loop)
    {
        loop.Abandon();
        Remove(loop);
        var earlier = _endings.GetValueOrDefault(loop.Owned.Partition, Task.CompletedTask);
        _endings[loop.Owned.Partition] = Task.WhenAll(loop.Completion, earlier);
    }

    private Task RetireAsync(PartitionLoop loop) => _member is { } member ? RetireAsync(loop, member) : loop.Completion;

    /// <summary>Awaits the loop's end and gives its partition up, unless it failed or is another's already.</summary>
    private async Task RetireAsync(PartitionLoop loop, GroupMember member)
    {
        await loop.Completion;
        Remove(loop);
        try
        {
            await member.ReleaseAsync(loop.Owned, CancellationToken.None);
            context.Log.Released(processor.Name, loop.Owned.Partition, loop.Owned.Epoch);
        }
        catch (MillraceException failure) when (failure.Code is FailureCodes.Fenced or FailureCodes.Stopped)
        {
            // It is not ours to give any more, which comes to the same.
        }
        catch (Exception failure)
        {
            context.Log.ReleaseFailed(processor.Name, loop.Owned.Partition, failure);
        }

        context.Watch.Changed();
    }

    /// <summary>
    /// The membership is over: everything it owned is another's or nobody's. Ends the processor, or pauses before it joins again.
    /// </summary>
    private async ValueTask FallOutAsync(Exception failure)
    {
        (_wasTold, _wasAssigned) = (false, false);
        foreach (var loop in _loops) Forget(loop);
        foreach (var ending in _endings.Values) await ending;
        if (Interlocked.Exchange(ref _member, null) is { } member) await DisposeAsync(member);
        if (FailureKinds.Of(failure) == FailureKind.EngineFailed)
        {
            Fail(failure);
            return;
        }

        _failure = failure.Message;
        var pause = _rejoin.Next();
        context.Log.Rejoins(processor.Name, pause, failure);
        context.Watch.Changed();
        try
        {
            await Task.Delay(pause, context.Options.Time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The processor stops; joining again ends the same way.
        }
    }

    /// <summary>The engine does nothing more: all partitions end.</summary>
    private void Fail(Exception failure)
    {
        lock (_gate)
        {
            if (_hasFailed || _isStopped) return;
            _failure = failure.Message;
            _hasFailed = true;
        }

        context.Log.EngineFailed(processor.Name, failure);
        Abandon();
        context.Watch.Changed();
    }

    private async ValueTask DisposeAsync(GroupMember member)
    {
        try
        {
            await member.DisposeAsync();
        }
        catch (MillraceException failure)
        {
            context.Log.ReleaseFailed(processor.Name, -1, failure);
        }
    }

    private PartitionLoop? Find(OwnedPartition partition) =>
        Array.Find(_loops, loop => loop.Owned.Partition == partition.Partition && loop.Owned.Epoch == partition.Epoch);

    private void Remove(PartitionLoop loop)
    {
        lock (_gate) _loops = [.. _loops.Where(other => other != loop)];
    }
}

/// <summary>
/// The lags of a group as the engine last told them. Asking begins a new question unless one is open; the embedded engine answers at once.
/// Thread safe.
/// </summary>
internal sealed class LagProbe(Engine engine, string group)
{
    private volatile IReadOnlyList<PartitionLag> _lags = [];
    private volatile Task _asking = Task.CompletedTask;
    private int _isAsking;

    public IReadOnlyList<PartitionLag> Latest()
    {
        if (Interlocked.Exchange(ref _isAsking, 1) == 0) _asking = AskAsync();
        return _lags;
    }

    public Task EndAsync() => _asking;

    private async Task AskAsync()
    {
        try
        {
            _lags = await engine.DescribeLagAsync(group, CancellationToken.None);
        }
        catch (MillraceException)
        {
            // The last answer stands; an engine that fails says so to the loops.
        }
        finally
        {
            Interlocked.Exchange(ref _isAsking, 0);
        }
    }
}

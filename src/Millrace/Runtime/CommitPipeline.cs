using System.Runtime.ExceptionServices;

namespace Millrace;

/// <summary>
/// The commits of one partition that are under way, oldest first. They are launched and taken by the partition's loop; the engine's answers
/// come from anywhere and only mark a unit and wake the loop. Used by one loop only.
/// </summary>
internal sealed class CommitPipeline(OwnedPartition owned, RuntimeContext context, Signal wake)
{
    private readonly Queue<CommitUnit> _underWay = new();

    public int Count => _underWay.Count;

    public bool HasRoom => _underWay.Count < context.Options.CommitsInFlightMax;

    /// <summary>How many bytes the commits under way hold.</summary>
    public long Bytes { get; private set; }

    public void Launch(CommitUnit unit, CancellationToken cancellation)
    {
        Bytes += unit.Bytes;
        unit.LaunchedAt = context.Options.Time.GetTimestamp();
        _underWay.Enqueue(unit);
        context.Meters.CommitLaunched(owned.Group);
        unit.Completion = CommitAsync(unit, cancellation);
    }

    /// <summary>Takes the oldest commit if it is durable; throws its failure if it failed.</summary>
    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out CommitUnit? durable)
    {
        if (!_underWay.TryPeek(out durable) || !durable.IsDone) return false;
        if (durable.Failure is { } failure) ExceptionDispatchInfo.Throw(failure);
        _underWay.Dequeue();
        Bytes -= durable.Bytes;
        return true;
    }

    /// <summary>
    /// Awaits all that is under way, however it ends, and checks the promise that nothing succeeds after a failure: the commits were made
    /// on top of one another, so one that skipped its forerunner would have lost what that one read.
    /// </summary>
    public async Task SettleAsync()
    {
        var hasFailed = false;
        var isBroken = false;
        while (_underWay.TryDequeue(out var unit))
        {
            await unit.Completion;
            isBroken |= hasFailed && unit.Failure is null;
            hasFailed |= unit.Failure is not null;
            unit.Dispose();
        }

        Bytes = 0;
        if (isBroken)
        {
            throw new CommitOrderException(
                $"The engine made a commit of partition {owned.Partition} of group '{owned.Group}' although an earlier one had failed. " +
                "What the earlier one read is passed over; the processor stops rather than go on without it.");
        }
    }

    private async Task CommitAsync(CommitUnit unit, CancellationToken cancellation)
    {
        Exception? failure = null;
        try
        {
            var result = await owned.CommitAsync(unit.Commit, cancellation);
            if (result is CommitResult.Conflicted conflict)
            {
                failure = new InvalidOperationException(
                    $"The commit expected version {conflict.Expected.Version} of the stream '{conflict.Expected.StreamKey}', which has " +
                    $"{conflict.ActualVersion}.");
            }
        }
        catch (Exception thrown)
        {
            failure = thrown;
        }

        context.Meters.CommitDone(owned.Group, unit, failure);
        unit.Finish(failure);
        wake.Set();
    }
}

/// <summary>The engine broke its promise about the order of commits.</summary>
internal sealed class CommitOrderException(string message) : Exception(message);

/// <summary>
/// How much of what the partitions of a processor have done is not durable yet, and which of them wait until it is less before they begin
/// another commit. Thread safe; each share is one loop's own.
/// </summary>
internal sealed class UncommittedBytes(long bytesMax)
{
    private readonly Lock _gate = new(); // guards everything below it, and what shares have
    private readonly Queue<Share> _waiting = new(); // those that went on without being called are still in it
    private long _bytes;

    private bool HasRoom => _bytes < bytesMax;

    public Share Join(Action wake) => new(this, wake);

    /// <summary>Wakes the next one that waits, if there is room; whoever goes on calls the next, so none is forgotten and not all come at
    /// once.</summary>
    private void CallNext()
    {
        while (HasRoom && _waiting.TryDequeue(out var next) && !next.TryCall())
        {
        }
    }

    /// <summary>What one partition's run has of it.</summary>
    internal sealed class Share(UncommittedBytes all, Action wake) : IDisposable
    {
        private long _bytes;
        private bool _isWaiting;

        /// <summary>Whether a commit may be begun now; if not, the loop is woken when it is time to ask again.</summary>
        public bool MayBegin()
        {
            lock (all._gate)
            {
                if (all.HasRoom)
                {
                    _isWaiting = false;
                    all.CallNext();
                    return true;
                }

                if (!_isWaiting) all._waiting.Enqueue(this);
                _isWaiting = true;
                return false;
            }
        }

        /// <summary>How much the run has now that is not durable.</summary>
        public void Hold(long bytes)
        {
            if (bytes == _bytes) return;
            lock (all._gate)
            {
                all._bytes += bytes - _bytes;
                _bytes = bytes;
                all.CallNext();
            }
        }

        /// <summary>The run is over.</summary>
        public void Dispose()
        {
            lock (all._gate)
            {
                _isWaiting = false;
                all._bytes -= _bytes;
                _bytes = 0;
                all.CallNext();
            }
        }

        internal bool TryCall()
        {
            if (!_isWaiting) return false;
            _isWaiting = false;
            wake();
            return true;
        }
    }
}

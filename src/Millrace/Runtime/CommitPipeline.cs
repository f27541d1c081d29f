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

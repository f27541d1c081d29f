using System.Threading.Channels;

namespace Millrace.Log.Groups;

/// <summary>A member of a group in this process.</summary>
internal sealed class EmbeddedMember(LogEngine engine, GroupCoordinator coordinator, string memberId) : GroupMember
{
    // Bounded by what it carries: each partition is in at most one unread change of each kind.
    private readonly Channel<AssignmentChange> _changes =
        Channel.CreateUnbounded<AssignmentChange>(new UnboundedChannelOptions { SingleReader = true });

    public LogEngine Engine { get; } = engine;

    public override string MemberId { get; } = memberId;

    public override async ValueTask<AssignmentChange> NextChangeAsync(CancellationToken cancellation = default)
    {
        try
        {
            return await _changes.Reader.ReadAsync(cancellation);
        }
        catch (ChannelClosedException)
        {
            throw new MillraceException(FailureCodes.Stopped, $"Member '{MemberId}' has left its group, or the engine has stopped.");
        }
    }

    public override ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(partition);
        coordinator.Release(this, partition as EmbeddedPartition
            ?? throw new ArgumentException($"Partition {partition.Partition} of group '{partition.Group}' belongs to another engine."));
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        End();
        coordinator.Leave(this);
        Engine.Forget(this, coordinator);
        return ValueTask.CompletedTask;
    }

    /// <summary>No change follows any more: the member left or the engine stops.</summary>
    public void End() => _changes.Writer.TryComplete();

    public void Notify(AssignmentChange change) => _changes.Writer.TryWrite(change);
}

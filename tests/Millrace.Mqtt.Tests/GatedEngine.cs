namespace Millrace.Mqtt.Tests;

/// <summary>A real engine whose owners' commits a test may hold up, fail before they are made, or lose the answer of.</summary>
public sealed class GatedEngine(Engine inner) : Engine
{
    /// <summary>Called before a commit that has records or state; it may wait or throw.</summary>
    public Func<Commit, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called after a commit is durable and before anyone hears of it; it may wait or throw.</summary>
    public Func<Commit, Task> After { get; set; } = _ => Task.CompletedTask;

    public override EngineCapabilities Capabilities => inner.Capabilities;

    public override ValueTask<TopicDescription> CreateTopicAsync(TopicSpecification specification, CancellationToken cancellation = default) =>
        inner.CreateTopicAsync(specification, cancellation);

    public override ValueTask<IReadOnlyList<TopicDescription>> ListTopicsAsync(CancellationToken cancellation = default) =>
        inner.ListTopicsAsync(cancellation);

    public override ValueTask<TopicDescription?> FindTopicAsync(string topic, CancellationToken cancellation = default) =>
        inner.FindTopicAsync(topic, cancellation);

    public override ValueTask DeleteTopicAsync(string topic, CancellationToken cancellation = default) =>
        inner.DeleteTopicAsync(topic, cancellation);

    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default) =>
        inner.CommitAsync(commit, cancellation);

    public override ValueTask<Producer> OpenProducerAsync(string name, CancellationToken cancellation = default) =>
        inner.OpenProducerAsync(name, cancellation);

    public override PartitionReader OpenReader(TopicPartition source, long offset) => inner.OpenReader(source, offset);

    public override ValueTask<long> FindOffsetAsync(TopicPartition source, DateTimeOffset time, CancellationToken cancellation = default) =>
        inner.FindOffsetAsync(source, time, cancellation);

    public override async ValueTask<GroupMember> JoinAsync(GroupSubscription subscription, CancellationToken cancellation = default) =>
        new Member(this, await inner.JoinAsync(subscription, cancellation));

    public override ValueTask<IReadOnlyList<string>> ListGroupsAsync(CancellationToken cancellation = default) =>
        inner.ListGroupsAsync(cancellation);

    public override ValueTask<IReadOnlyList<PartitionLag>> DescribeLagAsync(string group, CancellationToken cancellation = default) =>
        inner.DescribeLagAsync(group, cancellation);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Member(GatedEngine engine, GroupMember inner) : GroupMember
    {
        public override string MemberId => inner.MemberId;

        public override async ValueTask<AssignmentChange> NextChangeAsync(CancellationToken cancellation = default)
        {
            var change = await inner.NextChangeAsync(cancellation);
            return change is AssignmentChange.Assigned assigned
                ? new AssignmentChange.Assigned([.. assigned.Partitions.Select(owned => new Owned(engine, owned))])
                : change;
        }

        public override ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation = default) =>
            inner.ReleaseAsync(partition, cancellation);

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class Owned(GatedEngine engine, OwnedPartition inner) : OwnedPartition
    {
        public override string Group => inner.Group;

        public override int Partition => inner.Partition;

        public override long Epoch => inner.Epoch;

        public override IReadOnlyList<TopicPosition> Positions => inner.Positions;

        public override ValueTask RestoreAsync(CancellationToken cancellation = default) => inner.RestoreAsync(cancellation);

        public override PartitionReader OpenReader(string topic, long offset) => inner.OpenReader(topic, offset);

        public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) =>
            inner.TryGet(store, key, out value);

        public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) => inner.Scan(store, range);

        public override async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default)
        {
            await engine.Before(commit);
            var result = await inner.CommitAsync(commit, cancellation);
            await engine.After(commit);
            return result;
        }
    }
}

using Millrace.Log.Writing;

namespace Millrace.Log.Groups;

/// <summary>The ownership of one partition number by a member in this process.</summary>
internal sealed class EmbeddedPartition(LogEngine engine, GroupCoordinator coordinator, GroupPartition log, long epoch) : OwnedPartition
{
    public override string Group => log.Group.Name;

    public override int Partition => log.Number;

    public override long Epoch { get; } = epoch;

    public override IReadOnlyList<TopicPosition> Positions
    {
        get
        {
            var positions = new List<TopicPosition>();
            foreach (var topic in coordinator.Topics)
            {
                if (Partition >= topic.Partitions.Length) continue;
                var partition = topic.Partitions[Partition];
                var isKept = log.Positions.TryGetValue(topic.Number, out var nextOffset) && nextOffset >= partition.StartOffset;
                positions.Add(new TopicPosition(topic.Name, isKept ? nextOffset
                    : coordinator.Subscription.OffsetReset == OffsetReset.Latest ? partition.EndOffset : partition.StartOffset));
            }

            return positions;
        }
    }

    /// <summary>
    /// The state is here already; but a commit of the owner before may be under way in the writer, and what it changes must be seen first.
    /// </summary>
    public override async ValueTask RestoreAsync(CancellationToken cancellation = default) =>
        await engine.DoAsync(new CatchUp(log, Epoch), cancellation);

    public override PartitionReader OpenReader(string topic, long offset) =>
        engine.OpenReader(new TopicPartition(topic, Partition), offset);

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) => log.TryGet(store, key, out value);

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        log.Scan(store, range);

    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default) =>
        engine.CommitAsync(commit, log, Epoch, cancellation);
}

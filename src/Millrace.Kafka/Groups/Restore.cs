using Millrace.Kafka.State;

namespace Millrace.Kafka.Groups;

/// <summary>Brings a partition's state and positions to those of the last commit.</summary>
internal sealed class Restore(Membership member, KafkaPartition partition)
{
    private const int ReadBytesMax = 1 << 20;

    private KafkaEngine Engine => member.Engine;

    /// <summary>The local copy, an older one or an empty one.</summary>
    public async ValueTask<StateLease> OpenAsync(CancellationToken cancellation) =>
        await member.Standbys.TakeAsync(partition.Partition)
        ?? await Engine.States.OpenAsync(member.Group, partition.Partition, member.ChangelogId, cancellation);

    /// <summary>Reads the changelog up to a record of it, which is seen only when everything before it is decided.</summary>
    public async ValueTask ReadToAsync(StateStore store, long barrier, CancellationToken cancellation)
    {
        if (store.Position > barrier + 1)
        {
            Engine.Log.CopyDropped($"{partition.Changelog}", $"it is at offset {store.Position}, which the changelog does not have");
            store.Clear();
        }

        var changed = 0L;
        var from = store.Position;
        var reader = new ChangelogReader(partition.Changelog);
        using var records = await Engine.OpenChangelogAsync(partition.Changelog, store, cancellation);
        while (records.Offset <= barrier)
        {
            using var fetched = await records.ReadAsync(ReadBytesMax, cancellation);
            changed += reader.Apply(fetched, store);
        }

        Engine.Log.Restored(member.Group, partition.Partition, changed, from);
    }

    /// <summary>
    /// The committed positions, or where the group begins. An answer waits until no transaction holds positions of the partition that are
    /// not decided.
    /// </summary>
    public async ValueTask<IReadOnlyList<TopicPosition>> PositionsAsync(CancellationToken cancellation)
    {
        var topics = member.TopicsAt(partition.Partition);
        var sources = topics.Select(topic => new TopicPartition(topic, partition.Partition)).ToList();
        var committed = await Engine.Offsets.AskAsync(member.Group, sources, cancellation);
        var extents = await Engine.Topics.ExtentsAsync(sources, cancellation);
        var positions = new List<TopicPosition>(sources.Count);
        for (var i = 0; i < sources.Count; i++)
        {
            var isKept = committed.TryGetValue(sources[i], out var offset) && offset >= extents[i].Start;
            positions.Add(new TopicPosition(topics[i], isKept ? offset
                : member.Subscription.OffsetReset == OffsetReset.Latest ? extents[i].End : extents[i].Start));
        }

        return positions;
    }
}

/// <summary>Turns records of a changelog into changes of a store. One loop only.</summary>
internal sealed class ChangelogReader(TopicPartition changelog)
{
    private readonly StoreNames _names = new();
    private readonly List<StateChange> _changes = [];

    /// <summary>Applies what was fetched, and returns how many changes that was.</summary>
    public int Apply(FetchedRecords fetched, StateStore store)
    {
        _changes.Clear();
        foreach (var record in fetched)
        {
            if (Changelog.TryRead(changelog, record, _names, out var change)) _changes.Add(change);
        }

        store.Apply(_changes, fetched.NextOffset);
        return _changes.Count;
    }
}

using Millrace.Log.Writing;
using Millrace.Log.Journal;
using Millrace.Log.Segments;

namespace Millrace.Log.Recovery;

/// <summary>
/// The contents of the checkpoint, of the group snapshots and of the version files; FORMAT.md, "Checkpoint and state files".
/// </summary>
internal static class Snapshots
{
    /// <summary>Stands for the number of stores.</summary>
    private const int StateIsOnDisk = -1;

    public static ByteWriter WriteCheckpoint(Catalog catalog, long sequence)
    {
        var content = SealedFile.Begin();
        content.Int64(sequence);
        content.Int64(catalog.Generation);
        content.Int32(catalog.NextTopicNumber);
        content.Int64(catalog.NextProducerId);
        content.Int32(catalog.TopicsByNumber.Count);
        foreach (var topic in catalog.TopicsByNumber.Values) WriteTopic(content, topic);
        content.Int32(catalog.NamedGroups.Count);
        foreach (var group in catalog.NamedGroups.Values) WriteGroup(content, group);
        content.Int32(catalog.Producers.Count);
        foreach (var producer in catalog.Producers.Values) WriteProducer(content, producer);
        return content;
    }

    /// <summary>Positions and state; of state on disk where it is instead.</summary>
    public static ByteWriter WriteGroupPartition(GroupPartition partition)
    {
        var isOnDisk = partition.StateId != default;
        var content = SealedFile.Begin(isOnDisk ? 2 : 1);
        var positions = partition.Positions.OrderBy(p => p.Key).ToList();
        content.Int32(positions.Count);
        foreach (var (topic, nextOffset) in positions)
        {
            content.Int32(topic);
            content.Int64(nextOffset);
        }

        if (isOnDisk)
        {
            content.Int32(StateIsOnDisk);
            content.Guid(partition.StateId);
            content.Int64(partition.State!.Position);
            return content;
        }

        var stores = ((MemoryStateStore?)partition.State)?.Names.Order(StringComparer.Ordinal).ToList() ?? [];
        content.Int32(stores.Count);
        foreach (var store in stores)
        {
            content.Text(store);
            var entries = partition.Scan(store, StateRange.All);
            content.Int32(entries.Count);
            foreach (var (key, value) in entries)
            {
                content.Bytes(key.Span);
                content.Bytes(value.Span);
            }
        }

        return content;
    }

    public static void ReadGroupPartition(byte[] bytes, string origin, GroupPartition partition, StateStores open)
    {
        var content = new ByteReader(bytes, origin);
        for (var left = content.Count(12); left > 0; left--)
        {
            var topic = content.Int32();
            partition.Positions[topic] = content.Int64();
        }

        if (content.TryInt32(StateIsOnDisk))
        {
            partition.Reopen(content.Guid(), content.Int64(), open);
            return;
        }

        var changes = new List<StateChange>();
        for (var stores = content.Count(8); stores > 0; stores--)
        {
            var store = content.Text();
            for (var left = content.Count(8); left > 0; left--)
                changes.Add(new StateChange(store, content.Bytes().ToArray(), content.Bytes().ToArray()));
        }

        partition.Apply(changes, 0, open);

        // State that was in memory so far is on disk from the next checkpoint on.
        partition.IsDirty = open.AreOnDisk && changes.Count > 0;
    }

    public static ByteWriter WriteVersions(TopicLog topic)
    {
        var content = SealedFile.Begin();
        content.Int32(topic.StreamVersions.Count);
        foreach (var (key, version) in topic.StreamVersions.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            content.Text(key);
            content.Int64(version);
        }

        return content;
    }

    public static void ReadVersions(byte[] bytes, string origin, TopicLog topic)
    {
        var content = new ByteReader(bytes, origin);
        for (var left = content.Count(12); left > 0; left--)
        {
            var key = content.Text();
            topic.StreamVersions[key] = content.Int64();
        }
    }

    private static void WriteTopic(ByteWriter content, TopicLog topic)
    {
        content.Int32(topic.Number);
        Entries.WriteTopic(content, topic.Id, topic.Specification);
        content.Int64(topic.VersionsAt);
        foreach (var partition in topic.Partitions)
        {
            content.Int32(partition.Segments.Length);
            foreach (var segment in partition.Segments)
            {
                content.Int64(segment.BaseOffset);
                content.Int32(segment.WrittenBytes);
            }

            content.Int64(partition.NextOffset);
        }
    }

    private static void WriteGroup(ByteWriter content, GroupLog group)
    {
        content.Int32(group.Number);
        content.Text(group.Name);
        var partitions = group.Partitions.Values.Where(p => p.SnapshotAt > 0).OrderBy(p => p.Number).ToList();
        content.Int32(partitions.Count);
        foreach (var partition in partitions)
        {
            content.Int32(partition.Number);
            content.Int64(partition.SnapshotAt);
        }
    }

    private static void WriteProducer(ByteWriter content, ProducerLog producer)
    {
        content.Int64(producer.Id);
        content.Int16(producer.Epoch);
        content.Text(producer.Name);
        content.Int32(producer.Recent.Count);
        foreach (var ((topic, partition), batches) in producer.Recent)
        {
            content.Int32(topic);
            content.Int32(partition);
            content.Int32(batches.Count);
            foreach (var batch in batches)
            {
                content.Int16(batch.Epoch);
                content.Int32(batch.BaseSequence);
                content.Int32(batch.Count);
                content.Int64(batch.BaseOffset);
            }
        }
    }
}

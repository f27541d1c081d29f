using Millrace.Log.Writing;

namespace Millrace.Log.Journal;

/// <summary>What a frame says, entry by entry; FORMAT.md, "Entries". The numbers never change their meaning.</summary>
internal static class Entries
{
    public const byte Opened = 1, TopicCreated = 2, TopicDeleted = 3, ProducerOpened = 4, GroupNamed = 5, Batch = 6, Position = 7, Put = 8,
        Delete = 9, StreamVersion = 10;

    /// <summary>What an entry takes beside the bytes, keys and texts in it, at the most.</summary>
    public const int OverheadBytes = 40;

    public static void WriteOpened(ByteWriter frame, long generation)
    {
        frame.Byte(Opened);
        frame.Int64(generation);
    }

    public static void WriteTopicCreated(ByteWriter frame, int number, Guid id, TopicSpecification specification)
    {
        frame.Byte(TopicCreated);
        frame.Int32(number);
        WriteTopic(frame, id, specification);
    }

    public static void WriteTopic(ByteWriter frame, Guid id, TopicSpecification specification)
    {
        frame.Guid(id);
        frame.Byte((byte)specification.Durability);
        frame.Int32(specification.Partitions);
        frame.Text(specification.Name);
    }

    public static (Guid Id, TopicSpecification Specification) ReadTopic(ref ByteReader entries)
    {
        var id = entries.Guid();
        var durability = (Durability)entries.Byte();
        var partitions = entries.Int32();
        return (id, new TopicSpecification { Name = entries.Text(), Partitions = partitions, Durability = durability });
    }

    public static void WriteTopicDeleted(ByteWriter frame, int number)
    {
        frame.Byte(TopicDeleted);
        frame.Int32(number);
    }

    public static void WriteProducerOpened(ByteWriter frame, long id, short epoch, string name)
    {
        frame.Byte(ProducerOpened);
        frame.Int64(id);
        frame.Int16(epoch);
        frame.Text(name);
    }

    public static void WriteGroupNamed(ByteWriter frame, GroupLog group)
    {
        frame.Byte(GroupNamed);
        frame.Int32(group.Number);
        frame.Text(group.Name);
    }

    public static void WriteBatch(ByteWriter frame, int topic, int partition, ReadOnlySpan<byte> batch)
    {
        frame.Byte(Batch);
        frame.Int32(topic);
        frame.Int32(partition);
        frame.Bytes(batch);
    }

    public static void WritePosition(ByteWriter frame, GroupPartition owner, int topic, long nextOffset)
    {
        frame.Byte(Position);
        frame.Int32(owner.Group.Number);
        frame.Int32(owner.Number);
        frame.Int32(topic);
        frame.Int64(nextOffset);
    }

    public static void WriteChange(ByteWriter frame, GroupPartition owner, in StateChange change)
    {
        frame.Byte(change.Value is null ? Delete : Put);
        frame.Int32(owner.Group.Number);
        frame.Int32(owner.Number);
        frame.Text(change.Store);
        frame.Bytes(change.Key);
        if (change.Value is not null) frame.Bytes(change.Value);
    }

    public static void WriteStreamVersion(ByteWriter frame, int topic, string streamKey, long version)
    {
        frame.Byte(StreamVersion);
        frame.Int32(topic);
        frame.Text(streamKey);
        frame.Int64(version);
    }
}

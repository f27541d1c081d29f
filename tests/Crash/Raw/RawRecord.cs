using System.Buffers.Binary;

namespace Millrace.Crash.Raw;

/// <summary>
/// What the raw child writes: who wrote it, its number in that writer's sequence on that partition, which commit it belongs to and how many
/// records that commit has, then padding that follows from the number.
/// </summary>
internal readonly record struct RawRecord(int Writer, int Partition, long Number, long Commit, int CommitRecords)
{
    public const string Topic = "raw", Copies = "copied", Streams = "streams", Workers = "raw-workers", Counts = "counts";
    public const int Partitions = 4, Writers = 6;

    private const int HeaderBytes = 28;

    public static ReadOnlySpan<byte> CountKey => "all"u8;

    public void AddTo(RecordBatchBuilder batch)
    {
        Span<byte> value = stackalloc byte[HeaderBytes + PaddingOf(Number)];
        BinaryPrimitives.WriteInt32LittleEndian(value, Writer);
        BinaryPrimitives.WriteInt32LittleEndian(value[4..], Partition);
        BinaryPrimitives.WriteInt64LittleEndian(value[8..], Number);
        BinaryPrimitives.WriteInt64LittleEndian(value[16..], Commit);
        BinaryPrimitives.WriteInt32LittleEndian(value[24..], CommitRecords);
        value[HeaderBytes..].Fill((byte)Number);
        batch.Add(0, value[..4], value);
    }

    /// <summary>Reads a record; throws when its bytes are not what was written.</summary>
    public static RawRecord Read(in Record record)
    {
        var value = record.Value.Span;
        if (value.Length < HeaderBytes) throw new InvalidDataException($"Record {record.Offset} has {value.Length} bytes.");
        var read = new RawRecord(
            BinaryPrimitives.ReadInt32LittleEndian(value), BinaryPrimitives.ReadInt32LittleEndian(value[4..]),
            BinaryPrimitives.ReadInt64LittleEndian(value[8..]), BinaryPrimitives.ReadInt64LittleEndian(value[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(value[24..]));
        if (value.Length != HeaderBytes + PaddingOf(read.Number) || value[HeaderBytes..].ContainsAnyExcept((byte)read.Number))
            throw new InvalidDataException($"Record {record.Offset} ({read}) is damaged.");
        return read;
    }

    /// <summary>Calls back with every record that a partition holds now.</summary>
    public static async Task ForEachAsync(Engine engine, TopicPartition source, Action<Record> take)
    {
        var topic = await engine.FindTopicAsync(source.Topic) ?? throw new InvalidDataException($"Topic {source.Topic} is gone.");
        var extent = topic.Partitions[source.Partition];
        using var reader = engine.OpenReader(source, extent.StartOffset);
        while (reader.Offset < extent.EndOffset)
        {
            using var fetched = reader.TryRead(1 << 20)
                ?? throw new InvalidDataException($"{source} ends at {reader.Offset}, before its end offset {extent.EndOffset}.");
            foreach (var record in fetched) take(record);
        }
    }

    /// <summary>How many records the worker of a partition has copied, by its keyed state.</summary>
    public static long CountOf(OwnedPartition owned) =>
        owned.TryGet(Counts, CountKey, out var value) ? BinaryPrimitives.ReadInt64LittleEndian(value.Span) : 0;

    private static int PaddingOf(long number) => (int)(number * 37 % 200);
}

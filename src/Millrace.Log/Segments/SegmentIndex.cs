using System.Buffers.Binary;

namespace Millrace.Log.Segments;

/// <summary>
/// The sparse indexes of one segment, in Kafka's formats: offset index (relative last offset, position of its batch; 4 + 4 bytes) and time
/// index (greatest timestamp so far, its relative offset; 8 + 4 bytes), big-endian. Derived: rebuilt from the segment when it is missing or
/// damaged. One writer appends; readers see whole entries because a count is published last.
/// </summary>
internal sealed class SegmentIndex(long baseOffset, int intervalBytes)
{
    private const int OffsetEntrySize = 8, TimeEntrySize = 12;

    // Grown by replacing the array; an entry is never changed once the count covers it.
    private Entry[] _entries = new Entry[16];
    private int _count;
    private int _bytesSinceEntry;
    private long _maxTimestamp = long.MinValue;
    private long _maxTimestampOffset = -1;

    /// <summary>The greatest record time so far, or <see cref="long.MinValue"/>.</summary>
    public long MaxTimestamp => Volatile.Read(ref _maxTimestamp);

    /// <summary>Notes a batch that was appended at a position.</summary>
    public void Add(in RecordBatchHeader batch, int position)
    {
        if (_bytesSinceEntry > intervalBytes)
        {
            Append(new Entry(batch.NextOffset - 1, position, Math.Max(_maxTimestamp, batch.MaxTimestamp),
                batch.MaxTimestamp > _maxTimestamp ? batch.NextOffset - 1 : _maxTimestampOffset));
            _bytesSinceEntry = 0;
        }

        _bytesSinceEntry += batch.SizeBytes;
        if (batch.MaxTimestamp <= _maxTimestamp) return;
        _maxTimestampOffset = batch.NextOffset - 1;
        Volatile.Write(ref _maxTimestamp, batch.MaxTimestamp);
    }

    /// <summary>A position at or before the batch that holds an offset, and the closest that is known.</summary>
    public int PositionOf(long offset)
    {
        var count = Volatile.Read(ref _count);
        var entries = Volatile.Read(ref _entries);
        int low = 0, high = count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle].Offset <= offset) low = middle + 1;
            else high = middle;
        }

        return low == 0 ? 0 : entries[low - 1].Position;
    }

    /// <summary>A position before which no record has that time or a later one.</summary>
    public int PositionOfTime(long timestamp)
    {
        var count = Volatile.Read(ref _count);
        var entries = Volatile.Read(ref _entries);
        var position = 0;
        int low = 0, high = count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            // The entry's greatest time covers its own batch too, so only entries below the time prove anything, up to their batch's start.
            if (entries[middle].MaxTimestamp < timestamp)
            {
                position = entries[middle].Position;
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return position;
    }

    /// <summary>Writes both files; a crash in between leaves files that do not match and are rebuilt.</summary>
    public void Save(IStorage storage, string pathWithoutEnding)
    {
        var count = Volatile.Read(ref _count);
        var entries = Volatile.Read(ref _entries);
        var offsets = new byte[count * OffsetEntrySize];
        var times = new byte[count * TimeEntrySize];
        var timesLength = 0;
        var lastTime = long.MinValue;
        for (var i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(offsets.AsSpan(i * OffsetEntrySize), (int)(entries[i].Offset - baseOffset));
            BinaryPrimitives.WriteInt32BigEndian(offsets.AsSpan((i * OffsetEntrySize) + 4), entries[i].Position);
            if (entries[i].MaxTimestamp <= lastTime) continue;
            lastTime = entries[i].MaxTimestamp;
            BinaryPrimitives.WriteInt64BigEndian(times.AsSpan(timesLength), lastTime);
            BinaryPrimitives.WriteInt32BigEndian(times.AsSpan(timesLength + 8), (int)(entries[i].MaxTimestampOffset - baseOffset));
            timesLength += TimeEntrySize;
        }

        Write(storage, pathWithoutEnding + ".index", offsets);
        Write(storage, pathWithoutEnding + ".timeindex", times.AsSpan(0, timesLength));
    }

    private static void Write(IStorage storage, string path, ReadOnlySpan<byte> bytes)
    {
        using var file = storage.Open(path, create: true);
        file.Write(0, bytes);
    }

    private void Append(Entry entry)
    {
        if (_count == _entries.Length)
        {
            var larger = new Entry[_entries.Length * 2];
            _entries.CopyTo(larger, 0);
            Volatile.Write(ref _entries, larger);
        }

        _entries[_count] = entry;
        Volatile.Write(ref _count, _count + 1);
    }

    private readonly record struct Entry(long Offset, int Position, long MaxTimestamp, long MaxTimestampOffset);
}

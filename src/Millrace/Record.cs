using System.Buffers;

namespace Millrace;

/// <summary>
/// One record as it lies in a fetched buffer: slices, nothing copied. Valid until the <see cref="FetchedRecords"/> it came from is
/// disposed.
/// </summary>
public readonly struct Record
{
    /// <summary>The record's offset in its partition.</summary>
    public required long Offset { get; init; }

    /// <summary>The record's time in milliseconds since the Unix epoch (UTC).</summary>
    public required long Timestamp { get; init; }

    /// <summary>False when the record has no key at all, which differs from an empty one.</summary>
    public required bool HasKey { get; init; }

    /// <summary>The key; empty when there is none.</summary>
    public required ReadOnlyMemory<byte> Key { get; init; }

    /// <summary>False for a tombstone: a null value, which compaction takes as a deletion.</summary>
    public required bool HasValue { get; init; }

    /// <summary>The value; empty when there is none.</summary>
    public required ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The headers in their order.</summary>
    public required RecordHeaders Headers { get; init; }
}

/// <summary>One header: a UTF-8 name and a value that may be null.</summary>
/// <param name="Name">The name as UTF-8.</param>
/// <param name="HasValue">False when the value is null.</param>
/// <param name="Value">The value's bytes.</param>
public readonly record struct RecordHeader(ReadOnlyMemory<byte> Name, bool HasValue, ReadOnlyMemory<byte> Value)
{
    /// <summary>A header with a value.</summary>
    public RecordHeader(string name, ReadOnlyMemory<byte> value)
        : this(System.Text.Encoding.UTF8.GetBytes(name), true, value)
    {
    }

    /// <summary>A header with a UTF-8 text as its value.</summary>
    public RecordHeader(string name, string value)
        : this(name, System.Text.Encoding.UTF8.GetBytes(value))
    {
    }
}

/// <summary>The headers of a record, read in place. A name may occur more than once; the last one is Kafka's "last header".</summary>
/// <param name="count">How many there are.</param>
/// <param name="bytes">Their bytes as in RecordBatch v2.</param>
public readonly struct RecordHeaders(int count, ReadOnlyMemory<byte> bytes)
{
    /// <summary>How many headers there are.</summary>
    public int Count { get; } = count;

    /// <summary>Their bytes as in RecordBatch v2, to be copied unchanged.</summary>
    public ReadOnlyMemory<byte> Bytes { get; } = bytes;

    /// <summary>Finds the last header of that name.</summary>
    /// <returns>False when there is none, or its value is null.</returns>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlyMemory<byte> value)
    {
        value = default;
        var isFound = false;
        foreach (var header in this)
        {
            if (!header.Name.Span.SequenceEqual(name)) continue;
            value = header.Value;
            isFound = header.HasValue;
        }

        return isFound;
    }

    /// <summary>Enumerates the headers without allocating.</summary>
    public Enumerator GetEnumerator() => new(Count, Bytes);

    /// <summary>The cursor over the headers.</summary>
    public struct Enumerator
    {
        private readonly ReadOnlyMemory<byte> _bytes;
        private int _position;
        private int _left;

        internal Enumerator(int count, ReadOnlyMemory<byte> bytes)
        {
            _left = count;
            _bytes = bytes;
        }

        /// <summary>The header at the cursor.</summary>
        public RecordHeader Current { get; private set; }

        /// <summary>Moves on. The bytes were checked when the batch was read.</summary>
        public bool MoveNext()
        {
            if (_left == 0) return false;
            _left--;
            var name = Slice(Varint.Read(_bytes.Span, ref _position));
            var length = Varint.Read(_bytes.Span, ref _position);
            Current = new RecordHeader(name, length >= 0, length >= 0 ? Slice(length) : default);
            return true;
        }

        private ReadOnlyMemory<byte> Slice(long length)
        {
            if (length < 0 || length > _bytes.Length - _position)
                throw new MillraceException(
                    FailureCodes.Corrupt, $"A record header claims {length} bytes where {_bytes.Length - _position} are left.");
            var slice = _bytes.Slice(_position, (int)length);
            _position += (int)length;
            return slice;
        }
    }
}

/// <summary>
/// Records of one partition as the engine read them: whole RecordBatch v2 batches in one pooled buffer. Enumerate once or often; dispose to
/// give the buffer back. Not thread safe, but the records may be read from any thread until disposal.
/// </summary>
public sealed class FetchedRecords : IDisposable
{
    private byte[]? _buffer;
    private readonly bool _isPooled;
    private readonly int _length;

    /// <summary>Takes over a buffer of whole batches.</summary>
    /// <param name="source">The partition that they are of.</param>
    /// <param name="fromOffset">Records below this offset are passed over (a batch may begin earlier than was asked).</param>
    /// <param name="nextOffset">Where the next read begins.</param>
    /// <param name="buffer">The bytes; returned to <see cref="ArrayPool{T}.Shared"/> on disposal when <paramref name="isPooled"/>.</param>
    /// <param name="length">How many of them are used.</param>
    /// <param name="isPooled">Whether the buffer came from the shared pool.</param>
    public FetchedRecords(TopicPartition source, long fromOffset, long nextOffset, byte[] buffer, int length, bool isPooled)
    {
        (Source, FromOffset, NextOffset) = (source, fromOffset, nextOffset);
        (_buffer, _length, _isPooled) = (buffer, length, isPooled);
    }

    /// <summary>The partition that the records are of.</summary>
    public TopicPartition Source { get; }

    /// <summary>The offset that the read began at.</summary>
    public long FromOffset { get; }

    /// <summary>The offset that the next read begins at: the position to commit once these are processed.</summary>
    public long NextOffset { get; }

    /// <summary>The raw batches, exactly as on Kafka's wire.</summary>
    public ReadOnlyMemory<byte> Batches =>
        (_buffer ?? throw new ObjectDisposedException(nameof(FetchedRecords))).AsMemory(0, _length);

    /// <summary>Enumerates the records without allocating. Control batches are passed over.</summary>
    public RecordEnumerator GetEnumerator() => new(Batches, FromOffset);

    /// <summary>Gives the buffer back. No record of it may be touched afterwards.</summary>
    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, null);
        if (buffer is not null && _isPooled) ArrayPool<byte>.Shared.Return(buffer);
    }
}

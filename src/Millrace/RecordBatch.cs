using System.Buffers;
using System.Buffers.Binary;

namespace Millrace;

/// <summary>
/// The 61-byte header of a RecordBatch v2 (Kafka protocol guide, "Record Batch", magic 2). Everything from the attributes on is under the
/// CRC-32C; base offset and leader epoch lie before it, so that a log may stamp them without touching the checksum.
/// </summary>
public readonly record struct RecordBatchHeader
{
    /// <summary>The header's size in bytes.</summary>
    public const int Size = 61;

    internal const int
        BaseOffsetAt = 0, LengthAt = 8, LeaderEpochAt = 12, MagicAt = 16, CrcAt = 17, AttributesAt = 21, LastOffsetDeltaAt = 23,
        BaseTimestampAt = 27, MaxTimestampAt = 35, ProducerIdAt = 43, ProducerEpochAt = 51, BaseSequenceAt = 53, CountAt = 57;

    /// <summary>The offset of the first record.</summary>
    public required long BaseOffset { get; init; }

    /// <summary>The whole batch in bytes, header included.</summary>
    public required int SizeBytes { get; init; }

    /// <summary>The leader epoch that the log stamped.</summary>
    public required int LeaderEpoch { get; init; }

    /// <summary>The stored CRC-32C of everything from the attributes on.</summary>
    public required uint Crc { get; init; }

    /// <summary>Bits: 0-2 compression, 3 timestamp type, 4 transactional, 5 control.</summary>
    public required short Attributes { get; init; }

    /// <summary>The last record's offset less the first one's.</summary>
    public required int LastOffsetDelta { get; init; }

    /// <summary>The first record's time, milliseconds since the Unix epoch.</summary>
    public required long BaseTimestamp { get; init; }

    /// <summary>The greatest time in the batch.</summary>
    public required long MaxTimestamp { get; init; }

    /// <summary>The producer's id, -1 when the producer is not idempotent.</summary>
    public required long ProducerId { get; init; }

    /// <summary>The producer's epoch, -1 when the producer is not idempotent.</summary>
    public required short ProducerEpoch { get; init; }

    /// <summary>The first record's sequence number, -1 when the producer is not idempotent.</summary>
    public required int BaseSequence { get; init; }

    /// <summary>How many records there are.</summary>
    public required int Count { get; init; }

    /// <summary>The offset after the last record.</summary>
    public long NextOffset => BaseOffset + LastOffsetDelta + 1;

    /// <summary>True for a control batch (a transaction marker), which holds no user records.</summary>
    public bool IsControl => (Attributes & 0x20) != 0;

    /// <summary>Reads the header of the batch at the start of the bytes; false when they do not hold one whole batch.</summary>
    /// <exception cref="MillraceException">The magic is not 2 or a length is impossible (<see cref="FailureCodes.Corrupt"/>).</exception>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out RecordBatchHeader header) =>
        TryReadAlone(bytes, out header) && header.SizeBytes <= bytes.Length;

    /// <summary>Reads the header even when the batch's records are not all there; false when the header itself is cut off.</summary>
    /// <exception cref="MillraceException">The magic is not 2 or a length is impossible (<see cref="FailureCodes.Corrupt"/>).</exception>
    public static bool TryReadAlone(ReadOnlySpan<byte> bytes, out RecordBatchHeader header)
    {
        header = default;
        if (bytes.Length < Size) return false;
        var length = BinaryPrimitives.ReadInt32BigEndian(bytes[LengthAt..]);
        if (length is < Size - 12 or > int.MaxValue - 12 || bytes[MagicAt] != 2)
            throw new MillraceException(FailureCodes.Corrupt, $"Not a RecordBatch v2: length {length}, magic {bytes[MagicAt]}.");
        header = new RecordBatchHeader
        {
            BaseOffset = BinaryPrimitives.ReadInt64BigEndian(bytes),
            SizeBytes = length + 12,
            LeaderEpoch = BinaryPrimitives.ReadInt32BigEndian(bytes[LeaderEpochAt..]),
            Crc = BinaryPrimitives.ReadUInt32BigEndian(bytes[CrcAt..]),
            Attributes = BinaryPrimitives.ReadInt16BigEndian(bytes[AttributesAt..]),
            LastOffsetDelta = BinaryPrimitives.ReadInt32BigEndian(bytes[LastOffsetDeltaAt..]),
            BaseTimestamp = BinaryPrimitives.ReadInt64BigEndian(bytes[BaseTimestampAt..]),
            MaxTimestamp = BinaryPrimitives.ReadInt64BigEndian(bytes[MaxTimestampAt..]),
            ProducerId = BinaryPrimitives.ReadInt64BigEndian(bytes[ProducerIdAt..]),
            ProducerEpoch = BinaryPrimitives.ReadInt16BigEndian(bytes[ProducerEpochAt..]),
            BaseSequence = BinaryPrimitives.ReadInt32BigEndian(bytes[BaseSequenceAt..]),
            Count = BinaryPrimitives.ReadInt32BigEndian(bytes[CountAt..]),
        };
        return true;
    }

    /// <summary>True when the stored CRC-32C matches the batch at the start of the bytes, which must be whole.</summary>
    public bool IsIntact(ReadOnlySpan<byte> batch) => Crc32C.Of(batch[AttributesAt..SizeBytes]) == Crc;

    /// <summary>Stamps what lies outside the checksum.</summary>
    public static void Stamp(Span<byte> batch, long baseOffset, int leaderEpoch)
    {
        BinaryPrimitives.WriteInt64BigEndian(batch, baseOffset);
        BinaryPrimitives.WriteInt32BigEndian(batch[LeaderEpochAt..], leaderEpoch);
    }
}

/// <summary>
/// Builds one RecordBatch v2 in a pooled buffer, on the caller's thread: add records, complete, hand over, dispose. Hot path: one copy, no
/// allocation per record. Not thread safe.
/// </summary>
public sealed class RecordBatchBuilder : IDisposable
{
    internal const int SizeHintDefault = 4096;

    private byte[] _buffer;
    private int _length = RecordBatchHeader.Size;
    private long _baseTimestamp;
    private long _maxTimestamp;
    private int _nextDelta; // the next record's offset less the first one's

    /// <summary>Starts an empty batch.</summary>
    /// <param name="sizeHint">How many bytes to begin with; the buffer grows as needed.</param>
    public RecordBatchBuilder(int sizeHint = SizeHintDefault) => _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(sizeHint, 256));

    /// <summary>How many records were added.</summary>
    public int Count { get; private set; }

    /// <summary>How large the batch is now, header included.</summary>
    public int SizeBytes => _length;

    /// <summary>The timestamp of the last record is the greatest; whoever batches by time asks for this.</summary>
    public long MaxTimestamp => _maxTimestamp;

    /// <summary>Adds a record with its headers written by name and value.</summary>
    /// <param name="timestamp">Milliseconds since the Unix epoch.</param>
    /// <param name="hasKey">False for a null key.</param>
    /// <param name="key">The key.</param>
    /// <param name="hasValue">False for a null value (tombstone).</param>
    /// <param name="value">The value.</param>
    /// <param name="headers">The headers in order.</param>
    public void Add(
        long timestamp, bool hasKey, ReadOnlySpan<byte> key, bool hasValue, ReadOnlySpan<byte> value,
        params ReadOnlySpan<RecordHeader> headers)
    {
        var headerBytes = 0;
        foreach (var header in headers)
        {
            headerBytes += Varint.SizeOf(header.Name.Length) + header.Name.Length
                + Varint.SizeOf(header.HasValue ? header.Value.Length : -1) + (header.HasValue ? header.Value.Length : 0);
        }

        Begin(timestamp, hasKey, key, hasValue, value, headers.Length, headerBytes);
        foreach (var header in headers)
        {
            Varint.Write(_buffer, ref _length, header.Name.Length);
            Copy(header.Name.Span);
            Varint.Write(_buffer, ref _length, header.HasValue ? header.Value.Length : -1);
            if (header.HasValue) Copy(header.Value.Span);
        }
    }

    /// <summary>Adds a record with headers copied as they lie in another batch.</summary>
    public void Add(long timestamp, bool hasKey, ReadOnlySpan<byte> key, bool hasValue, ReadOnlySpan<byte> value, RecordHeaders headers)
    {
        Begin(timestamp, hasKey, key, hasValue, value, headers.Count, headers.Bytes.Length);
        Copy(headers.Bytes.Span);
    }

    /// <summary>Adds a record with a key and a value and nothing else.</summary>
    public void Add(long timestamp, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        Add(timestamp, true, key, true, value, ReadOnlySpan<RecordHeader>.Empty);

    /// <summary>
    /// Leaves offsets out before the next record, as compaction and the markers of transactions do. Only who copies what a log holds needs
    /// it; an engine refuses to append such a batch.
    /// </summary>
    /// <param name="offsets">How many; not negative.</param>
    /// <exception cref="InvalidOperationException">No record was added: a batch begins with a record.</exception>
    public void Skip(int offsets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offsets);
        if (Count == 0) throw new InvalidOperationException("A batch begins with a record; its base offset says where.");
        _nextDelta = checked(_nextDelta + offsets);
    }

    /// <summary>
    /// Completes the batch as one that was read, at an offset, and hands its buffer over without a copy. The builder is disposed by it.
    /// </summary>
    /// <param name="source">The partition that the records are of.</param>
    /// <param name="baseOffset">The first record's offset.</param>
    /// <param name="nextOffset">Where the next read begins: beyond the last record, and beyond whatever lies there that is no
    /// record.</param>
    /// <param name="leaderEpoch">The leader epoch of the records, 0 where it is not known.</param>
    /// <param name="fromOffset">The offset that the read began at, if that is not the first record's.</param>
    /// <exception cref="InvalidOperationException">No record was added.</exception>
    public FetchedRecords ToFetched(
        TopicPartition source, long baseOffset, long nextOffset, int leaderEpoch = 0, long? fromOffset = null)
    {
        RecordBatchHeader.Stamp(Complete().Span, baseOffset, leaderEpoch);
        return new FetchedRecords(
            source, fromOffset ?? baseOffset, nextOffset, Interlocked.Exchange(ref _buffer, []), _length, isPooled: true);
    }

    /// <summary>
    /// Writes header and checksum. The memory is valid until <see cref="Clear"/> or disposal; its base offset is 0 until a log stamps it.
    /// </summary>
    /// <param name="producerId">The idempotent producer's id, or -1.</param>
    /// <param name="producerEpoch">Its epoch, or -1.</param>
    /// <param name="baseSequence">The first record's sequence, or -1.</param>
    /// <exception cref="InvalidOperationException">No record was added.</exception>
    public Memory<byte> Complete(long producerId = -1, short producerEpoch = -1, int baseSequence = -1)
    {
        if (Count == 0) throw new InvalidOperationException("A batch needs at least one record.");
        var span = _buffer.AsSpan(0, _length);
        RecordBatchHeader.Stamp(span, 0, 0);
        BinaryPrimitives.WriteInt32BigEndian(span[RecordBatchHeader.LengthAt..], _length - 12);
        span[RecordBatchHeader.MagicAt] = 2;
        BinaryPrimitives.WriteInt16BigEndian(span[RecordBatchHeader.AttributesAt..], 0);
        BinaryPrimitives.WriteInt32BigEndian(span[RecordBatchHeader.LastOffsetDeltaAt..], _nextDelta - 1);
        BinaryPrimitives.WriteInt64BigEndian(span[RecordBatchHeader.BaseTimestampAt..], _baseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(span[RecordBatchHeader.MaxTimestampAt..], _maxTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(span[RecordBatchHeader.ProducerIdAt..], producerId);
        BinaryPrimitives.WriteInt16BigEndian(span[RecordBatchHeader.ProducerEpochAt..], producerEpoch);
        BinaryPrimitives.WriteInt32BigEndian(span[RecordBatchHeader.BaseSequenceAt..], baseSequence);
        BinaryPrimitives.WriteInt32BigEndian(span[RecordBatchHeader.CountAt..], Count);
        BinaryPrimitives.WriteUInt32BigEndian(span[RecordBatchHeader.CrcAt..], Crc32C.Of(span[RecordBatchHeader.AttributesAt..]));
        return _buffer.AsMemory(0, _length);
    }

    /// <summary>Starts again with an empty batch in the same buffer.</summary>
    public void Clear() => (_length, _nextDelta, Count) = (RecordBatchHeader.Size, 0, 0);

    /// <summary>Gives the buffer back.</summary>
    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Begin(
        long timestamp, bool hasKey, ReadOnlySpan<byte> key, bool hasValue, ReadOnlySpan<byte> value, int headerCount, int headerBytes)
    {
        if (Count == 0) (_baseTimestamp, _maxTimestamp) = (timestamp, timestamp);
        _maxTimestamp = Math.Max(_maxTimestamp, timestamp);
        var keyLength = hasKey ? key.Length : -1;
        var valueLength = hasValue ? value.Length : -1;
        var delta = timestamp - _baseTimestamp;
        var body = 1 + Varint.SizeOf(delta) + Varint.SizeOf(_nextDelta) + Varint.SizeOf(keyLength) + Math.Max(keyLength, 0)
            + Varint.SizeOf(valueLength) + Math.Max(valueLength, 0) + Varint.SizeOf(headerCount) + headerBytes;
        Reserve(Varint.SizeOf(body) + body);

        Varint.Write(_buffer, ref _length, body);
        _buffer[_length++] = 0;
        Varint.Write(_buffer, ref _length, delta);
        Varint.Write(_buffer, ref _length, _nextDelta);
        Varint.Write(_buffer, ref _length, keyLength);
        if (hasKey) Copy(key);
        Varint.Write(_buffer, ref _length, valueLength);
        if (hasValue) Copy(value);
        Varint.Write(_buffer, ref _length, headerCount);
        _nextDelta++;
        Count++;
    }

    private void Copy(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    private void Reserve(int more)
    {
        ObjectDisposedException.ThrowIf(_buffer.Length == 0, this);
        if (_buffer.Length - _length >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(_length + more), _buffer.Length * 2));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}

/// <summary>A cursor over the records of consecutive whole batches. Lengths are checked as it goes; nothing is allocated.</summary>
public struct RecordEnumerator
{
    private readonly ReadOnlyMemory<byte> _batches;
    private readonly long _fromOffset;
    private RecordBatchHeader _batch;
    private int _next;
    private int _position;
    private int _left;

    /// <summary>Starts before the first record at or after an offset.</summary>
    public RecordEnumerator(ReadOnlyMemory<byte> batches, long fromOffset)
    {
        _batches = batches;
        _fromOffset = fromOffset;
    }

    /// <summary>The record at the cursor.</summary>
    public Record Current { get; private set; }

    /// <summary>Moves on.</summary>
    /// <exception cref="MillraceException">The bytes are not what their lengths say, or are compressed in a way this version cannot
    /// read.</exception>
    public bool MoveNext()
    {
        while (true)
        {
            if (_left == 0 && !NextBatch()) return false;
            if (_left == 0) continue;
            ReadRecord();
            if (Current.Offset >= _fromOffset) return true;
        }
    }

    private bool NextBatch()
    {
        if (_next >= _batches.Length) return false;
        if (!RecordBatchHeader.TryRead(_batches.Span[_next..], out _batch))
            throw new MillraceException(FailureCodes.Corrupt, $"A fetched batch is cut off at byte {_next} of {_batches.Length}.");
        if ((_batch.Attributes & 0x07) != 0)
            throw new MillraceException(
                FailureCodes.NotSupported, $"The batch at offset {_batch.BaseOffset} is compressed, which this version does not read.");
        _position = _next + RecordBatchHeader.Size;
        _next += _batch.SizeBytes;
        _left = _batch.IsControl || _batch.NextOffset <= _fromOffset ? 0 : _batch.Count;
        return true;
    }

    private void ReadRecord()
    {
        var span = _batches.Span[.._next];
        var length = Varint.Read(span, ref _position);
        if (length < 0 || length > span.Length - _position) throw Cut("a record", length);
        var end = _position + (int)length;
        span = span[..end];
        _position++;
        var timestampDelta = Varint.Read(span, ref _position);
        var offsetDelta = Varint.Read(span, ref _position);
        var key = Slice(span, out var hasKey);
        var value = Slice(span, out var hasValue);
        var headerCount = Varint.Read(span, ref _position);
        if (headerCount < 0 || headerCount > end - _position) throw Cut("the headers", headerCount);
        Current = new Record
        {
            Offset = _batch.BaseOffset + offsetDelta,
            Timestamp = _batch.BaseTimestamp + timestampDelta,
            HasKey = hasKey,
            Key = key,
            HasValue = hasValue,
            Value = value,
            Headers = new RecordHeaders((int)headerCount, _batches[_position..end]),
        };
        _position = end;
        _left--;
    }

    private ReadOnlyMemory<byte> Slice(ReadOnlySpan<byte> record, out bool isPresent)
    {
        var length = Varint.Read(record, ref _position);
        isPresent = length >= 0;
        if (!isPresent) return default;
        if (length > record.Length - _position) throw Cut("a field", length);
        var slice = _batches.Slice(_position, (int)length);
        _position += (int)length;
        return slice;
    }

    private readonly MillraceException Cut(string what, long length) => new(
        FailureCodes.Corrupt, $"In the batch at offset {_batch.BaseOffset}, {what} claims {length}, which is more than there is.");
}

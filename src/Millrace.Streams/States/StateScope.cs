using System.Buffers;
using System.Buffers.Binary;

namespace Millrace.Streams.States;

/// <summary>Where operators keep their state: stores of bytes by key.</summary>
internal abstract class StateScope
{
    private const int PageEntries = 1_000;

    public abstract void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    public abstract void Delete(string store, ReadOnlySpan<byte> key);

    public abstract bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value);

    /// <summary>Entries of a range, ordered by key bytes; fewer than it wants only when there are no more.</summary>
    public abstract IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range);

    /// <summary>Every entry, ordered by key bytes.</summary>
    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store) => Scan(store, StateRange.All);

    /// <summary>The entries of a range page by page, as they are when their page comes: for more than fits in memory.</summary>
    public IEnumerable<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Walk(string store, StateRange range)
    {
        for (var left = range with { EntriesMax = PageEntries }; ;)
        {
            var page = Scan(store, left);
            foreach (var entry in page) yield return entry;
            if (page.Count < PageEntries) yield break;
            left = left.After(page[^1].Key.Span);
        }
    }
}

/// <summary>An operator that keeps something. What it saved comes back in the same order of records, timers and results.</summary>
internal interface IStatefulOperator
{
    OperatorCounts Counts { get; }

    /// <summary>Entries of state now.</summary>
    int Entries { get; }

    long Watermark { get; }

    /// <summary>How far event time has to come for the next result or the next end; the end of time when nothing waits for it.</summary>
    long WaitsFor => long.MaxValue;

    /// <summary>Of an output: how many records it has written in all its commits, over restarts.</summary>
    long Written => 0;

    /// <summary>About how many bytes its entries have as they are stored, by those that it has written or read so far.</summary>
    long EntryBytes => 0;

    /// <summary>About how many of those bytes are in memory.</summary>
    long MemoryBytes => EntryBytes;

    /// <summary>The channels that its watermark is made of; none when it takes the watermark that it is given.</summary>
    ChannelStatus[] ShowChannels() => [];

    void Restore(StateScope scope);

    /// <summary>Writes what changed since the last time.</summary>
    void Save(StateScope scope);
}

/// <summary>An operator for which processing time matters.</summary>
internal interface IClockedOperator
{
    /// <summary>When it waits for the clock next; the end of time when it does not.</summary>
    long NextDue { get; }

    /// <summary>Processing time has come to a moment.</summary>
    void AdvanceClock(long now);
}

internal sealed class OperatorCounts
{
    public long In;
    public long Out;
    public long Late;
    public long LateWindows;
    public long Keyless;
    public long Unassigned;
    public long Retried;
    public long Held;
}

/// <summary>
/// Writes and reads the fields of keys and values, most significant byte first; signed numbers so that their bytes sort as they do.
/// </summary>
internal static class StateBytes
{
    public static void WriteOrdered(this IBufferWriter<byte> output, long value)
    {
        WriteOrdered(output.GetSpan(8), value);
        output.Advance(8);
    }

    public static void WriteOrdered(Span<byte> output, long value) =>
        BinaryPrimitives.WriteUInt64BigEndian(output, (ulong)value ^ (1UL << 63));

    public static void WriteInt32(this IBufferWriter<byte> output, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(output.GetSpan(4), value);
        output.Advance(4);
    }

    public static void WriteByte(this IBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    public static long ReadOrdered(ref ReadOnlySpan<byte> bytes)
    {
        var value = (long)(BinaryPrimitives.ReadUInt64BigEndian(bytes) ^ (1UL << 63));
        bytes = bytes[8..];
        return value;
    }

    public static int ReadInt32(ref ReadOnlySpan<byte> bytes)
    {
        var value = BinaryPrimitives.ReadInt32BigEndian(bytes);
        bytes = bytes[4..];
        return value;
    }

    public static byte ReadByte(ref ReadOnlySpan<byte> bytes)
    {
        var value = bytes[0];
        bytes = bytes[1..];
        return value;
    }

    /// <summary>Bytes that have their number before them, as <see cref="SizedWriter"/> writes them.</summary>
    public static ReadOnlySpan<byte> ReadSized(ref ReadOnlySpan<byte> bytes)
    {
        var length = ReadInt32(ref bytes);
        var sized = bytes[..length];
        bytes = bytes[length..];
        return sized;
    }
}

/// <summary>Writes values with the number of their bytes (4) before them, so that something may follow. Not thread safe.</summary>
internal sealed class SizedWriter
{
    private readonly ArrayBufferWriter<byte> _one = new();

    public void Write<T>(StateCodec<T> codec, T value, IBufferWriter<byte> output)
    {
        _one.ResetWrittenCount();
        codec.Write(value, _one);
        output.WriteInt32(_one.WrittenCount);
        output.Write(_one.WrittenSpan);
    }
}

/// <summary>About how many bytes entries have as they are stored, by the mean of those that were written or read so far.</summary>
internal struct MeanBytes
{
    private long _bytes;
    private long _entries;

    public void See(int bytes)
    {
        _bytes += bytes;
        _entries++;
    }

    public readonly long Of(long entries) => _entries == 0 ? 0 : (long)((double)_bytes / _entries * entries);
}

/// <summary>
/// The head of an operator's store, under the empty key: what kind of operator wrote it, the format, the version of the keys' codec, and
/// a number, as the watermark, and how many entries there are where that is kept. State of another kind of operator or other keys is
/// refused.
/// </summary>
internal sealed class StoreHead(string store, byte kind, int keyVersion)
{
    /// <summary>Stands for a number of entries that is not kept.</summary>
    public const long Uncounted = -1;

    /// <summary>What a store has besides.</summary>
    public static StateRange Behind { get; } = StateRange.All.After([]);

    private const byte Format = 2;
    private const int Length = 22;

    private readonly ArrayBufferWriter<byte> _buffer = new(Length);
    private (long Number, long Entries)? _saved;

    public void Save(StateScope scope, long number, long entries = Uncounted)
    {
        if (_saved == (number, entries)) return;
        _buffer.ResetWrittenCount();
        _buffer.WriteByte(Format);
        _buffer.WriteByte(kind);
        _buffer.WriteInt32(keyVersion);
        _buffer.WriteOrdered(number);
        _buffer.WriteOrdered(entries);
        scope.Put(store, [], _buffer.WrittenSpan);
        _saved = (number, entries);
    }

    /// <summary>The number and how many entries there are, of a store that was saved before.</summary>
    public (long Number, long Entries)? Find(StateScope scope)
    {
        if (!scope.TryGet(store, [], out var head)) return null;
        Read(head.Span);
        return _saved;
    }

    /// <summary>Returns the number.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.UnknownVersion"/>, <see cref="FailureCodes.DataMismatch"/>.</exception>
    public long Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 0 && bytes[0] != Format)
        {
            throw new MillraceException(
                FailureCodes.UnknownVersion, $"State '{store}' has format {bytes[0]}; this program reads {Format}.");
        }

        if (bytes.Length != Length)
            throw new MillraceException(FailureCodes.DataMismatch,
                $"State '{store}' begins with {bytes.Length} bytes instead of {Length}.");
        StateBytes.ReadByte(ref bytes);
        var writer = StateBytes.ReadByte(ref bytes);
        if (writer != kind)
        {
            throw new MillraceException(FailureCodes.DataMismatch,
                $"State '{store}' was written by an operator of kind {writer} and is to be read by "
                + $"kind {kind}: the topology's operators have changed places.");
        }

        var version = StateBytes.ReadInt32(ref bytes);
        if (version != keyVersion)
        {
            throw new MillraceException(FailureCodes.UnknownVersion,
                $"State '{store}' has keys of version {version}, "
                    + $"and the codec of keys writes version {keyVersion}: keys cannot be read by an upcaster.");
        }

        var number = StateBytes.ReadOrdered(ref bytes);
        _saved = (number, StateBytes.ReadOrdered(ref bytes));
        return number;
    }
}

/// <summary>Orders byte arrays as stores do.</summary>
internal sealed class ByBytes : IComparer<byte[]>
{
    public static ByBytes Comparer { get; } = new();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}

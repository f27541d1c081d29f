using System.Buffers;
using System.Buffers.Binary;

namespace Millrace.Streams.States;

/// <summary>Where operators keep their state: stores of bytes by key.</summary>
internal abstract class StateScope
{
    public abstract void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    public abstract void Delete(string store, ReadOnlySpan<byte> key);

    /// <summary>Every entry, ordered by key bytes.</summary>
    public abstract IEnumerable<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store);
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
        BinaryPrimitives.WriteUInt64BigEndian(output.GetSpan(8), (ulong)value ^ (1UL << 63));
        output.Advance(8);
    }

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
}

/// <summary>
/// The head of an operator's store, under the empty key: what kind of operator wrote it, the format, the version of the keys' codec, and
/// the watermark. State of another kind of operator or other keys is refused.
/// </summary>
internal sealed class StoreHead(string store, byte kind, int keyVersion)
{
    private const byte Format = 1;
    private const int Length = 14;

    private readonly ArrayBufferWriter<byte> _buffer = new(Length);
    private long? _saved;

    public void Save(StateScope scope, long watermark)
    {
        if (_saved == watermark) return;
        _buffer.ResetWrittenCount();
        _buffer.WriteByte(Format);
        _buffer.WriteByte(kind);
        _buffer.WriteInt32(keyVersion);
        _buffer.WriteOrdered(watermark);
        scope.Put(store, [], _buffer.WrittenSpan);
        _saved = watermark;
    }

    /// <summary>Returns the watermark.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.UnknownVersion"/>, <see cref="FailureCodes.DataMismatch"/>.</exception>
    public long Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
            throw new MillraceException(FailureCodes.DataMismatch,
                $"State '{store}' begins with {bytes.Length} bytes instead of {Length}.");
        var format = StateBytes.ReadByte(ref bytes);
        if (format != Format)
            throw new MillraceException(FailureCodes.UnknownVersion, $"State '{store}' has format {format}; this program reads {Format}.");
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

        var watermark = StateBytes.ReadOrdered(ref bytes);
        _saved = watermark;
        return watermark;
    }
}

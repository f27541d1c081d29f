using System.Buffers.Binary;
using System.Text;

namespace Millrace.Log.Journal;

/// <summary>Reads what <see cref="ByteWriter"/> wrote. Every length is checked against what is left before anything is allocated.</summary>
/// <param name="bytes">The bytes.</param>
/// <param name="origin">What they are, for messages.</param>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes, string origin)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _position;

    public readonly bool IsAtEnd => _position == _bytes.Length;

    public byte Byte() => Next(1)[0];

    public short Int16() => BinaryPrimitives.ReadInt16LittleEndian(Next(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Next(4));

    /// <summary>Reads a number if it is that one.</summary>
    public bool TryInt32(int expected)
    {
        if (_position + 4 > _bytes.Length || BinaryPrimitives.ReadInt32LittleEndian(_bytes[_position..]) != expected) return false;
        _position += 4;
        return true;
    }

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Next(8));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Next(8));

    public Guid Guid() => new(Next(16));

    public ReadOnlySpan<byte> Bytes() => Next(Int32());

    public string Text() => Encoding.UTF8.GetString(Bytes());

    /// <summary>A count of things that take at least so many bytes each.</summary>
    public int Count(int bytesEach)
    {
        var count = Int32();
        if (count < 0 || (long)count * bytesEach > _bytes.Length - _position) throw Cut($"{count} entries", _position);
        return count;
    }

    private ReadOnlySpan<byte> Next(int size)
    {
        if (size < 0 || size > _bytes.Length - _position) throw Cut($"{size} bytes", _position);
        var next = _bytes.Slice(_position, size);
        _position += size;
        return next;
    }

    private readonly MillraceException Cut(string what, int at) => new(
        FailureCodes.Corrupt, $"{origin}: {what} are claimed at byte {at} of {_bytes.Length}. The checksum was right, so this is a " +
            "defect or a newer format.");
}

using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Millrace.Log.Journal;

/// <summary>A growing buffer of little-endian fields. Not thread safe; the buffer is pooled and owned here. Hot path.</summary>
internal sealed class ByteWriter(int sizeHint) : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(sizeHint);

    public int Length { get; private set; }

    public Span<byte> Written => _buffer.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Takes back what was written after a length.</summary>
    public void Cut(int length) => Length = length;

    public void Byte(byte value) => Next(1)[0] = value;

    public void Int16(short value) => BinaryPrimitives.WriteInt16LittleEndian(Next(2), value);

    public void Int32(int value) => BinaryPrimitives.WriteInt32LittleEndian(Next(4), value);

    public void Int64(long value) => BinaryPrimitives.WriteInt64LittleEndian(Next(8), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Next(8), value);

    public void Guid(Guid value) => value.TryWriteBytes(Next(16));

    /// <summary>A length of 32 bits and the bytes.</summary>
    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Int32(bytes.Length);
        bytes.CopyTo(Next(bytes.Length));
    }

    /// <summary>A length of 32 bits and the text as UTF-8.</summary>
    public void Text(string text)
    {
        var size = Encoding.UTF8.GetByteCount(text);
        Int32(size);
        Encoding.UTF8.GetBytes(text, Next(size));
    }

    /// <summary>Room for bytes that the caller fills.</summary>
    public Span<byte> Next(int size)
    {
        if (_buffer.Length - Length < size)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(Length + size), checked(_buffer.Length * 2)));
            Written.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        var next = _buffer.AsSpan(Length, size);
        Length += size;
        return next;
    }

    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, []);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
    }
}

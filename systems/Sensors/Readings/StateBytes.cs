using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Sensors.Readings;

/// <summary>
/// Writes what is kept of a device: numbers of 8 bytes, most significant first, texts as UTF-8 behind their length in a byte. Names are
/// short enough for that (<see cref="SensorLimits.NameLengthMax"/>).
/// </summary>
/// <param name="output">Where to.</param>
/// <param name="bytesMax">The most that is written.</param>
internal ref struct StateBytesWriter(IBufferWriter<byte> output, int bytesMax)
{
    /// <summary>The most bytes that a name takes.</summary>
    public const int TextBytesMax = 1 + (SensorLimits.NameLengthMax * 3);

    private readonly Span<byte> _bytes = output.GetSpan(bytesMax);
    private int _at;

    public void Put(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(_bytes[_at..], value);
        _at += 8;
    }

    public void Put(double value) => Put(BitConverter.DoubleToInt64Bits(value));

    public void Put(string text)
    {
        var length = Encoding.UTF8.GetBytes(text, _bytes[(_at + 1)..]);
        _bytes[_at] = checked((byte)length);
        _at += 1 + length;
    }

    /// <summary>Hands over what was written.</summary>
    public readonly void Close() => output.Advance(_at);
}

/// <summary>Reads what <see cref="StateBytesWriter"/> wrote.</summary>
internal ref struct StateBytesReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>What has not been read yet.</summary>
    public ReadOnlySpan<byte> Rest { get; private set; } = bytes;

    public long Whole()
    {
        var value = BinaryPrimitives.ReadInt64BigEndian(Rest);
        Rest = Rest[8..];
        return value;
    }

    public double Real() => BitConverter.Int64BitsToDouble(Whole());

    public string Text()
    {
        var length = Rest[0];
        var text = Encoding.UTF8.GetString(Rest.Slice(1, length));
        Rest = Rest[(1 + length)..];
        return text;
    }
}

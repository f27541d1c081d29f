namespace Millrace;

/// <summary>Zigzag base-128 numbers as in RecordBatch v2 (they are Protocol Buffers' sint64).</summary>
internal static class Varint
{
    private const int BytesMax = 10;

    public static int SizeOf(long value)
    {
        var rest = Zigzag(value);
        var size = 1;
        while (rest >= 0x80)
        {
            rest >>= 7;
            size++;
        }

        return size;
    }

    public static void Write(Span<byte> buffer, ref int position, long value)
    {
        var rest = Zigzag(value);
        while (rest >= 0x80)
        {
            buffer[position++] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        buffer[position++] = (byte)rest;
    }

    public static long Read(ReadOnlySpan<byte> bytes, ref int position)
    {
        ulong value = 0;
        for (var i = 0; i < BytesMax; i++)
        {
            if ((uint)position >= (uint)bytes.Length) break;
            var part = bytes[position++];
            value |= (ulong)(part & 0x7f) << (7 * i);
            if (part < 0x80) return (long)(value >> 1) ^ -(long)(value & 1);
        }

        throw new MillraceException(FailureCodes.Corrupt, $"A number of variable length is cut off or too long at byte {position}.");
    }

    private static ulong Zigzag(long value) => (ulong)((value << 1) ^ (value >> 63));
}

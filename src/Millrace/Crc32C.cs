using System.Buffers.Binary;
using System.Numerics;

namespace Millrace;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) as in RecordBatch v2. Uses the processor's instruction where there is one. Thread safe.
/// </summary>
public static class Crc32C
{
    /// <summary>The checksum of the bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>Goes on with a checksum over more bytes: <c>Append(Of(a), b) == Of(a + b)</c>.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        var state = ~crc;
        while (bytes.Length >= 8)
        {
            state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes) state = BitOperations.Crc32C(state, b);
        return ~state;
    }
}

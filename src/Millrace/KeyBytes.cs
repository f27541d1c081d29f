using System.Buffers.Binary;

namespace Millrace;

/// <summary>
/// Compares the keys of dictionaries by their bytes, and looks them up by a span without a copy. Its hash is the same in every process, so
/// that a run can be repeated, and for dictionaries only. Thread safe.
/// </summary>
public sealed class KeyBytes : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    private const ulong Multiplier = 0x9E3779B97F4A7C15;

    /// <summary>The comparer.</summary>
    public static KeyBytes Comparer { get; } = new();

    private KeyBytes()
    {
    }

    /// <inheritdoc/>
    public bool Equals(byte[]? x, byte[]? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.AsSpan().SequenceEqual(y));

    /// <inheritdoc/>
    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    /// <inheritdoc/>
    public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

    /// <summary>Multiply and fold, eight bytes at a time (the constant is the 64-bit golden ratio, Knuth 6.4).</summary>
    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        var hash = (ulong)alternate.Length * Multiplier;
        while (alternate.Length >= 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(alternate));
            alternate = alternate[8..];
        }

        ulong rest = 0;
        foreach (var one in alternate) rest = (rest << 8) | one;
        hash = Fold(hash ^ rest);
        return (int)(hash ^ (hash >> 32));
    }

    /// <inheritdoc/>
    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

    private static ulong Fold(ulong value)
    {
        var high = Math.BigMul(value, Multiplier, out var low);
        return high ^ low;
    }
}

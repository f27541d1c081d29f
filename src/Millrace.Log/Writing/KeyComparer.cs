using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Millrace.Log.Writing;

/// <summary>Compares keys by their bytes, also spans against kept arrays without copying. The hash never leaves the process.</summary>
internal sealed class KeyComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly KeyComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

    /// <summary>Multiply and fold, eight bytes at a time (the constant is the 64-bit golden ratio, Knuth 6.4).</summary>
    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        var hash = (ulong)alternate.Length * Multiplier;
        while (alternate.Length >= 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(alternate));
            alternate = alternate[8..];
        }

        ulong rest = 0;
        foreach (var b in alternate) rest = (rest << 8) | b;
        hash = Fold(hash ^ rest);
        return (int)(hash ^ (hash >> 32));

        static ulong Fold(ulong value)
        {
            var high = Math.BigMul(value, Multiplier, out var low);
            return high ^ low;
        }
    }
}

namespace Millrace;

/// <summary>
/// Keys of dictionaries by their bytes, looked up by a span without a copy. Murmur2 is the same in every process, so that a run can be
/// repeated.
/// </summary>
internal sealed class KeyBytes : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly KeyBytes Comparer = new();

    private KeyBytes()
    {
    }

    public bool Equals(byte[]? x, byte[]? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.AsSpan().SequenceEqual(y));

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] key) => (int)Partitioner.Murmur2(key);

    public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)Partitioner.Murmur2(alternate);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}

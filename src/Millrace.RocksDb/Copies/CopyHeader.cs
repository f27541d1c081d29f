using System.Buffers.Binary;

namespace Millrace.RocksDb.Copies;

/// <summary>
/// What a copy says of itself, under a key of the same column family as the state, so that one write moves both: the version of the format,
/// the changelog that it is a copy of, and the position up to which it is one.
/// </summary>
internal readonly record struct CopyHeader(Guid ChangelogId, long Position)
{
    public const int Version = 1, Length = PositionAt + sizeof(long);

    private const int VersionAt = 0, ChangelogAt = 2, PositionAt = ChangelogAt + 16;

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt16BigEndian(target[VersionAt..], Version);
        ChangelogId.TryWriteBytes(target[ChangelogAt..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(target[PositionAt..], Position);
    }

    public static bool IsOfAnotherVersion(ReadOnlySpan<byte> stored) =>
        stored.Length >= ChangelogAt && BinaryPrimitives.ReadUInt16BigEndian(stored[VersionAt..]) != Version;

    /// <summary>Reads a header, or says why it cannot be read.</summary>
    public static (CopyHeader Header, string? Complaint) Read(ReadOnlySpan<byte> stored)
    {
        if (stored.Length < ChangelogAt) return (default, $"its header has {stored.Length} bytes");
        var version = BinaryPrimitives.ReadUInt16BigEndian(stored[VersionAt..]);
        if (version != Version) return (default, $"it has the format's version {version}, and {Version} is the one known here");
        if (stored.Length != Length) return (default, $"its header has {stored.Length} bytes");
        var header = new CopyHeader(
            new Guid(stored[ChangelogAt..PositionAt], bigEndian: true), BinaryPrimitives.ReadInt64BigEndian(stored[PositionAt..]));
        return header.Position < 0 ? (default, $"its position is {header.Position}") : (header, null);
    }
}

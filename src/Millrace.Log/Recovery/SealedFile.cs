using System.Buffers.Binary;
using Millrace.Log.Journal;

namespace Millrace.Log.Recovery;

/// <summary>A small file that is written once, whole, with a checksum over everything; FORMAT.md, "Checkpoint and state files".</summary>
internal static class SealedFile
{
    public const int HeaderSize = 24;

    private const ulong Magic = 0x504B48434C4C494D; // "MILLCHKP"
    private const int VersionMax = 2;
    private const int VersionAt = 8, LengthAt = 12, CrcAt = 20;

    /// <summary>Leaves room for the header; the content follows, in a layout of that version.</summary>
    public static ByteWriter Begin(int version = 1)
    {
        var content = new ByteWriter(4096);
        var header = content.Next(HeaderSize);
        header.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(header[VersionAt..], version);
        return content;
    }

    /// <summary>Fills in the header, writes the file and syncs it. Its name is durable after the directory's sync.</summary>
    public static void Write(IStorage storage, string path, ByteWriter content)
    {
        var bytes = content.Written;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[LengthAt..], bytes.Length - HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[CrcAt..], Checksum(bytes));
        using var file = storage.Open(path, create: true);
        file.Write(0, bytes);
        file.Sync();
    }

    /// <summary>The content.</summary>
    /// <exception cref="MillraceException">The file is damaged or of a newer version.</exception>
    public static byte[] Read(IStorage storage, string path)
    {
        using var file = storage.Open(path, create: false);
        file.DropCache();
        var length = file.Length;
        if (length is < HeaderSize or > int.MaxValue) throw Damaged(path, $"it has {length} bytes");
        var bytes = new byte[length];
        if (file.Read(0, bytes) < length || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic)
            throw Damaged(path, "it begins with other bytes");
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(VersionAt));
        if (version is < 1 or > VersionMax)
        {
            throw new MillraceException(FailureCodes.UnknownVersion,
                $"{path} has format version {version}; this program reads 1 to {VersionMax}. Use a newer one.");
        }

        if (BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(LengthAt)) != length - HeaderSize)
            throw Damaged(path, "its length does not match");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(CrcAt)) != Checksum(bytes))
            throw Damaged(path, "its checksum does not match");
        return bytes[HeaderSize..];
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes) => Crc32C.Append(Crc32C.Of(bytes[..CrcAt]), bytes[HeaderSize..]);

    private static MillraceException Damaged(string path, string why) =>
        new(FailureCodes.Corrupt, $"{path} is damaged: {why}. Restore the folder from a copy.");
}

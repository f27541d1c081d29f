using System.Buffers.Binary;

namespace Millrace.Log.Journal;

/// <summary>The bytes of a journal file's header and of a frame's header; FORMAT.md, "Journal".</summary>
internal static class FrameFormat
{
    public const int FileHeaderSize = 40;
    public const int FrameHeaderSize = 32;
    public const int Version = 1;

    /// <summary>No frame may be larger: a commit's limit plus room for the rest of its group.</summary>
    public const int PayloadBytesMax = 768 << 20;

    private const ulong Magic = 0x4C4E524A4C4C494D; // "MILLJRNL"
    private const int VersionAt = 8, SizeAt = 12, SaltAt = 16, SequenceAt = 24, FileCrcAt = 32;
    private const int FrameLengthAt = 0, FrameCrcAt = 4, FrameSaltAt = 8, FrameSequenceAt = 16, FrameSyncedAt = 24;

    public static void WriteFileHeader(Span<byte> header, ulong salt, long firstSequence)
    {
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(header[VersionAt..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[SizeAt..], FileHeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[SaltAt..], salt);
        BinaryPrimitives.WriteInt64LittleEndian(header[SequenceAt..], firstSequence);
        BinaryPrimitives.WriteUInt32LittleEndian(header[FileCrcAt..], Crc32C.Of(header[..FileCrcAt]));
    }

    /// <summary>False when the bytes are not a whole, intact header.</summary>
    /// <exception cref="MillraceException">The header is intact and of a newer version.</exception>
    public static bool TryReadFileHeader(ReadOnlySpan<byte> header, string path, out ulong salt, out long firstSequence)
    {
        (salt, firstSequence) = (0, 0);
        if (header.Length < FileHeaderSize || BinaryPrimitives.ReadUInt64LittleEndian(header) != Magic) return false;
        if (Crc32C.Of(header[..FileCrcAt]) != BinaryPrimitives.ReadUInt32LittleEndian(header[FileCrcAt..])) return false;
        var version = BinaryPrimitives.ReadInt32LittleEndian(header[VersionAt..]);
        if (version != Version)
            throw new MillraceException(
                FailureCodes.UnknownVersion, $"{path} has format version {version}; this program reads {Version}. Use a newer one.");
        salt = BinaryPrimitives.ReadUInt64LittleEndian(header[SaltAt..]);
        firstSequence = BinaryPrimitives.ReadInt64LittleEndian(header[SequenceAt..]);
        return true;
    }

    /// <summary>Fills in the header of a frame whose payload stands behind it.</summary>
    /// <param name="frame">The frame, header room first.</param>
    /// <param name="salt">The file's salt.</param>
    /// <param name="sequence">The frame's sequence.</param>
    /// <param name="syncedThrough">The last frame that was known to be on the disk before this one is written.</param>
    public static void Seal(Span<byte> frame, ulong salt, long sequence, long syncedThrough)
    {
        BinaryPrimitives.WriteInt32LittleEndian(frame[FrameLengthAt..], frame.Length - FrameHeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[FrameSaltAt..], salt);
        BinaryPrimitives.WriteInt64LittleEndian(frame[FrameSequenceAt..], sequence);
        BinaryPrimitives.WriteInt64LittleEndian(frame[FrameSyncedAt..], syncedThrough);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[FrameCrcAt..], Checksum(frame));
    }

    /// <summary>The payload's length, or -1 when the bytes at the start cannot be the frame with that salt and sequence.</summary>
    public static int PayloadLength(ReadOnlySpan<byte> header, ulong salt, long sequence, long bytesLeft)
    {
        if (header.Length < FrameHeaderSize) return -1;
        var length = BinaryPrimitives.ReadInt32LittleEndian(header[FrameLengthAt..]);
        if (length < 0 || length > PayloadBytesMax || length + FrameHeaderSize > bytesLeft) return -1;
        if (BinaryPrimitives.ReadUInt64LittleEndian(header[FrameSaltAt..]) != salt) return -1;
        return BinaryPrimitives.ReadInt64LittleEndian(header[FrameSequenceAt..]) == sequence ? length : -1;
    }

    public static bool IsIntact(ReadOnlySpan<byte> frame) =>
        BinaryPrimitives.ReadUInt32LittleEndian(frame[FrameCrcAt..]) == Checksum(frame);

    /// <summary>The sequence that a frame header claims; only used to look for valid frames behind a torn one.</summary>
    public static long ClaimedSequence(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt64LittleEndian(header[FrameSequenceAt..]);

    /// <summary>The last frame that was on the disk when this one was written.</summary>
    public static long SyncedThrough(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt64LittleEndian(header[FrameSyncedAt..]);

    /// <summary>Where the salt stands within a frame.</summary>
    public static int SaltOffset => FrameSaltAt;

    private static uint Checksum(ReadOnlySpan<byte> frame) =>
        Crc32C.Append(Crc32C.Of(frame[..FrameCrcAt]), frame[FrameSaltAt..]);
}

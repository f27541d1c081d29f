using System.Buffers.Binary;

namespace Millrace.Log.Journal;

/// <summary>One intact frame.</summary>
/// <param name="Sequence">Its sequence.</param>
/// <param name="Payload">Its entries.</param>
/// <param name="Origin">File and offset, for messages.</param>
internal readonly record struct Frame(long Sequence, byte[] Payload, string Origin);

/// <summary>
/// Reads the journal files in order and tells a torn tail from corruption: a bad frame is a torn tail only in the last file and only if no
/// valid frame follows that was written after the bad one was known to be on the disk. (Frames of relaxed topics are not synced one by one,
/// so a power loss may keep a later one and tear an earlier one.) A torn tail is cut off; anything else stops the start with file and
/// offset.
/// </summary>
internal sealed class JournalReader(IStorage storage, string directory)
{
    /// <summary>The sequence that the next frame must have; after enumeration, the next to be written.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Enumerates all intact frames from a sequence on, checking that none is missing.</summary>
    public IEnumerable<Frame> Read(long fromSequence)
    {
        NextSequence = fromSequence;
        var names = storage.ListFiles(directory).Where(name => name.EndsWith(".journal", StringComparison.Ordinal)).ToList();
        for (var i = 0; i < names.Count; i++)
        {
            foreach (var frame in ReadFile(Path.Combine(directory, names[i]), isLast: i == names.Count - 1)) yield return frame;
        }
    }

    private IEnumerable<Frame> ReadFile(string path, bool isLast)
    {
        using var file = storage.Open(path, create: false);
        file.DropCache();
        var length = file.Length;
        var header = new byte[FrameFormat.FileHeaderSize];
        var headerLength = file.Read(0, header);
        if (!FrameFormat.TryReadFileHeader(header.AsSpan(0, headerLength), path, out var salt, out var sequence))
        {
            // The file is synced before its name is, and a frame comes only after both: a bad header with nothing behind it was never used.
            if (isLast && length <= FrameFormat.FileHeaderSize) yield break;
            throw new MillraceException(
                FailureCodes.Corrupt, $"{path}: the file header at offset 0 is damaged. Restore the folder from a copy.");
        }

        if (sequence > NextSequence)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path} begins with frame {sequence}, but frame {NextSequence} was to follow: a journal file is missing.");
        }

        long position = FrameFormat.FileHeaderSize;
        while (position < length)
        {
            if (!TryReadFrame(file, position, length, salt, sequence, out var payload))
            {
                CutTail(file, path, new Tail(position, length, salt, sequence), isLast);
                yield break;
            }

            position += FrameFormat.FrameHeaderSize + payload.Length;
            if (sequence == NextSequence)
            {
                NextSequence++;
                yield return new Frame(sequence, payload, $"{path}, frame {sequence}");
            }

            sequence++;
        }
    }

    private static bool TryReadFrame(IStorageFile file, long position, long end, ulong salt, long sequence, out byte[] payload)
    {
        payload = [];
        Span<byte> header = stackalloc byte[FrameFormat.FrameHeaderSize];
        var headerLength = file.Read(position, header);
        var length = FrameFormat.PayloadLength(header[..headerLength], salt, sequence, end - position);
        if (length < 0) return false;
        var frame = new byte[FrameFormat.FrameHeaderSize + length];
        if (file.Read(position, frame) < frame.Length || !FrameFormat.IsIntact(frame)) return false;
        payload = frame[FrameFormat.FrameHeaderSize..];
        return true;
    }

    private static void CutTail(IStorageFile file, string path, Tail tail, bool isLast)
    {
        if (!isLast)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path}: the frame at offset {tail.Position} is damaged and a later journal file follows. Restore the folder from a " +
                "copy.");
        }

        if (FindProof(file, tail) is { } proof)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path}: the frame at offset {tail.Position} is damaged, but one at {proof} was written when it was on the disk. " +
                "Restore the folder from a copy.");
        }

        file.SetLength(tail.Position);
        file.Sync();
    }

    /// <summary>
    /// Looks behind a bad frame for an intact one that proves that the bad one was once whole: the salt tells where one may be.
    /// </summary>
    private static long? FindProof(IStorageFile file, Tail tail)
    {
        var bytes = new byte[Math.Min(tail.End - tail.Position, FrameFormat.PayloadBytesMax)];
        var count = file.Read(tail.Position, bytes);
        Span<byte> needle = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(needle, tail.Salt);
        var start = 0;
        while (bytes.AsSpan(start, count - start).IndexOf(needle) is var found and >= 0)
        {
            var at = start + found - FrameFormat.SaltOffset;
            if (at > 0 && at + FrameFormat.FrameHeaderSize <= count && IsProof(bytes.AsSpan(at, count - at), tail))
                return tail.Position + at;
            start += found + 1;
        }

        return null;
    }

    private static bool IsProof(ReadOnlySpan<byte> frame, Tail tail)
    {
        var length = FrameFormat.PayloadLength(frame, tail.Salt, FrameFormat.ClaimedSequence(frame), frame.Length);
        return length >= 0 && FrameFormat.SyncedThrough(frame) >= tail.Sequence
            && FrameFormat.IsIntact(frame[..(FrameFormat.FrameHeaderSize + length)]);
    }

    /// <summary>What stands behind the last good frame.</summary>
    private readonly record struct Tail(long Position, long End, ulong Salt, long Sequence);
}

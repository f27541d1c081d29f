using System.Buffers.Binary;

namespace Millrace.Log.Journal;

/// <summary>One intact frame.</summary>
/// <param name="Sequence">Its sequence.</param>
/// <param name="Payload">Its entries.</param>
/// <param name="Origin">File and offset, for messages.</param>
internal readonly record struct Frame(long Sequence, byte[] Payload, string Origin);

/// <summary>
/// Reads the journal files in order and tells where one ends from corruption. Behind the last frame of a file there may be what the file
/// held when it was in use before. A file that another follows ends with the frame before the other's first. In the last one a bad frame is
/// the end only if no valid frame follows that was written after the bad one was known to be on the disk. (Frames of relaxed topics are
/// not synced one by one, so a power loss may keep a later one and tear an earlier one.) There the file is cut off; anything else stops
/// the start with file and offset.
/// </summary>
internal sealed class JournalReader(IStorage storage, string directory)
{
    private const int LookBytes = 1 << 20; // at a time, behind a bad frame

    /// <summary>The sequence that the next frame must have; after enumeration, the next to be written.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Enumerates all intact frames from a sequence on, checking that none is missing.</summary>
    public IEnumerable<Frame> Read(long fromSequence)
    {
        NextSequence = fromSequence;
        var names = storage.ListFiles(directory).Where(name => name.EndsWith(".journal", StringComparison.Ordinal)).ToList();
        for (var i = 0; i < names.Count; i++)
        {
            long? end = i + 1 < names.Count ? FirstOf(names[i + 1]) : null;
            if (end <= NextSequence) continue; // a checkpoint has all of it
            foreach (var frame in ReadFile(Path.Combine(directory, names[i]), end)) yield return frame;
        }
    }

    private long FirstOf(string name) => JournalFile.TryReadName(name, out var first)
        ? first
        : throw new MillraceException(
            FailureCodes.Corrupt,
            $"{Path.Combine(directory, name)} is named like a journal file, but not by its first frame. Remove what is not the engine's.");

    /// <param name="path">The file.</param>
    /// <param name="end">The first frame of the next file; null for the last one.</param>
    private IEnumerable<Frame> ReadFile(string path, long? end)
    {
        using var file = storage.Open(path, create: false);
        file.DropCache();
        var length = file.Length;
        var header = new byte[FrameFormat.FileHeaderSize];
        var headerLength = file.Read(0, header);
        if (!FrameFormat.TryReadFileHeader(header.AsSpan(0, headerLength), path, out var salt, out var sequence))
        {
            // The file is synced before its name is, and a frame comes only after both: a bad header with nothing behind it was never used.
            if (end is null && length <= FrameFormat.FileHeaderSize) yield break;
            throw new MillraceException(
                FailureCodes.Corrupt, $"{path}: the file header at offset 0 is damaged. Restore the folder from a copy.");
        }

        if (sequence > NextSequence)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path} begins with frame {sequence}, but frame {NextSequence} was to follow: a journal file is missing.");
        }

        long position = FrameFormat.FileHeaderSize;
        while (position < length && sequence != end)
        {
            if (!TryReadFrame(file, position, length, salt, sequence, out var payload))
            {
                CutTail(file, path, new Tail(position, length, salt, sequence), isLast: end is null);
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
        var needle = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(needle, tail.Salt);
        var bytes = new byte[Math.Min(tail.End - tail.Position, LookBytes)];
        for (var from = tail.Position; from < tail.End; from += LookBytes - needle.Length + 1)
        {
            var count = file.Read(from, bytes);
            for (var start = 0; bytes.AsSpan(start, count - start).IndexOf(needle) is var found and >= 0; start += found + 1)
            {
                var at = from + start + found - FrameFormat.SaltOffset;
                if (at > tail.Position && IsProof(file, at, tail)) return at;
            }
        }

        return null;
    }

    private static bool IsProof(IStorageFile file, long position, Tail tail)
    {
        Span<byte> header = stackalloc byte[FrameFormat.FrameHeaderSize];
        if (file.Read(position, header) < header.Length || FrameFormat.SyncedThrough(header) < tail.Sequence) return false;
        return TryReadFrame(file, position, tail.End, tail.Salt, FrameFormat.ClaimedSequence(header), out _);
    }

    /// <summary>What stands behind the last good frame.</summary>
    private readonly record struct Tail(long Position, long End, ulong Salt, long Sequence);
}

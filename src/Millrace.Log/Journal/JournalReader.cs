using System.Buffers.Binary;

namespace Millrace.Log.Journal;

/// <summary>One intact frame.</summary>
/// <param name="Sequence">Its sequence.</param>
/// <param name="Payload">Its entries.</param>
/// <param name="Origin">File and offset, for messages.</param>
internal readonly record struct Frame(long Sequence, byte[] Payload, string Origin);

/// <summary>
/// Reads the journal files in order and tells where one ends from corruption. Behind the last frame of a file there may be what the file
/// held when it was in use before, and a file may have been begun and given up, for want of room: then the one before it goes on beyond
/// its name. A file is whole up to the name of the next one, which is made after that was synced. Where no later file has frames a bad one
/// is the end only if no valid frame follows that was written after the bad one was known to be on the disk. (Frames of relaxed topics are
/// not synced one by one, so a power loss may keep a later one and tear an earlier one.) There the file is cut off; anything else stops
/// the start with file and offset.
/// </summary>
internal sealed class JournalReader(IStorage storage, string directory)
{
    private const int LookBytes = 1 << 20; // at a time, behind a bad frame

    private long _seen; // the last frame that was found, whether it was asked for or not

    /// <summary>The sequence that the next frame must have; after enumeration, the next to be written.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Enumerates all intact frames from a sequence on, checking that none is missing.</summary>
    public IEnumerable<Frame> Read(long fromSequence)
    {
        NextSequence = fromSequence;
        var files = storage.ListFiles(directory).Where(JournalFile.IsNamedLikeOne).Select(Named).ToList();
        for (var i = 0; i < files.Count; i++)
        {
            if (i + 1 < files.Count && files[i + 1].First <= fromSequence) continue; // a checkpoint has all of it
            foreach (var frame in ReadFile(files[i], files[(i + 1)..])) yield return frame;
        }
    }

    private NamedFile Named(string name)
    {
        var path = Path.Combine(directory, name);
        return JournalFile.TryReadName(name, out var first)
            ? new NamedFile(path, first)
            : throw new MillraceException(
                FailureCodes.Corrupt, $"{path} is named like a journal file, but not by its first frame. Remove what is not the engine's.");
    }

    private IEnumerable<Frame> ReadFile(NamedFile named, List<NamedFile> later)
    {
        var path = named.Path;
        using var file = storage.Open(path, create: false);
        file.DropCache();
        var length = file.Length;
        if (!TryReadHeader(file, path, out var salt, out var sequence))
        {
            // The file is synced before its name is, and a frame comes only after both: a bad header with nothing behind it was never used.
            if (length <= FrameFormat.FileHeaderSize) yield break;
            throw new MillraceException(
                FailureCodes.Corrupt, $"{path}: the file header at offset 0 is damaged. Restore the folder from a copy.");
        }

        if (sequence != named.First)
            throw new MillraceException(FailureCodes.Corrupt, $"{path} begins with frame {sequence}, which is not what its name says.");
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
                if (sequence == named.First && sequence <= _seen) yield break; // it was begun and given up
                End(file, path, new Tail(position, length, salt, sequence), later);
                yield break;
            }

            position += FrameFormat.FrameHeaderSize + payload.Length;
            _seen = sequence;
            if (sequence == NextSequence)
            {
                NextSequence++;
                yield return new Frame(sequence, payload, $"{path}, frame {sequence}");
            }

            sequence++;
        }
    }

    private static bool TryReadHeader(IStorageFile file, string path, out ulong salt, out long first)
    {
        Span<byte> header = stackalloc byte[FrameFormat.FileHeaderSize];
        return FrameFormat.TryReadFileHeader(header[..file.Read(0, header)], path, out salt, out first);
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

    /// <summary>A frame is bad: whether the file ends there, and what may have to be cut off it.</summary>
    private void End(IStorageFile file, string path, Tail tail, List<NamedFile> later)
    {
        var next = later.Find(HasFrames);
        if ((later.Count > 0 && later[0].First > tail.Sequence) || (next.Path is not null && next.First != tail.Sequence))
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path}: the frame at offset {tail.Position} is damaged and a later journal file follows. Restore the folder from a " +
                "copy.");
        }

        if (next.Path is not null) return;
        if (FindProof(file, tail) is { } proof)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{path}: the frame at offset {tail.Position} is damaged, but one at {proof} was written when it was on the disk. " +
                "Restore the folder from a copy.");
        }

        file.SetLength(tail.Position);
        file.Sync();
    }

    private bool HasFrames(NamedFile named)
    {
        using var file = storage.Open(named.Path, create: false);
        return TryReadHeader(file, named.Path, out var salt, out var first)
            && TryReadFrame(file, FrameFormat.FileHeaderSize, file.Length, salt, first, out _);
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

    /// <summary>A file, and the first frame that its name says.</summary>
    private readonly record struct NamedFile(string Path, long First);

    /// <summary>What stands behind the last good frame.</summary>
    private readonly record struct Tail(long Position, long End, ulong Salt, long Sequence);
}

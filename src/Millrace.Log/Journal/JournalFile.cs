using System.Globalization;

namespace Millrace.Log.Journal;

/// <summary>The journal file that is written now. Only the writer touches it.</summary>
internal sealed class JournalFile : IDisposable
{
    private const int ReserveBytes = 4 << 20;

    private readonly IStorageFile _file;
    private readonly ulong _salt;
    private long _reserved;

    private long _syncedThrough;

    private JournalFile(IStorageFile file, ulong salt, long firstSequence) =>
        (_file, _salt, _syncedThrough, SizeBytes) = (file, salt, firstSequence - 1, FrameFormat.FileHeaderSize);

    public long SizeBytes { get; private set; }

    public static string NameOf(long firstSequence) => firstSequence.ToString("D20", CultureInfo.InvariantCulture) + ".journal";

    /// <summary>Creates the file, syncs it, syncs its name: only then may a frame refer to being in it.</summary>
    public static JournalFile Create(IStorage storage, string directory, long firstSequence, ulong salt)
    {
        var file = storage.Open(Path.Combine(directory, NameOf(firstSequence)), create: true);
        try
        {
            Span<byte> header = stackalloc byte[FrameFormat.FileHeaderSize];
            FrameFormat.WriteFileHeader(header, salt, firstSequence);
            file.Write(0, header);
            file.Sync();
            storage.SyncDirectory(directory);
            return new JournalFile(file, salt, firstSequence);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes sure that so many more bytes cannot meet a full disk.</summary>
    /// <exception cref="DiskFullException">There is no room; nothing was written.</exception>
    public void Reserve(int bytes)
    {
        if (SizeBytes + bytes <= _reserved) return;
        var wanted = SizeBytes + Math.Max(bytes, ReserveBytes);
        _file.Reserve(wanted);
        _reserved = wanted;
    }

    /// <summary>Writes a frame; its header room is filled in here.</summary>
    public void Append(Span<byte> frame, long sequence, bool sync)
    {
        FrameFormat.Seal(frame, _salt, sequence, _syncedThrough);
        _file.Write(SizeBytes, frame);
        if (sync)
        {
            _file.Sync();
            _syncedThrough = sequence;
        }

        SizeBytes += frame.Length;
    }

    public void Sync() => _file.Sync();

    /// <summary>Gives back what was reserved beyond the end.</summary>
    public void Trim() => _file.SetLength(SizeBytes);

    public void Dispose() => _file.Dispose();
}

using System.Globalization;

namespace Millrace.Log.Journal;

/// <summary>The journal file that is written now. Only the writer touches it.</summary>
internal sealed class JournalFile : IDisposable
{
    private const int ReserveBytes = 4 << 20;
    private const string Extension = ".journal";

    private readonly IStorageFile _file;
    private readonly ulong _salt;
    private long _reserved;

    private long _syncedThrough;

    private JournalFile(IStorageFile file, ulong salt, long firstSequence) =>
        (_file, _salt, _syncedThrough, _reserved, SizeBytes) = (file, salt, firstSequence - 1, file.Length, FrameFormat.FileHeaderSize);

    public long SizeBytes { get; private set; }

    public static string NameOf(long firstSequence) => firstSequence.ToString("D20", CultureInfo.InvariantCulture) + Extension;

    public static bool IsNamedLikeOne(string name) => name.EndsWith(Extension, StringComparison.Ordinal);

    /// <summary>The first frame that a file of that name is for.</summary>
    public static bool TryReadName(string name, out long firstSequence)
    {
        var digits = name.AsSpan(0, Math.Max(name.Length - Extension.Length, 0));
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out firstSequence) && name == NameOf(firstSequence);
    }

    /// <summary>Where a file waits that is to be used again.</summary>
    public static string SpareIn(string directory) => Path.Combine(directory, "spare");

    /// <summary>
    /// Creates the file, syncs it, syncs its name: only then may a frame refer to being in it. A spare one is used again under the new
    /// name and salt, where its old frames mean nothing: its place on the disk and in the system's cache is taken already.
    /// </summary>
    public static JournalFile Create(IStorage storage, string directory, long firstSequence, ulong salt)
    {
        var (path, spare) = (Path.Combine(directory, NameOf(firstSequence)), SpareIn(directory));
        var isUsedAgain = storage.FileExists(spare);
        IStorageFile? file = null;
        try
        {
            if (isUsedAgain)
            {
                using (var again = storage.Open(spare, create: false)) Begin(again, salt, firstSequence);
                storage.Rename(spare, path);
                file = storage.Open(path, create: false);
            }
            else
            {
                file = storage.Open(path, create: true);
                Begin(file, salt, firstSequence);
            }

            storage.SyncDirectory(directory);
            return new JournalFile(file, salt, firstSequence);
        }
        catch (DiskFullException)
        {
            // Nothing is in it, and the file before it goes on.
            file?.Dispose();
            storage.DeleteFile(path);
            throw;
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    private static void Begin(IStorageFile file, ulong salt, long firstSequence)
    {
        Span<byte> header = stackalloc byte[FrameFormat.FileHeaderSize];
        FrameFormat.WriteFileHeader(header, salt, firstSequence);
        file.Write(0, header);
        file.Sync();
    }

    /// <summary>
    /// Keeps a file of which nothing is needed any more for <see cref="Create"/>. Should a power loss bring its old name back, a start does
    /// not look into it: the checkpoint says that all of it is older.
    /// </summary>
    public static void Retire(IStorage storage, string directory, string name, long bytesMax)
    {
        var spare = SpareIn(directory);
        storage.Rename(Path.Combine(directory, name), spare);
        using var file = storage.Open(spare, create: false);
        if (file.Length > bytesMax) file.SetLength(bytesMax);
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

    /// <summary>Gives back what the file has beyond the end.</summary>
    public void Trim() => _file.SetLength(SizeBytes);

    public void Dispose() => _file.Dispose();
}

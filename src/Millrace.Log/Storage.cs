namespace Millrace.Log;

/// <summary>
/// Everything the engine asks of a disk: the one seam that a simulated disk replaces. Paths are absolute. What the disk refuses is an <see
/// cref="IOException"/>, a full disk a <see cref="DiskFullException"/>. Thread safe but for two calls on one file at overlapping ranges.
/// </summary>
public interface IStorage
{
    /// <summary>Creates a directory and its parents, where they are missing.</summary>
    void CreateDirectory(string path);

    /// <summary>Whether a file is there.</summary>
    bool FileExists(string path);

    /// <summary>The names (not paths) of the files in a directory, ordered (ordinal); empty when there is no such directory.</summary>
    IReadOnlyList<string> ListFiles(string directory);

    /// <summary>
    /// The names (not paths) of the directories in a directory, ordered (ordinal); empty when there is no such directory.
    /// </summary>
    IReadOnlyList<string> ListDirectories(string directory);

    /// <summary>Opens a file for reading and writing.</summary>
    /// <param name="path">The file.</param>
    /// <param name="create">True to make a new, empty one and replace what is there; false demands that it exists.</param>
    IStorageFile Open(string path, bool create);

    /// <summary>Puts a file in another's place, atomically.</summary>
    void Rename(string from, string to);

    /// <summary>Deletes a file; nothing happens when there is none.</summary>
    void DeleteFile(string path);

    /// <summary>Deletes a directory with everything in it; nothing happens when there is none.</summary>
    void DeleteDirectory(string path);

    /// <summary>Makes the names in a directory durable: files created, renamed and deleted. Fails rather than pretend.</summary>
    void SyncDirectory(string path);

    /// <summary>Takes the lock file that keeps a second process out, until disposal.</summary>
    /// <exception cref="IOException">Another holder has it.</exception>
    IDisposable Lock(string path);

    /// <summary>
    /// Runs work that blocks while the disk works (the writer's loop, a checkpoint): on a thread of its own, or on the scheduler of a
    /// simulation. Everything that the work awaits comes back to the same place.
    /// </summary>
    Task RunBlocking(Func<Task> work);
}

/// <summary>One open file. Disposal closes it and writes nothing.</summary>
public interface IStorageFile : IDisposable
{
    /// <summary>The length in bytes.</summary>
    long Length { get; }

    /// <summary>Reads up to the length of the span; fewer bytes only at the end of the file.</summary>
    int Read(long position, Span<byte> bytes);

    /// <summary>Writes all of the bytes, into the operating system's cache.</summary>
    void Write(long position, ReadOnlySpan<byte> bytes);

    /// <summary>Cuts the file or extends it by zeros, and gives back what was reserved beyond.</summary>
    void SetLength(long length);

    /// <summary>
    /// Takes room on the disk up to a length without changing the file's length, so that writes up to there cannot meet a full disk. Does
    /// nothing where the system has no such call.
    /// </summary>
    /// <exception cref="DiskFullException">There is no room.</exception>
    void Reserve(long length);

    /// <summary>Returns once everything written is on the disk. After an exception nothing is known about what is.</summary>
    void Sync();

    /// <summary>Drops what the operating system holds of the file in memory, so that the next read comes from the disk.</summary>
    void DropCache();
}

/// <summary>The disk has no room for a write.</summary>
/// <param name="message">What did not fit.</param>
/// <param name="inner">The system's own error, if there was one.</param>
public sealed class DiskFullException(string message, Exception? inner = null) : IOException(message, inner);

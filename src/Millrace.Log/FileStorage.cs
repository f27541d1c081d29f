using Millrace.Log.Disk;

namespace Millrace.Log;

/// <summary>The real disk, by the operating system's own calls: sync errors reach the caller. Thread safe.</summary>
public sealed class FileStorage : IStorage
{
    /// <inheritdoc/>
    public void CreateDirectory(string path) => Directory.CreateDirectory(path);

    /// <inheritdoc/>
    public bool FileExists(string path) => File.Exists(path);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListFiles(string directory) => Names(directory, Directory.EnumerateFiles);

    /// <inheritdoc/>
    public IReadOnlyList<string> ListDirectories(string directory) => Names(directory, Directory.EnumerateDirectories);

    /// <inheritdoc/>
    public IStorageFile Open(string path, bool create) => new DiskFile(path, create);

    /// <inheritdoc/>
    public void Rename(string from, string to)
    {
        try
        {
            File.Move(from, to, overwrite: true);
        }
        catch (IOException failure) when (SystemCalls.IsDiskFull(failure))
        {
            throw new DiskFullException($"No room to rename {from} to {to}.", failure);
        }
    }

    /// <inheritdoc/>
    public void DeleteFile(string path)
    {
        if (File.Exists(path)) File.Delete(path);
    }

    /// <inheritdoc/>
    public void DeleteDirectory(string path)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }

    /// <inheritdoc/>
    public void SyncDirectory(string path) => SystemCalls.SyncDirectory(path);

    /// <inheritdoc/>
    public IDisposable Lock(string path)
    {
        // FileShare.None takes an advisory lock on Unix (flock) and a share lock on Windows; both end with the process, however it ends.
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        return file;
    }

    /// <inheritdoc/>
    public Task RunBlocking(Func<Task> work) => DiskThread.Run(work);

    private static List<string> Names(string directory, Func<string, IEnumerable<string>> list)
    {
        if (!Directory.Exists(directory)) return [];
        var names = list(directory).Select(path => Path.GetFileName(path)).ToList();
        names.Sort(StringComparer.Ordinal);
        return names;
    }
}

using Millrace.RocksDb.Copies;

namespace Millrace.RocksDb;

/// <summary>
/// Opens stores that keep state in RocksDB, one database per partition's directory, with one cache for all of them. Give
/// <see cref="Open"/> to an engine as its <see cref="OpenStateStore"/>. Thread safe.
/// </summary>
/// <remarks>
/// What is on disk is a copy of what the changelog holds, written down in FORMAT.md. It is written without a log of its own: after a crash
/// a copy holds all changes up to some position and none after it, and the engine reads on in the changelog from there. A copy that was
/// made of another changelog, by another version or that is damaged is thrown away, and an empty one begun.
/// </remarks>
public sealed class RocksDbStateStores : IDisposable
{
    private readonly SharedParts _shared;
    private volatile bool _isDisposed;

    /// <summary>Loads RocksDB and makes the cache.</summary>
    /// <param name="options">The limits; all defaults when null.</param>
    /// <exception cref="ArgumentException">An option is outside of its limits; the message names it and its value.</exception>
    public RocksDbStateStores(RocksDbOptions? options = null)
    {
        options ??= new RocksDbOptions();
        options.Validate();
        _shared = new SharedParts(options);
    }

    /// <summary>How many bytes the cache holds now, of <see cref="RocksDbOptions.BlockCacheBytesMax"/>.</summary>
    public long BlockCacheBytes => _shared.CacheBytes;

    /// <summary>Opens the copy in a directory, or an empty one. The caller disposes the store.</summary>
    /// <param name="source">Which state; its directory belongs to this store alone until it is disposed.</param>
    /// <exception cref="ArgumentException">The source has no directory, and RocksDB keeps nothing in memory alone.</exception>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.DirectoryLocked"/>: another store, of this process or of another one, has the directory open.
    /// <see cref="FailureCodes.DiskFull"/> or <see cref="FailureCodes.StorageFailed"/>: the disk refused. The message names the directory.
    /// </exception>
    /// <exception cref="ObjectDisposedException">This was disposed.</exception>
    public StateStore Open(StateStoreSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (string.IsNullOrEmpty(source.Directory))
        {
            throw new ArgumentException(
                $"No directory was given for the state of partition {source.Partition} of group '{source.Group}', and RocksDB keeps " +
                "state on disk. Say where: KafkaOptions.StateDirectory.", nameof(source));
        }

        return RocksDbStateStore.Open(source, Path.GetFullPath(source.Directory), _shared);
    }

    /// <summary>
    /// Empties the cache; nothing more can be opened. Stores that are still open go on without a cache: dispose the engine first.
    /// </summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _shared.DropCache();
    }
}

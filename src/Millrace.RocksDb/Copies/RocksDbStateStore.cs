using System.Buffers;
using System.Globalization;
using RocksDbSharp;
using Database = RocksDbSharp.RocksDb;

namespace Millrace.RocksDb.Copies;

/// <summary>The state of one partition of one group, in a database of its own.</summary>
internal sealed class RocksDbStateStore : StateStore
{
    private const int KeyBytesOnStack = 256;

    /// <summary>
    /// Guards <see cref="_database"/>, whose native part is freed when it is disposed: whoever calls into it reads under this lock, and
    /// only who takes it away or replaces it writes.
    /// </summary>
    private readonly ReaderWriterLockSlim _gate = new();

    private readonly CopyFolder _folder;
    private readonly SharedParts _shared;
    private readonly Guid _changelogId;
    private Database? _database;
    private long _position;

    private RocksDbStateStore(CopyFolder folder, SharedParts shared, StateStoreSource source)
    {
        (_folder, _shared, _changelogId) = (folder, shared, source.ChangelogId);
        (_database, _position) = folder.Open(source);
    }

    public static RocksDbStateStore Open(StateStoreSource source, string directory, SharedParts shared) =>
        new(new CopyFolder(directory, shared), shared, source);

    public override long Position => Volatile.Read(ref _position);

    /// <summary>How many bytes of changes are in memory.</summary>
    internal long BufferBytes
    {
        get
        {
            var database = BeginUse();
            try
            {
                return long.Parse(database.GetProperty("rocksdb.cur-size-all-mem-tables"), CultureInfo.InvariantCulture);
            }
            finally
            {
                EndUse();
            }
        }
    }

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        var length = StateKey.PrefixLength(store) + key.Length;
        byte[]? rented = null;
        var full = length <= KeyBytesOnStack ? stackalloc byte[KeyBytesOnStack] : rented = ArrayPool<byte>.Shared.Rent(length);
        key.CopyTo(full[StateKey.WritePrefix(full, store)..]);

        // RocksDB hands out memory of its own, which the binding copies and frees.
        var found = Get(full[..length]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        value = found;
        return found is not null;
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        var prefix = new byte[StateKey.PrefixLength(store)];
        StateKey.WritePrefix(prefix, store);
        byte[] from = [.. prefix, .. range.From.Span];
        byte[] end = range.To is { } to ? [.. prefix, .. to.Span] : prefix.AsSpan().ToArray();
        if (range.To is null) StateKey.Increment(end);
        var entries = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>();

        // The end lets RocksDB stop before it walks over what was deleted in the next store. A whole store, which is read once, stays out
        // of the cache.
        var options = new ReadOptions().SetFillCache(range.EntriesMax < int.MaxValue).SetIterateUpperBound(end);
        var database = BeginUse();
        try
        {
            using var iterator = database.NewIterator(null, options);
            for (iterator.Seek(from); iterator.Valid() && entries.Count < range.EntriesMax; iterator.Next())
            {
                var key = iterator.GetKeySpan();
                if (!key.StartsWith(prefix)) throw new InvalidOperationException($"A scan of '{store}' in {_folder.Path} left the store.");
                entries.Add(new(key[prefix.Length..].ToArray(), iterator.GetValueSpan().ToArray()));
            }

            // An iterator that meets damage ends like one that is done.
            Native.Instance.rocksdb_iter_get_error(iterator.Handle);
        }
        catch (RocksDbException failure)
        {
            throw Failed("could not be read", failure);
        }
        finally
        {
            EndUse();

            // The native iterator points into the options, whose finalizer frees them. The binding's iterator refers to them, but it does
            // not escape from here, so optimized code need not keep what it never reads.
            GC.KeepAlive(options);
        }

        return entries;
    }

    public override void Apply(IReadOnlyList<StateChange> changes, long position)
    {
        ArgumentNullException.ThrowIfNull(changes);
        if (position < _position)
        {
            throw new ArgumentOutOfRangeException(
                nameof(position), position, $"The copy of state in {_folder.Path} is at position {_position} and cannot go back.");
        }

        var database = BeginUse();
        try
        {
            using var batch = new WriteBatch();
            Fill(batch, changes);
            Span<byte> header = stackalloc byte[CopyHeader.Length];
            new CopyHeader(_changelogId, position).Write(header);
            batch.Put(StateKey.Header, header);
            Write(database, batch);
            Volatile.Write(ref _position, position);
        }
        catch (RocksDbException failure)
        {
            throw Failed("could not be changed", failure);
        }
        finally
        {
            EndUse();
        }
    }

    public override void Clear()
    {
        _gate.EnterWriteLock();
        try
        {
            var database = _database ?? throw Closed();

            // When no new database can be begun, this store is closed: the old content must not be read again.
            _database = null;
            database.Dispose();
            Volatile.Write(ref _position, 0);
            _database = _folder.Begin();
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    public override ValueTask SaveAsync(CancellationToken cancellation = default) =>
        new(Task.Factory.StartNew(Save, cancellation, TaskCreationOptions.DenyChildAttach, _shared.Options.Scheduler));

    public override void Dispose()
    {
        _gate.EnterWriteLock();
        try
        {
            _database?.Dispose();
            _database = null;
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    private byte[]? Get(ReadOnlySpan<byte> key)
    {
        var database = BeginUse();
        try
        {
            return database.Get(key, null, _shared.Read);
        }
        catch (RocksDbException failure)
        {
            throw Failed("could not be read", failure);
        }
        finally
        {
            EndUse();
        }
    }

    private void Save()
    {
        var database = BeginUse();
        try
        {
            database.Flush(_shared.Flush);
        }
        catch (RocksDbException failure)
        {
            throw Failed("could not be saved", failure);
        }
        finally
        {
            EndUse();
        }
    }

    /// <summary>Writes as soon as there is room for it: while buffers are full or files are too many, RocksDB must catch up.</summary>
    private void Write(Database database, WriteBatch batch)
    {
        var (time, waiting) = (_shared.Options.Time, new SpinWait());
        var since = time.GetTimestamp();
        while (true)
        {
            try
            {
                database.Write(batch, _shared.Write);
                return;
            }
            catch (RocksDbException failure) when (NativeFailure.IsStall(failure.Message))
            {
                if (time.GetElapsedTime(since) > _shared.Options.StallTimeout)
                    throw NativeFailure.Stalled(_folder.Path, _shared.Options.StallTimeout, failure);
            }

            // Yields at first, then sleeps for a millisecond at a time.
            waiting.SpinOnce();
        }
    }

    private static void Fill(WriteBatch batch, IReadOnlyList<StateChange> changes)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(KeyBytesOnStack);
        foreach (var change in changes)
        {
            var length = StateKey.PrefixLength(change.Store) + change.Key.Length;
            if (length > buffer.Length)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(length);
            }

            change.Key.CopyTo(buffer.AsSpan(StateKey.WritePrefix(buffer, change.Store)));
            if (change.Value is null) batch.Delete(buffer.AsSpan(0, length));
            else batch.Put(buffer.AsSpan(0, length), change.Value);
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }

    private Database BeginUse()
    {
        _gate.EnterReadLock();
        if (_database is { } database) return database;
        _gate.ExitReadLock();
        throw Closed();
    }

    private void EndUse()
    {
        _gate.ExitReadLock();

        // Until here nothing that the native call works on may be finalized, even if this was the last use of the store.
        GC.KeepAlive(this);
    }

    private ObjectDisposedException Closed() => new(nameof(StateStore), $"The copy of state in {_folder.Path} is closed.");

    private MillraceException Failed(string doing, RocksDbException cause)
    {
        var failure = NativeFailure.Of(doing, _folder.Path, cause);
        if (failure.Code == FailureCodes.Corrupt) _folder.Condemn();
        return failure;
    }
}

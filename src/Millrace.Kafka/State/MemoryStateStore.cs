using System.Collections.Concurrent;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.State;

/// <summary>
/// Keyed state in memory, with a copy in one file when there is a directory. Values are arrays that are never written again, so reading a
/// key needs no lock; scanning waits for changes that are being made.
/// </summary>
internal sealed class MemoryStateStore : StateStore
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<byte[], byte[]>> _stores = new(StringComparer.Ordinal);
    private readonly Lock _gate = new(); // held while changes are made, and while all entries are looked at
    private readonly StateStoreSource _source;
    private readonly ClientLog _log;
    private long _position;

    private MemoryStateStore(StateStoreSource source, ClientLog log) => (_source, _log) = (source, log);

    public override long Position => Volatile.Read(ref _position);

    /// <summary>Opens the copy in the directory, if it is whole and of the same changelog.</summary>
    public static MemoryStateStore Open(StateStoreSource source, ClientLog log)
    {
        var store = new MemoryStateStore(source, log);
        if (source.Directory is null) return store;
        var file = Snapshot.FileIn(source.Directory);
        if (!File.Exists(file)) return store;
        try
        {
            store._position = Snapshot.Read(file, source.ChangelogId, store.Put);
        }
        catch (MillraceException damage)
        {
            log.CopyDropped(file, damage.Message);
            store.Clear();
        }

        return store;
    }

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (!_stores.TryGetValue(store, out var entries)) return false;
        if (!entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var found)) return false;
        value = found;
        return true;
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store)
    {
        if (!_stores.TryGetValue(store, out var entries)) return [];
        var scanned = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>(entries.Count);
        lock (_gate)
        {
            foreach (var (key, value) in entries) scanned.Add(new(key, value));
        }

        scanned.Sort(static (one, other) => one.Key.Span.SequenceCompareTo(other.Key.Span));
        return scanned;
    }

    public override void Apply(IReadOnlyList<StateChange> changes, long position)
    {
        lock (_gate)
        {
            foreach (var (store, key, value) in changes)
            {
                if (value is not null) Put(store, key, value);
                else if (_stores.TryGetValue(store, out var entries)) entries.TryRemove(key, out _);
            }

            Volatile.Write(ref _position, position);
        }
    }

    public override void Clear()
    {
        lock (_gate) _stores.Clear();
        Volatile.Write(ref _position, 0);
        if (_source.Directory is { } directory && Directory.Exists(directory)) File.Delete(Snapshot.FileIn(directory));
    }

    /// <summary>
    /// Collects what there is at once, on the caller's thread, which is the one that changes it; writes the file on another.
    /// </summary>
    public override async ValueTask SaveAsync(CancellationToken cancellation = default)
    {
        if (_source.Directory is not { } directory) return;
        long position;
        var entries = new List<(string Store, KeyValuePair<byte[], byte[]>[] Entries)>();
        lock (_gate)
        {
            position = Position;
            foreach (var (name, store) in _stores) entries.Add((name, store.ToArray()));
        }

        await Requests.BlockingAsync(() =>
        {
            Snapshot.Write(directory, _source.ChangelogId, position, entries);
            return position;
        });
    }

    public override void Dispose()
    {
    }

    private void Put(string store, byte[] key, byte[] value) => _stores
        .GetOrAdd(store, static _ => new ConcurrentDictionary<byte[], byte[]>(concurrencyLevel: 1, 31, KeyBytes.Comparer))[key] = value;
}

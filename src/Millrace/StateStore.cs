using System.Collections.Concurrent;

namespace Millrace;

/// <summary>
/// Where an engine keeps the keyed state of one partition of one group: what its changelog, on the embedded engine its journal, says up to
/// <see cref="Position"/>. In memory by default; another implementation keeps state larger than memory. It is never ahead of what is
/// committed nor mixed: what <see cref="Apply"/> takes is in the store together with its position or not at all, also after a crash. On
/// Kafka it is a copy, which may be lost or behind at any time; on the embedded engine the journal forgets what was saved. One thread
/// changes a store at a time; reading is thread safe.
/// </summary>
public abstract class StateStore : IDisposable
{
    /// <summary>The offset in the changelog up to which (exclusive) changes are in this copy; 0 when nothing is.</summary>
    public abstract long Position { get; }

    /// <summary>The value of a key.</summary>
    public abstract bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value);

    /// <summary>
    /// Entries of a store ordered by key bytes, as they are now: as many of the range as it wants, and fewer only when there are no more.
    /// </summary>
    public abstract IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range);

    /// <summary>All entries of a store ordered by key bytes, as they are now.</summary>
    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store) => Scan(store, StateRange.All);

    /// <summary>
    /// Takes committed changes in, in their order, and moves to a position. The arrays of the changes may be kept and are not changed by
    /// anyone.
    /// </summary>
    public abstract void Apply(IReadOnlyList<StateChange> changes, long position);

    /// <summary>Forgets everything; the position is 0 again.</summary>
    public abstract void Clear();

    /// <summary>
    /// Keeps what is here for the next opening, as far as this implementation does and the <see cref="StateStoreSource"/> has a directory.
    /// A failure to do so is no failure of the state: the next opening begins from an older copy, or from none.
    /// </summary>
    public abstract ValueTask SaveAsync(CancellationToken cancellation = default);

    /// <summary>Frees what it holds. Nothing is saved by it.</summary>
    public abstract void Dispose();
}

/// <summary>Which state a <see cref="StateStore"/> holds.</summary>
public sealed record StateStoreSource
{
    /// <summary>The group's id.</summary>
    public required string Group { get; init; }

    /// <summary>The partition's number.</summary>
    public required int Partition { get; init; }

    /// <summary>
    /// The id of what the state is a copy of: on Kafka of the changelog topic; the embedded engine draws one for each partition. A copy
    /// that was made of another changelog is not opened but thrown away.
    /// </summary>
    public required Guid ChangelogId { get; init; }

    /// <summary>
    /// Whether what was saved is nowhere else: then a copy that is damaged or of another version is refused with <see
    /// cref="FailureCodes.Corrupt"/> or <see cref="FailureCodes.UnknownVersion"/>, and left as it is. False by default.
    /// </summary>
    public bool IsOnlyCopy { get; init; }

    /// <summary>
    /// The directory of this partition's copy, which nobody else uses and which may not exist yet; null when nothing is to be kept on
    /// disk.
    /// </summary>
    public required string? Directory { get; init; }
}

/// <summary>
/// Opens the local copy of a partition's state: an older one when there is one of the same changelog, else an empty one. Called from any
/// thread, for one partition at a time. A copy that is damaged is thrown away, not opened, unless it is the only one.
/// </summary>
public delegate StateStore OpenStateStore(StateStoreSource source);

/// <summary>Which entries of a store a scan gives: keys from one on and before another, at most so many. Immutable.</summary>
public sealed record StateRange
{
    /// <summary>Every entry.</summary>
    public static StateRange All { get; } = new();

    /// <summary>The first key, inclusive. Empty, the default, for the first of the store.</summary>
    public ReadOnlyMemory<byte> From { get; init; }

    /// <summary>The key to stop before. Null, the default, for the store's end.</summary>
    public ReadOnlyMemory<byte>? To { get; init; }

    /// <summary>How many entries at most: at least 1; all by default.</summary>
    public int EntriesMax
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    }
    = int.MaxValue;

    /// <summary>The keys that begin with these bytes.</summary>
    public static StateRange Prefix(ReadOnlySpan<byte> prefix)
    {
        // The least key behind them all: the prefix without the 255s at its end, the byte before those one greater.
        var last = prefix.TrimEnd(byte.MaxValue);
        if (last.IsEmpty) return new StateRange { From = prefix.ToArray() };
        var to = last.ToArray();
        to[^1]++;
        return new StateRange { From = prefix.ToArray(), To = to };
    }

    /// <summary>The rest of this range behind a key.</summary>
    public StateRange After(ReadOnlySpan<byte> key) => this with { From = (byte[])[.. key, 0] };

    /// <summary>Whether a key is within the range.</summary>
    public bool Holds(ReadOnlySpan<byte> key) =>
        key.SequenceCompareTo(From.Span) >= 0 && (To is not { } to || key.SequenceCompareTo(to.Span) < 0);

    /// <summary>The entries of the range among unordered ones, ordered: for stores in memory.</summary>
    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Pick(IEnumerable<KeyValuePair<byte[], byte[]>> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        var picked = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>();
        foreach (var (key, value) in entries)
        {
            if (Holds(key)) picked.Add(new(key, value));
        }

        picked.Sort(static (one, other) => one.Key.Span.SequenceCompareTo(other.Key.Span));
        if (picked.Count > EntriesMax) picked.RemoveRange(EntriesMax, picked.Count - EntriesMax);
        return picked;
    }
}

/// <summary>
/// Keyed state in memory. Values are arrays that are never written again, so reading a key needs no lock; scanning waits for changes that
/// are being made. Nothing is kept for the next opening.
/// </summary>
public class MemoryStateStore : StateStore
{
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<byte[], byte[]>> _stores = new(StringComparer.Ordinal);
    private readonly Lock _gate = new(); // held while changes are made, and while all entries are looked at
    private long _position;

    /// <inheritdoc/>
    public override long Position => Volatile.Read(ref _position);

    /// <summary>The stores that something was put into, in no order.</summary>
    public IEnumerable<string> Names => _stores.Keys;

    /// <inheritdoc/>
    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (!_stores.TryGetValue(store, out var entries)) return false;
        if (!entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var found)) return false;
        value = found;
        return true;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        if (!_stores.TryGetValue(store, out var entries)) return [];
        lock (_gate) return range.Pick(entries);
    }

    /// <inheritdoc/>
    public override void Apply(IReadOnlyList<StateChange> changes, long position)
    {
        ArgumentNullException.ThrowIfNull(changes);
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

    /// <inheritdoc/>
    public override void Clear()
    {
        lock (_gate) _stores.Clear();
        Volatile.Write(ref _position, 0);
    }

    /// <summary>Everything as it is now, with the position, store by store; names and entries in no order.</summary>
    public IReadOnlyList<(string Store, KeyValuePair<byte[], byte[]>[] Entries)> Copy(out long position)
    {
        var copy = new List<(string, KeyValuePair<byte[], byte[]>[])>(_stores.Count);
        lock (_gate)
        {
            position = _position;
            foreach (var (name, store) in _stores) copy.Add((name, store.ToArray()));
        }

        return copy;
    }

    /// <inheritdoc/>
    public override ValueTask SaveAsync(CancellationToken cancellation = default) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public override void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what a derived store holds.</summary>
    protected virtual void Dispose(bool isDisposing)
    {
    }

    /// <summary>Puts an entry while nobody else has the store.</summary>
    protected void Put(string store, byte[] key, byte[] value) => _stores
        .GetOrAdd(store, static _ => new ConcurrentDictionary<byte[], byte[]>(concurrencyLevel: 1, 31, KeyBytes.Comparer))[key] = value;

    /// <summary>Sets the position while nobody else has the store.</summary>
    protected void SetPosition(long position) => Volatile.Write(ref _position, position);
}

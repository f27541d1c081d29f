namespace Millrace;

/// <summary>
/// A key whose last change is not known to be durable. One object per key, taken over by each later commit that changes it again.
/// </summary>
internal sealed class ChangedKey(string store, byte[] key)
{
    public string Store { get; } = store;

    public byte[] Key { get; } = key;

    /// <summary>
    /// The value since the last change; null when the key was removed. Arrays are replaced, never written again: a commit holds them.
    /// </summary>
    public byte[]? Value { get; set; }

    /// <summary>The sequence of the commit that holds the last change.</summary>
    public long LastUnit { get; set; } = -1;
}

/// <summary>
/// Keyed state as a partition's processor sees it: what is committed, covered by the changes whose commits are under way or still to be
/// made. A change vanishes from here once its commit is durable and no later one changed the key. Used by one loop only.
/// </summary>
internal sealed class StateOverlay(OwnedPartition owned)
{
    private readonly Dictionary<string, Store> _stores = new(StringComparer.Ordinal);
    private Store? _lastUsed;

    public bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        if (Find(store) is not { } changes || !changes.BySpan.TryGetValue(key, out var changed)) return owned.TryGet(store, key, out value);
        value = changed.Value;
        return changed.Value is not null;
    }

    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range)
    {
        var committed = owned.Scan(store, range);
        if (Find(store) is not { } changes || changes.ByKey.Count == 0) return committed;
        var changed = changes.ByKey.Values.Where(change => range.Holds(change.Key)).ToArray();
        if (changed.Length == 0) return committed;
        Array.Sort(changed, static (one, other) => one.Key.AsSpan().SequenceCompareTo(other.Key));
        var merged = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>(committed.Count);
        var next = 0;
        while (true)
        {
            // What lies behind the last entry of a full page may still be hidden by one that was not read yet.
            var isLast = committed.Count < range.EntriesMax;
            foreach (var entry in committed) Merge(merged, changed, ref next, entry);
            if (isLast)
            {
                while (next < changed.Length) Take(merged, changed[next++]);
            }

            if (merged.Count > range.EntriesMax) merged.RemoveRange(range.EntriesMax, merged.Count - range.EntriesMax);
            if (isLast || merged.Count == range.EntriesMax) return merged;
            committed = owned.Scan(store, range.After(committed[^1].Key.Span));
        }
    }

    /// <summary>Notes a change within a commit to come; a null value removes the key.</summary>
    public void Change(CommitUnit unit, string store, ReadOnlySpan<byte> key, byte[]? value)
    {
        var changes = Find(store) ?? Add(store);
        if (!changes.BySpan.TryGetValue(key, out var changed))
        {
            changed = new ChangedKey(changes.Name, key.ToArray());
            changes.ByKey.Add(changed.Key, changed);
        }

        changed.Value = value;
        unit.CountChange(changed.Key.Length + (value?.Length ?? 0));
        if (changed.LastUnit == unit.Sequence) return;
        changed.LastUnit = unit.Sequence;
        unit.Changed.Add(changed);
    }

    /// <summary>A commit is durable: its changes are read from the engine from now on.</summary>
    public void Uncover(CommitUnit durable)
    {
        foreach (var changed in durable.Changed)
        {
            if (changed.LastUnit == durable.Sequence) _stores[changed.Store].ByKey.Remove(changed.Key);
        }
    }

    private Store? Find(string store)
    {
        if (_lastUsed is not null && string.Equals(_lastUsed.Name, store, StringComparison.Ordinal)) return _lastUsed;
        if (!_stores.TryGetValue(store, out var found)) return null;
        _lastUsed = found;
        return found;
    }

    private Store Add(string store) => _stores[store] = _lastUsed = new Store(store);

    /// <summary>Adds the changes before a committed entry, and the entry or what it was changed to.</summary>
    private static void Merge(
        List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> merged, ChangedKey[] changed, ref int next,
        KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> entry)
    {
        var order = -1;
        while (next < changed.Length && (order = changed[next].Key.AsSpan().SequenceCompareTo(entry.Key.Span)) < 0)
            Take(merged, changed[next++]);
        if (next < changed.Length && order == 0) Take(merged, changed[next++]);
        else merged.Add(entry);
    }

    private static void Take(List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> merged, ChangedKey change)
    {
        if (change.Value is not null) merged.Add(new(change.Key, change.Value));
    }

    private sealed class Store
    {
        public Store(string name)
        {
            Name = name;
            BySpan = ByKey.GetAlternateLookup<ReadOnlySpan<byte>>();
        }

        public string Name { get; }

        public Dictionary<byte[], ChangedKey> ByKey { get; } = new(KeyBytes.Comparer);

        public Dictionary<byte[], ChangedKey>.AlternateLookup<ReadOnlySpan<byte>> BySpan { get; }
    }
}

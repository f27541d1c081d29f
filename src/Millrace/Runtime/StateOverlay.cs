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
        using var changed = changes.Within(range).GetEnumerator();
        var merged = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>(committed.Count);
        var hasNext = changed.MoveNext();
        while (true)
        {
            foreach (var entry in committed)
            {
                var order = -1;
                while (hasNext && (order = changed.Current.Key.AsSpan().SequenceCompareTo(entry.Key.Span)) < 0) hasNext = Take();
                if (hasNext && order == 0) hasNext = Take();
                else merged.Add(entry);
            }

            // What lies behind the last entry of a full page may still be hidden by one that was not read yet.
            var isLast = committed.Count < range.EntriesMax;
            while (isLast && hasNext && merged.Count < range.EntriesMax) hasNext = Take();
            if (isLast || merged.Count >= range.EntriesMax) break;
            committed = owned.Scan(store, range.After(committed[^1].Key.Span));
        }

        if (merged.Count > range.EntriesMax) merged.RemoveRange(range.EntriesMax, merged.Count - range.EntriesMax);
        return merged;

        bool Take()
        {
            if (changed.Current.Value is { } value) merged.Add(new(changed.Current.Key, value));
            return changed.MoveNext();
        }
    }

    /// <summary>Notes a change within a commit to come; a null value removes the key.</summary>
    public void Change(CommitUnit unit, string store, ReadOnlySpan<byte> key, byte[]? value)
    {
        var changes = Find(store) ?? Add(store);
        if (!changes.BySpan.TryGetValue(key, out var changed))
        {
            changed = new ChangedKey(changes.Name, key.ToArray());
            changes.Add(changed);
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
            if (changed.LastUnit == durable.Sequence) _stores[changed.Store].Remove(changed);
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

    private sealed class Store
    {
        private SortedSet<ChangedKey>? _ordered;

        public Store(string name)
        {
            Name = name;
            BySpan = ByKey.GetAlternateLookup<ReadOnlySpan<byte>>();
        }

        public string Name { get; }

        public Dictionary<byte[], ChangedKey> ByKey { get; } = new(KeyBytes.Comparer);

        public Dictionary<byte[], ChangedKey>.AlternateLookup<ReadOnlySpan<byte>> BySpan { get; }

        public void Add(ChangedKey changed)
        {
            ByKey.Add(changed.Key, changed);
            _ordered?.Add(changed);
        }

        public void Remove(ChangedKey changed)
        {
            ByKey.Remove(changed.Key);
            _ordered?.Remove(changed);
        }

        /// <summary>
        /// The changes of a range in order. Whoever scans ranges does so again and again, and changes may be many: they are kept in order
        /// from the first time on.
        /// </summary>
        public IEnumerable<ChangedKey> Within(StateRange range)
        {
            if (_ordered is null)
            {
                if (range == StateRange.All) return ByKey.Values.OrderBy(changed => changed, ByKeyBytes.Comparer);
                _ordered = new SortedSet<ChangedKey>(ByKey.Values, ByKeyBytes.Comparer);
            }

            var from = new ChangedKey(Name, range.From.ToArray());
            if (_ordered.Max is not { } last || ByKeyBytes.Comparer.Compare(from, last) > 0) return [];
            return _ordered.GetViewBetween(from, last).TakeWhile(changed => range.Holds(changed.Key));
        }
    }

    private sealed class ByKeyBytes : IComparer<ChangedKey>
    {
        public static ByKeyBytes Comparer { get; } = new();

        public int Compare(ChangedKey? one, ChangedKey? other) => one!.Key.AsSpan().SequenceCompareTo(other!.Key);
    }
}

namespace Millrace.Messaging;

/// <summary>One key between two commits: its state, and the events of it that wait for one another.</summary>
internal sealed class KeyEntry(byte[] key, int stores)
{
    private readonly StateSlot?[] _slots = new StateSlot?[stores];

    public ReadOnlySpan<byte> Key => key;

    /// <summary>The last event of the key that is under way or waits; the next one queues behind it. Null when the key is free.</summary>
    public HandlerCall? Last { get; set; }

    public StateSlot Slot(int index, StateStore store) => _slots[index] ??= store.NewSlot();

    public StateSlot Slot(int index) => _slots[index] ?? throw new InvalidOperationException("The state of the key was not opened.");

    /// <summary>The state is what it was before the attempt, which may have failed before it opened it.</summary>
    public void Abandon(int index) => _slots[index]?.Abandon();

    public void WriteTo(ProcessorScope scope)
    {
        foreach (var slot in _slots) slot?.WriteTo(scope, key);
    }
}

/// <summary>The keys met since the last commit, in the order in which they were met.</summary>
internal sealed class KeyEntries(int stores)
{
    private readonly List<KeyEntry> _ordered = [];
    private readonly Dictionary<byte[], KeyEntry> _byKey = new(KeyBytes.Comparer);
    private readonly KeyEntry _keyless = new([], stores);

    /// <summary>The entry of a record's key. Records without a key share one, which keeps them in order.</summary>
    public KeyEntry Find(in Record record)
    {
        if (!record.HasKey) return _keyless;
        var lookup = _byKey.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (lookup.TryGetValue(record.Key.Span, out var entry)) return entry;
        var key = record.Key.ToArray();
        entry = new KeyEntry(key, stores);
        _byKey.Add(key, entry);
        _ordered.Add(entry);
        return entry;
    }

    /// <summary>Gives all changed state to the scope and forgets the keys, which bounds memory by what one commit holds.</summary>
    public void WriteTo(ProcessorScope scope)
    {
        foreach (var entry in _ordered) entry.WriteTo(scope);
        _ordered.Clear();
        _byKey.Clear();
    }
}

using System.Buffers;
using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>
/// A map per key: its entries are stored one by one, and each key knows its own in their order. With a limit the map of a key is in memory
/// whole or not at all.
/// </summary>
internal sealed class HeldMap<TKey, TEntry, T> : MapState<TEntry, T>, ISpilling
    where TKey : notnull
    where TEntry : notnull
{
    private readonly StoredValues<(TKey Key, TEntry Entry), T> _values;
    private readonly StateHand<TKey> _hand;
    private readonly Dictionary<TKey, OrderedSet<TEntry>> _entries = [];
    private readonly ArrayBufferWriter<byte> _prefix = new();
    private readonly SizedWriter _sized = new();

    public HeldMap(ValueStorage<TEntry, T> storage, StateHand<TKey> hand)
    {
        _hand = hand;
        var (keys, entries) = (hand.Codec, storage.Ids);
        var ids = new IdBytes<(TKey, TEntry)>(
            (id, output) =>
            {
                _sized.Write(keys, id.Item1, output);
                entries.Write(id.Item2, output);
            },
            bytes => (keys.Read(keys.Version, StateBytes.ReadSized(ref bytes), storage.Store), entries.Read(bytes)),
            keys.Version * 1_000 + entries.Version);
        _values = new StoredValues<(TKey, TEntry), T>(
            new ValueStorage<(TKey, TEntry), T>(storage.Store, storage.Codec, storage.TimeToLive, ids), hand.Spill)
        {
            OnEnded = Forget, IsLoaded = true,
        };
        hand.Spill?.Add(this);
        Store = new MapStore(this);
    }

    public long MemoryBytes => _values.MemoryBytes;

    public KeyedStore<TKey> Store { get; }

    public override int Count => Entries.Count;

    public override IReadOnlyList<KeyValuePair<TEntry, T>> Entries
    {
        get
        {
            if (Loaded() is not { } entries) return [];
            var found = new List<KeyValuePair<TEntry, T>>(entries.Count);
            foreach (var entry in entries)
            {
                if (_values.TryGet((_hand.Key, entry), _hand.Now, out var value)) found.Add(new(entry, value));
            }

            return found;
        }
    }

    public override bool TryGet(TEntry entry, out T value)
    {
        Loaded();
        return _values.TryGet((_hand.Key, entry), _hand.Now, out value);
    }

    public override void Set(TEntry entry, T value)
    {
        _hand.Change();
        Loaded();

        // One that has ended, and was not swept yet, begins anew at the end of the order.
        if (!_values.TryGet((_hand.Key, entry), _hand.Now, out _)) Drop(entry);
        _values.Set((_hand.Key, entry), value, _hand.Now);
        Know((_hand.Key, entry));
    }

    public override bool Remove(TEntry entry)
    {
        _hand.Change();
        Loaded();
        var isThere = _values.TryGet((_hand.Key, entry), _hand.Now, out _);
        Drop(entry);
        return isThere;
    }

    public override void Clear()
    {
        _hand.Change();
        if (Loaded() is not { } entries) return;
        _entries.Remove(_hand.Key);
        foreach (var entry in entries) _values.Remove((_hand.Key, entry));

        // With a limit, the key's map would be looked for in the store before that is saved.
        if (_hand.Spill is not null) _entries.Add(_hand.Key, []);
    }

    public void Age(bool isEverything)
    {
        foreach (var (key, entries) in _entries)
        {
            if (!isEverything && entries.IsRecent)
            {
                entries.IsRecent = false;
                continue;
            }

            foreach (var entry in entries) _values.Forget((key, entry));
            _entries.Remove(key);
        }
    }

    /// <summary>The entries of the key in hand, from the store if they are there only; null when there is none.</summary>
    private OrderedSet<TEntry>? Loaded()
    {
        if (!_entries.TryGetValue(_hand.Key, out var entries))
        {
            if (_hand.Spill is null) return null;
            _prefix.ResetWrittenCount();
            _sized.Write(_hand.Codec, _hand.Key, _prefix);
            _entries.Add(_hand.Key, entries = []);
            foreach (var id in _values.Load(_prefix.WrittenSpan)) entries.Add(id.Entry);
        }

        entries.IsRecent = true;
        return entries;
    }

    private void Drop(TEntry entry)
    {
        if (_values.Remove((_hand.Key, entry))) Forget((_hand.Key, entry));
    }

    private void Know((TKey Key, TEntry Entry) id)
    {
        if (!_entries.TryGetValue(id.Key, out var entries)) _entries.Add(id.Key, entries = []);
        entries.Add(id.Entry);
    }

    private void Forget((TKey Key, TEntry Entry) id)
    {
        if (!_entries.TryGetValue(id.Key, out var entries)) return;
        entries.Remove(id.Entry);
        if (entries.Count == 0 && _hand.Spill is null) _entries.Remove(id.Key);
    }

    private sealed class MapStore(HeldMap<TKey, TEntry, T> map) : KeyedStore<TKey>
    {
        public override int Entries => map._values.Count;

        public override long Bytes => map._values.Bytes;

        public override long MemoryBytes => map._values.MemoryBytes;

        public override void Save(StateScope scope) => map._values.Save(scope, map._hand.Now);

        public override void Restore(StateScope scope) => map._values.Restore(scope, map.Know);
    }
}

/// <summary>Distinct items in the order in which they came.</summary>
internal sealed class OrderedSet<T> : System.Collections.IEnumerable
    where T : notnull
{
    private readonly Dictionary<T, LinkedListNode<T>> _nodes = [];
    private readonly LinkedList<T> _order = [];

    public int Count => _nodes.Count;

    /// <summary>Whether it was used lately.</summary>
    public bool IsRecent { get; set; }

    public void Add(T item)
    {
        if (_nodes.ContainsKey(item)) return;
        _nodes.Add(item, _order.AddLast(item));
    }

    public void Remove(T item)
    {
        if (_nodes.Remove(item, out var node)) _order.Remove(node);
    }

    public LinkedList<T>.Enumerator GetEnumerator() => _order.GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => _order.GetEnumerator();
}

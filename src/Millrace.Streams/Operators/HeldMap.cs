using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>A map per key: its entries are stored one by one, and each key knows its own in their order.</summary>
internal sealed class HeldMap<TKey, TEntry, T> : MapState<TEntry, T>
    where TKey : notnull
    where TEntry : notnull
{
    private readonly StoredValues<(TKey Key, TEntry Entry), T> _values;
    private readonly StateHand<TKey> _hand;
    private readonly Dictionary<TKey, OrderedSet<TEntry>> _entries = [];

    public HeldMap(string store, StateCodec<T> codec, long? timeToLive, StateHand<TKey> hand, StateCodec<TEntry> entries)
    {
        _hand = hand;
        var keys = hand.Codec;
        var one = new System.Buffers.ArrayBufferWriter<byte>();
        _values = new StoredValues<(TKey, TEntry), T>(
            store, codec, timeToLive,
            (id, output) =>
            {
                one.ResetWrittenCount();
                keys.Write(id.Item1, one);
                output.WriteInt32(one.WrittenCount);
                System.Buffers.BuffersExtensions.Write(output, one.WrittenSpan);
                entries.Write(id.Item2, output);
            },
            bytes =>
            {
                var length = StateBytes.ReadInt32(ref bytes);
                return (keys.Read(keys.Version, bytes[..length], store), entries.Read(entries.Version, bytes[length..], store));
            },
            keys.Version * 1_000 + entries.Version) { OnEnded = Forget };
        Store = new MapStore(this);
    }

    public KeyedStore<TKey> Store { get; }

    public override int Count => Entries.Count;

    public override IReadOnlyList<KeyValuePair<TEntry, T>> Entries
    {
        get
        {
            if (!_entries.TryGetValue(_hand.Key, out var entries)) return [];
            var found = new List<KeyValuePair<TEntry, T>>(entries.Count);
            foreach (var entry in entries)
            {
                if (_values.TryGet((_hand.Key, entry), _hand.Now, out var value)) found.Add(new(entry, value));
            }

            return found;
        }
    }

    public override bool TryGet(TEntry entry, out T value) => _values.TryGet((_hand.Key, entry), _hand.Now, out value);

    public override void Set(TEntry entry, T value)
    {
        _hand.Change();
        // One that has ended, and was not swept yet, begins anew at the end of the order.
        if (!_values.TryGet((_hand.Key, entry), _hand.Now, out _)) Drop(entry);
        _values.Set((_hand.Key, entry), value, _hand.Now);
        Know((_hand.Key, entry));
    }

    public override bool Remove(TEntry entry)
    {
        _hand.Change();
        var isThere = _values.TryGet((_hand.Key, entry), _hand.Now, out _);
        Drop(entry);
        return isThere;
    }

    public override void Clear()
    {
        _hand.Change();
        if (!_entries.Remove(_hand.Key, out var entries)) return;
        foreach (var entry in entries) _values.Remove((_hand.Key, entry));
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
        if (entries.Count == 0) _entries.Remove(id.Key);
    }

    private sealed class MapStore(HeldMap<TKey, TEntry, T> map) : KeyedStore<TKey>
    {
        public override int Entries => map._values.Count;

        public override long Bytes => map._values.Bytes;

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

using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>Makes a function's states.</summary>
internal sealed class KeyedStates<TKey>(string prefix, StateHand<TKey> hand) : StateDeclarations
    where TKey : notnull
{
    private const int NameCharactersMax = 100;

    private readonly Dictionary<string, KeyedStore<TKey>> _stores = new(StringComparer.Ordinal);
    private bool _isClosed;

    public int Entries => _stores.Values.Sum(store => store.Entries);

    public long Bytes => _stores.Values.Sum(store => store.Bytes);

    public long MemoryBytes => _stores.Values.Sum(store => store.MemoryBytes);

    public override ValueState<T> Value<T>(string name, StateOptions<T>? options = null)
    {
        var values = Values(name, options ?? new StateOptions<T>());
        var state = new HeldValue<T>(values, hand);
        _stores.Add(name, new SimpleStore<T>(values, hand));
        return state;
    }

    public override ListState<T> List<T>(string name, StateOptions<T>? options = null)
    {
        options ??= new StateOptions<T>();
        var values = Values(name, new StateOptions<T[]>
        {
            Codec = Lists.Codec(options.Codec ?? StateCodecs.Default<T>()), TimeToLive = options.TimeToLive,
        });
        _stores.Add(name, new SimpleStore<T[]>(values, hand));
        return new HeldList<T>(values, hand);
    }

    public override MapState<TEntry, T> Map<TEntry, T>(string name, StateOptions<T>? options = null, StateCodec<TEntry>? entries = null)
    {
        options ??= new StateOptions<T>();
        var map = new HeldMap<TKey, TEntry, T>(Storage(name, options, entries ?? StateCodecs.Default<TEntry>()), hand);
        _stores.Add(name, map.Store);
        return map;
    }

    public void Close() => _isClosed = true;

    public void Save(StateScope scope)
    {
        foreach (var store in _stores.Values) store.Save(scope);
    }

    public void Restore(StateScope scope)
    {
        foreach (var store in _stores.Values) store.Restore(scope);
    }

    private StoredValues<TKey, T> Values<T>(string name, StateOptions<T> options)
    {
        var values = new StoredValues<TKey, T>(Storage(name, options, hand.Codec), hand.Spill);
        hand.Spill?.Add(values);
        return values;
    }

    private ValueStorage<TId, T> Storage<TId, T>(string name, StateOptions<T> options, StateCodec<TId> ids) => new(
        Store(name, options), options.Codec ?? StateCodecs.Default<T>(), Milliseconds(options),
        new IdBytes<TId>(ids.Write, bytes => ids.Read(ids.Version, bytes, name), ids.Version));

    private string Store<T>(string name, StateOptions<T> options)
    {
        if (_isClosed) throw new InvalidOperationException("States are declared in Open only.");
        if (!TopicSpecification.IsValidName(name) || name.Length > NameCharactersMax)
        {
            throw new ArgumentException(
                $"State name '{name}' is not 1 to {NameCharactersMax} characters of [a-zA-Z0-9._-] (and not '.' or '..').", nameof(name));
        }

        if (_stores.ContainsKey(name)) throw new ArgumentException($"The function has a state '{name}' already.", nameof(name));
        if (options.TimeToLive < TimeSpan.FromMilliseconds(1))
        {
            throw new ArgumentException(
                $"State '{name}' has a time to live of {options.TimeToLive}; it is at least a millisecond.", nameof(options));
        }

        return $"{prefix}-{name}";
    }

    private static long? Milliseconds<T>(StateOptions<T> options) =>
        options.TimeToLive is { } time ? EventTime.Milliseconds(time) : null;

    private sealed class SimpleStore<T>(StoredValues<TKey, T> values, StateHand<TKey> hand) : KeyedStore<TKey>
    {
        public override int Entries => values.Count;

        public override long Bytes => values.Bytes;

        public override long MemoryBytes => values.MemoryBytes;

        public override void Save(StateScope scope) => values.Save(scope, hand.Now);

        public override void Restore(StateScope scope) => values.Restore(scope, null);
    }

    private sealed class HeldValue<T>(StoredValues<TKey, T> values, StateHand<TKey> hand) : ValueState<T>
    {
        public override bool HasValue => values.TryGet(hand.Key, hand.Now, out _);

        public override T? Value
        {
            get => values.TryGet(hand.Key, hand.Now, out var value) ? value : default;
            set
            {
                hand.Change();
                values.Set(hand.Key, value!, hand.Now);
            }
        }

        public override void Clear()
        {
            hand.Change();
            values.Remove(hand.Key);
        }
    }

    private sealed class HeldList<T>(StoredValues<TKey, T[]> values, StateHand<TKey> hand) : ListState<T>
    {
        public override IReadOnlyList<T> Items => values.TryGet(hand.Key, hand.Now, out var items) ? items : [];

        public override void Add(T item) => Set([.. Items, item]);

        public override void Set(IEnumerable<T> items)
        {
            ArgumentNullException.ThrowIfNull(items);
            T[] copied = [.. items];
            hand.Change();
            if (copied.Length == 0) values.Remove(hand.Key);
            else values.Set(hand.Key, copied, hand.Now);
        }

        public override void Clear()
        {
            hand.Change();
            values.Remove(hand.Key);
        }
    }
}

/// <summary>Lists as one value: how many, and each with its length before it.</summary>
internal static class Lists
{
    public static StateCodec<T[]> Codec<T>(StateCodec<T> item) => new(
        item.Version,
        (items, output) =>
        {
            var sized = new SizedWriter();
            output.WriteInt32(items.Length);
            foreach (var value in items) sized.Write(item, value, output);
        },
        item.Readers.ToDictionary(pair => pair.Key, pair => new StateReader<T[]>(bytes => Read(bytes, pair.Value))));

    private static T[] Read<T>(ReadOnlySpan<byte> bytes, StateReader<T> reader)
    {
        var items = new T[StateBytes.ReadInt32(ref bytes)];
        for (var i = 0; i < items.Length; i++) items[i] = reader(StateBytes.ReadSized(ref bytes));
        return items;
    }
}

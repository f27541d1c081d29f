namespace Millrace.Streams;

/// <summary>How a state is kept. Immutable.</summary>
/// <typeparam name="T">The values' type.</typeparam>
public sealed record StateOptions<T>
{
    /// <summary>How values become bytes; <see cref="StateCodecs.Default"/> when null.</summary>
    public StateCodec<T>? Codec { get; init; }

    /// <summary>
    /// After what processing time since it was last written a value is gone: it is not seen any more from then on, and removed with a later
    /// commit. Null, the default, for never.
    /// </summary>
    public TimeSpan? TimeToLive { get; init; }
}

/// <summary>
/// Where a <see cref="ProcessFunction{TKey, TIn, TOut}"/> says which states it has. A state's name is what it is found by after a restart.
/// </summary>
public abstract class StateDeclarations
{
    private protected StateDeclarations()
    {
    }

    /// <summary>One value per key.</summary>
    /// <typeparam name="T">The value's type. Use immutable values: a change within one, without an assignment, is not kept.</typeparam>
    /// <param name="name">The state's name: 1 to 100 of <c>[a-zA-Z0-9._-]</c>, once per function.</param>
    /// <param name="options">How it is kept; the defaults when null.</param>
    /// <exception cref="ArgumentException">The name is not possible or used already, or the time to live is not more than zero.</exception>
    public abstract ValueState<T> Value<T>(string name, StateOptions<T>? options = null);

    /// <summary>A list per key. It is stored as one value: for lists that stay short.</summary>
    /// <typeparam name="T">The items' type.</typeparam>
    /// <param name="name">The state's name: 1 to 100 of <c>[a-zA-Z0-9._-]</c>, once per function.</param>
    /// <param name="options">How items are kept; the list lives as long as it is written to. The defaults when null.</param>
    /// <exception cref="ArgumentException">The name is not possible or used already, or the time to live is not more than zero.</exception>
    public abstract ListState<T> List<T>(string name, StateOptions<T>? options = null);

    /// <summary>A map per key, whose entries are stored one by one.</summary>
    /// <typeparam name="TEntry">The type of the map's keys.</typeparam>
    /// <typeparam name="T">The type of its values.</typeparam>
    /// <param name="name">The state's name: 1 to 100 of <c>[a-zA-Z0-9._-]</c>, once per function.</param>
    /// <param name="options">How values are kept, each with its own time to live; the defaults when null.</param>
    /// <param name="entries">How the map's keys become bytes; <see cref="StateCodecs.Default"/> when null.</param>
    /// <exception cref="ArgumentException">The name is not possible or used already, or the time to live is not more than zero.</exception>
    public abstract MapState<TEntry, T> Map<TEntry, T>(string name, StateOptions<T>? options = null, StateCodec<TEntry>? entries = null)
        where TEntry : notnull;
}

/// <summary>A value of the key in hand. Use it only within calls of its function.</summary>
/// <typeparam name="T">The value's type.</typeparam>
public abstract class ValueState<T>
{
    private protected ValueState()
    {
    }

    /// <summary>Whether the key has a value.</summary>
    public abstract bool HasValue { get; }

    /// <summary>The key's value; the type's default when it has none. Assigning it keeps it.</summary>
    public abstract T? Value { get; set; }

    /// <summary>The key has no value any more.</summary>
    public abstract void Clear();
}

/// <summary>A list of the key in hand. Use it only within calls of its function.</summary>
/// <typeparam name="T">The items' type.</typeparam>
public abstract class ListState<T>
{
    private protected ListState()
    {
    }

    /// <summary>The items in the order in which they were added; empty when there is none.</summary>
    public abstract IReadOnlyList<T> Items { get; }

    /// <summary>Adds an item at the end.</summary>
    public abstract void Add(T item);

    /// <summary>Replaces all items.</summary>
    public abstract void Set(IEnumerable<T> items);

    /// <summary>Removes all items.</summary>
    public abstract void Clear();
}

/// <summary>A map of the key in hand. Use it only within calls of its function.</summary>
/// <typeparam name="TEntry">The type of the map's keys.</typeparam>
/// <typeparam name="T">The type of its values.</typeparam>
public abstract class MapState<TEntry, T>
    where TEntry : notnull
{
    private protected MapState()
    {
    }

    /// <summary>How many entries the key has.</summary>
    public abstract int Count { get; }

    /// <summary>The entries in the order in which they were first set, also after a restart. A copy: the map may be changed
    /// meanwhile.</summary>
    public abstract IReadOnlyList<KeyValuePair<TEntry, T>> Entries { get; }

    /// <summary>Finds an entry.</summary>
    public abstract bool TryGet(TEntry entry, out T value);

    /// <summary>Sets an entry.</summary>
    public abstract void Set(TEntry entry, T value);

    /// <summary>Removes an entry; false when there is none.</summary>
    public abstract bool Remove(TEntry entry);

    /// <summary>Removes all entries.</summary>
    public abstract void Clear();
}

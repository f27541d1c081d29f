using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace;

/// <summary>
/// Which event types there are, and which C# record each one is: closed once built, so that a type name from the wire never chooses a CLR
/// type. Events of other types are kept in the log and passed over by who does not know them. Immutable and thread safe.
/// </summary>
public sealed class EventRegistry
{
    private readonly EventContract?[] _table;
    private readonly FrozenDictionary<Type, EventContract> _byClrType;

    internal EventRegistry(IReadOnlyList<EventContract> contracts, IReadOnlyDictionary<Type, EventContract> byClrType)
    {
        Contracts = contracts;
        _byClrType = byClrType.ToFrozenDictionary();
        _table = new EventContract?[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, contracts.Count * 2))];
        foreach (var contract in contracts)
        {
            var slot = SlotOf(contract.Utf8Type.Span);
            while (_table[slot] is not null) slot = (slot + 1) & (_table.Length - 1);
            _table[slot] = contract;
        }
    }

    /// <summary>All contracts, old ones too, in the order of their registration.</summary>
    public IReadOnlyList<EventContract> Contracts { get; }

    /// <summary>Builds a registry.</summary>
    /// <exception cref="ArgumentException">
    /// A type is registered twice, or an old one leads to no current one; the message names it.
    /// </exception>
    public static EventRegistry Create(Action<EventRegistryBuilder> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        var builder = new EventRegistryBuilder();
        fill(builder);
        return builder.Build();
    }

    /// <summary>The contract of a type as it stands in an event, or null when there is none. Hot path: allocates nothing.</summary>
    public EventContract? Find(ReadOnlySpan<byte> utf8Type)
    {
        var slot = SlotOf(utf8Type);
        while (_table[slot] is { } contract)
        {
            if (contract.Utf8Type.Span.SequenceEqual(utf8Type)) return contract;
            slot = (slot + 1) & (_table.Length - 1);
        }

        return null;
    }

    /// <summary>The contract of a type, or null when there is none.</summary>
    public EventContract? Find(string type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Find(Encoding.UTF8.GetBytes(type));
    }

    /// <summary>The contract by which an object of that class is said.</summary>
    /// <exception cref="ArgumentException">The class is not registered, or only as an old version, which is read but not said.</exception>
    public EventContract Find(Type clrType)
    {
        ArgumentNullException.ThrowIfNull(clrType);
        if (_byClrType.TryGetValue(clrType, out var contract)) return contract;
        var old = Contracts.FirstOrDefault(c => c.StoredClrType == clrType);
        throw new ArgumentException(old is null
            ? $"{clrType} is not registered as an event: add it to the EventRegistry."
            : $"{clrType} is the old version '{old.Type}', which is read but not said: say a {old.ClrType} instead.");
    }

    /// <summary>Reads an event's data.</summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.UnknownEventType"/> when the type is not registered, <see cref="FailureCodes.DataMismatch"/> when the data
    /// does not fit it.
    /// </exception>
    public object Read(in EventView view)
    {
        var contract = Find(view.Type.Span) ?? throw new MillraceException(
            FailureCodes.UnknownEventType,
            $"Event {EventText.Quote(view.Id.Span)} has the type {EventText.Quote(view.Type.Span)}, which is not registered.");
        return contract.Read(view);
    }

    private int SlotOf(ReadOnlySpan<byte> utf8Type) => (int)Crc32C.Of(utf8Type) & (_table.Length - 1);
}

/// <summary>Collects the contracts of an <see cref="EventRegistry"/>. Not thread safe.</summary>
public sealed class EventRegistryBuilder
{
    private readonly List<EventContract> _contracts = [];
    private readonly Dictionary<JsonSerializerOptions, JsonSerializerOptions> _exact = [];

    /// <summary>Adds an event type.</summary>
    /// <param name="type">The CloudEvents type.</param>
    /// <param name="topic">The topic that it is said to.</param>
    /// <param name="data">
    /// How the data is read and written, from a source-generated context. Its options are copied, with <see cref="ExactDecimalConverter"/>
    /// put in unless they convert decimals in a way of their own.
    /// </param>
    /// <param name="key">The record's key, which places it and keeps its order; never null or empty.</param>
    /// <param name="settings">Anything else, or null for the defaults.</param>
    /// <exception cref="ArgumentException">The type or the class is registered already, or a name breaks a rule.</exception>
    public EventRegistryBuilder Add<T>(
        string type, string topic, JsonTypeInfo<T> data, Func<T, string> key, EventSettings<T>? settings = null)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(key);
        new TopicSpecification { Name = topic }.Validate();
        settings ??= new EventSettings<T>();
        Register(new CurrentContract<T>(type, topic, Exact(data), key, settings));
        return this;
    }

    /// <summary>
    /// Adds an old version of an event type: it is read and lifted, never said. The lift leads to a class that is registered as current, or
    /// to another old version, which is lifted in turn.
    /// </summary>
    /// <param name="type">The CloudEvents type that the old events have.</param>
    /// <param name="data">How their data is read.</param>
    /// <param name="lift">Makes the newer version of it; a pure function.</param>
    /// <exception cref="ArgumentException">The type is registered already.</exception>
    public EventRegistryBuilder AddOld<TOld, TNew>(string type, JsonTypeInfo<TOld> data, Func<TOld, TNew> lift)
        where TOld : class
        where TNew : class
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(lift);
        Register(new OldContract<TOld, TNew>(type, Exact(data), lift));
        return this;
    }

    /// <summary>Closes the registry.</summary>
    /// <exception cref="ArgumentException">An old version leads to no current one.</exception>
    public EventRegistry Build()
    {
        var current = _contracts.Where(c => !c.IsOld).ToDictionary(c => c.StoredClrType);
        foreach (var contract in _contracts.Where(c => c.IsOld)) contract.Resolve(NextOf(contract, current));
        foreach (var contract in _contracts.Where(c => c.IsOld)) RequireEnd(contract);
        return new EventRegistry(_contracts.ToArray(), current);
    }

    private void Register(EventContract contract)
    {
        if (_contracts.Exists(c => c.Type == contract.Type))
            throw new ArgumentException($"The event type '{contract.Type}' is registered twice.");
        if (!contract.IsOld && _contracts.Find(c => !c.IsOld && c.StoredClrType == contract.StoredClrType) is { } same)
        {
            throw new ArgumentException(
                $"{contract.StoredClrType} is registered twice, as '{same.Type}' and as '{contract.Type}': "
                + "which one is said would be open.");
        }

        _contracts.Add(contract);
    }

    private EventContract NextOf(EventContract old, Dictionary<Type, EventContract> current)
    {
        if (current.TryGetValue(old.LiftedClrType, out var next)) return next;
        var olds = _contracts.FindAll(c => c.IsOld && c != old && c.StoredClrType == old.LiftedClrType);
        return olds.Count switch
        {
            1 => olds[0],
            0 => throw new ArgumentException($"The old event type '{old.Type}' is lifted to {old.LiftedClrType}, which is not registered."),
            _ => throw new ArgumentException(
                $"The old event type '{old.Type}' is lifted to {old.LiftedClrType}, "
                + $"which is registered as {olds.Count} old versions: '{olds[0].Type}' and '{olds[1].Type}'."),
        };
    }

    private void RequireEnd(EventContract old)
    {
        var at = old;
        for (var steps = 0; at.IsOld; steps++)
        {
            if (steps > _contracts.Count)
                throw new ArgumentException($"The old event type '{old.Type}' is lifted in a circle, never to a current one.");
            at = at.Next;
        }
    }

    private JsonTypeInfo<T> Exact<T>(JsonTypeInfo<T> data)
    {
        if (!_exact.TryGetValue(data.Options, out var options))
        {
            options = new JsonSerializerOptions(data.Options);
            if (!options.Converters.Any(c => c.CanConvert(typeof(decimal)))) options.Converters.Add(new ExactDecimalConverter());
            options.MakeReadOnly();
            _exact.Add(data.Options, options);
        }

        return (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));
    }
}

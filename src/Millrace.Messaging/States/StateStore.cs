using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace.Messaging;

/// <summary>A store of keyed state as it was defined: its name and how its values are written.</summary>
internal abstract class StateStore(string name, Type valueType)
{
    private const int NameLengthMax = 100;

    public string Name { get; } = name;

    public Type ValueType { get; } = valueType;

    public abstract StateSlot NewSlot();

    public static void RequireName(string name)
    {
        if (string.IsNullOrEmpty(name) || name.Length > NameLengthMax || !name.All(c => char.IsAsciiLetterOrDigit(c)
            || c is '.' or '_' or '-'))
            throw new ArgumentException(
                $"State store name '{name}' is not 1 to {NameLengthMax} characters of [a-zA-Z0-9._-].", nameof(name));
        if (name.StartsWith(SeenEvents.Store, StringComparison.Ordinal))
            throw new ArgumentException(
                $"State store name '{name}' begins with '{SeenEvents.Store}', where handled events are remembered.", nameof(name));
    }
}

/// <inheritdoc cref="StateStore"/>
internal sealed class StateStore<T>(string name, JsonTypeInfo<T> type) : StateStore(name, typeof(T))
    where T : notnull
{
    public JsonTypeInfo<T> Type { get; } = type;

    public override StateSlot NewSlot() => new StateSlot<T>(this);
}

/// <summary>
/// One key's value of one store between two commits: read once, written as bytes after each event that changed it. The bytes are what a
/// failed attempt falls back to, so that a handler may not leave half a change behind, and what the commit takes.
/// </summary>
internal abstract class StateSlot
{
    /// <summary>The state as a handler's argument, a <see cref="State{T}"/>.</summary>
    public abstract object Open(ProcessorScope scope, ReadOnlySpan<byte> key);

    /// <summary>The handler has ended well: writes what it changed, provisionally. May throw what serialisation throws.</summary>
    public abstract void Prepare(StateWriter writer);

    /// <summary>Makes what was prepared the key's value. Cannot fail.</summary>
    public abstract void Accept();

    /// <summary>The attempt failed: the key's value is what it was before.</summary>
    public abstract void Abandon();

    /// <summary>Gives the value to the scope, if it changed.</summary>
    public abstract void WriteTo(ProcessorScope scope, ReadOnlySpan<byte> key);
}

/// <inheritdoc cref="StateSlot"/>
internal sealed class StateSlot<T>(StateStore<T> store) : StateSlot
    where T : notnull
{
    private State<T>? _open;
    private T? _value;
    private bool _hasValue;
    private bool _isLoaded;
    private byte[]? _bytes;
    private byte[]? _prepared;
    private bool _isDirty;

    public override object Open(ProcessorScope scope, ReadOnlySpan<byte> key)
    {
        if (!_isLoaded) Load(scope, key);
        return _open = _hasValue ? new State<T>(_value!) : new State<T>();
    }

    public override void Prepare(StateWriter writer)
    {
        _open!.Close();
        _prepared = _open is { IsChanged: true, HasValue: true } ? writer.Write(_open.Value!, store.Type) : null;
    }

    public override void Accept()
    {
        if (_open!.IsChanged) (_value, _hasValue, _bytes, _isDirty) = (_open.Value, _open.HasValue, _prepared, true);
        (_open, _prepared) = (null, null);
    }

    public override void Abandon()
    {
        _open?.Close();
        // The handler may have changed the object in place: it is read again from its bytes.
        (_open, _prepared, _value, _isLoaded) = (null, null, default, false);
    }

    public override void WriteTo(ProcessorScope scope, ReadOnlySpan<byte> key)
    {
        if (!_isDirty) return;
        if (_bytes is not null) scope.Put(store.Name, key, _bytes);
        else scope.Delete(store.Name, key);
        _isDirty = false;
    }

    private void Load(ProcessorScope scope, ReadOnlySpan<byte> key)
    {
        ReadOnlyMemory<byte> bytes = _bytes;
        _hasValue = _isDirty ? _bytes is not null : scope.TryGet(store.Name, key, out bytes);
        _value = _hasValue ? Read(bytes.Span, key) : default;
        _isLoaded = true;
    }

    private T Read(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> key)
    {
        Exception? cause = null;
        try
        {
            if (JsonSerializer.Deserialize(bytes, store.Type) is { } value) return value;
        }
        catch (Exception failure) when (failure is JsonException or NotSupportedException)
        {
            cause = failure;
        }

        // Not the event's fault: the processor stops here and tries again, and no event is given up.
        throw new MillraceException(
            FailureCodes.Corrupt,
            $"The state in store '{store.Name}' of key '{System.Text.Encoding.UTF8.GetString(key)}' cannot be read as {typeof(T).Name}; " +
            "give the type back the shape that it was written with, or a converter that reads both.",
            cause);
    }
}

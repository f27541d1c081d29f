using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace;

/// <summary>What may be said about an event type beyond what every one needs.</summary>
public sealed record EventSettings<T>
{
    /// <summary>The event's subject; null, or a null result, for none.</summary>
    public Func<T, string?>? Subject { get; init; }

    /// <summary>How the event is written. Structured by default.</summary>
    public EventMode Mode { get; init; } = EventMode.Structured;

    /// <summary>The URI of the data's schema, written as <c>dataschema</c>; null for none.</summary>
    public string? DataSchema { get; init; }
}

/// <summary>
/// One registered event type: the C# record that its data is, the topic and the key by which it is said. Of an old version all but
/// <see cref="Type"/> are those of the current version that it is lifted to. Immutable and thread safe.
/// </summary>
public abstract class EventContract
{
    private EventContract? _next;

    private protected EventContract(string type)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        Type = type;
        Utf8Type = Encoding.UTF8.GetBytes(type);
        if (!EventText.IsAllowed(Utf8Type.Span))
            throw new ArgumentException($"The event type '{type}' holds a character that CloudEvents forbids.");
    }

    /// <summary>The CloudEvents type.</summary>
    public string Type { get; }

    /// <summary>True for an old version: it is read and lifted, never said.</summary>
    public abstract bool IsOld { get; }

    /// <summary>The current version that an old one is lifted to; itself, when it is not old.</summary>
    public EventContract Current => IsOld ? Next.Current : this;

    /// <summary>The class of what <see cref="Read"/> gives.</summary>
    public Type ClrType => Current.StoredClrType;

    /// <summary>The topic that it is said to.</summary>
    public abstract string Topic { get; }

    /// <summary>How it is written. Either mode is read.</summary>
    public abstract EventMode Mode { get; }

    /// <summary>Reads an event's data, lifted to the current version.</summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.DataMismatch"/> with the event's id, the JSON path and the reason.
    /// </exception>
    public abstract object Read(in EventView view);

    /// <summary>The record's key for an event of this type.</summary>
    /// <exception cref="ArgumentException">The data is of another class, or its key is null or empty.</exception>
    public abstract string KeyOf(object data);

    /// <summary>The event's subject, or null.</summary>
    /// <exception cref="ArgumentException">The data is of another class.</exception>
    public abstract string? SubjectOf(object data);

    /// <inheritdoc/>
    public override string ToString() => $"{Type} ({ClrType.Name})";

    internal ReadOnlyMemory<byte> Utf8Type { get; }

    internal abstract Type StoredClrType { get; }

    internal abstract Type LiftedClrType { get; }

    internal abstract string? DataSchema { get; }

    internal EventContract Next => _next ?? throw new InvalidOperationException($"The old event type '{Type}' has not been resolved.");

    internal void Resolve(EventContract next) => _next = next;

    internal abstract void Write(Utf8JsonWriter json, object data);

    /// <summary>Brings data of the stored class to the current one.</summary>
    internal abstract object Lift(object stored, in EventView view);

    private protected T Read<T>(in EventView view, JsonTypeInfo<T> data)
        where T : class
    {
        if (!view.HasData) throw Mismatch(view, "it has no data");
        if (!view.HasJsonData) throw Mismatch(view, $"its data is {EventText.Quote(view.DataContentType.Span)}, not JSON");
        try
        {
            return JsonSerializer.Deserialize(view.Data.Span, data) ?? throw Mismatch(view, "its data is null");
        }
        catch (JsonException failure)
        {
            throw Mismatch(view, $"at {failure.Path ?? "$"}: {failure.Message}", failure);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw Mismatch(view, failure.Message, failure);
        }
    }

    private protected MillraceException Mismatch(in EventView view, string reason, Exception? inner = null) => new(
        FailureCodes.DataMismatch,
        $"The data of event {EventText.Quote(view.Id.Span)} from {EventText.Quote(view.Source.Span)} "
        + $"does not fit its type '{Type}': {reason.TrimEnd('.')}.",
        inner);

    /// <summary>What constructors, setters and converters throw when a value does not suit them.</summary>
    private protected static bool IsRefusal(Exception failure) =>
        failure is ArgumentException or FormatException or OverflowException or InvalidOperationException or NotSupportedException;
}

internal sealed class CurrentContract<T>(
    string type, string topic, JsonTypeInfo<T> data, Func<T, string> key, EventSettings<T> settings) : EventContract(type)
    where T : class
{
    public override bool IsOld => false;

    public override string Topic { get; } = topic;

    public override EventMode Mode { get; } = Enum.IsDefined(settings.Mode)
        ? settings.Mode
        : throw new ArgumentException($"The event type '{type}' asks for mode {(int)settings.Mode}, which is not known.");

    internal override Type StoredClrType => typeof(T);

    internal override Type LiftedClrType => typeof(T);

    internal override string? DataSchema { get; } = settings.DataSchema;

    public override object Read(in EventView view) => Read(view, data);

    public override string KeyOf(object data)
    {
        var value = key(Require(data));
        return string.IsNullOrEmpty(value) ? throw new ArgumentException($"The key of an event of type '{Type}' is empty.") : value;
    }

    public override string? SubjectOf(object data) => settings.Subject?.Invoke(Require(data));

    internal override void Write(Utf8JsonWriter json, object value) => JsonSerializer.Serialize(json, Require(value), data);

    internal override object Lift(object stored, in EventView view) => stored;

    private T Require(object value) =>
        value as T ?? throw new ArgumentException($"The event type '{Type}' is a {typeof(T)}, not a {value?.GetType()}.");
}

internal sealed class OldContract<TOld, TNew>(string type, JsonTypeInfo<TOld> data, Func<TOld, TNew> lift) : EventContract(type)
    where TOld : class
    where TNew : class
{
    public override bool IsOld => true;

    public override string Topic => Current.Topic;

    public override EventMode Mode => Current.Mode;

    internal override Type StoredClrType => typeof(TOld);

    internal override Type LiftedClrType => typeof(TNew);

    internal override string? DataSchema => Current.DataSchema;

    public override object Read(in EventView view) => Lift(Read(view, data), view);

    public override string KeyOf(object data) => Current.KeyOf(data);

    public override string? SubjectOf(object data) => Current.SubjectOf(data);

    internal override void Write(Utf8JsonWriter json, object value) =>
        throw new ArgumentException($"The event type '{Type}' is an old version, which is read but not said.");

    internal override object Lift(object stored, in EventView view)
    {
        TNew? lifted;
        try
        {
            lifted = lift((TOld)stored);
        }
        catch (Exception failure) when (IsRefusal(failure))
        {
            throw Mismatch(view, $"it cannot be lifted to {typeof(TNew)}: {failure.Message}", failure);
        }

        return lifted is null ? throw Mismatch(view, $"it was lifted to null instead of a {typeof(TNew)}") : Next.Lift(lifted, view);
    }
}

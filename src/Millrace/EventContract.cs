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
/// One registered event type: the C# record that its data is, the topic and the key by which it is said. Of an old version all but <see
/// cref="Type"/> are those of the current version that it is lifted to. Immutable and thread safe.
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

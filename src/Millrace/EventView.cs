using System.Text;

namespace Millrace;

/// <summary>
/// An event read in place: its attributes are slices of UTF-8 in the record, copied only where JSON escapes forced it. Valid as long as the
/// record is. An attribute that the event does not have is empty. Pass it by <c>in</c>; it is large. Made by <see cref="EventCodec"/>.
/// </summary>
public readonly struct EventView
{
    private readonly EventSlices _slices;
    private readonly List<EventExtension>? _extensions;

    internal EventView(EventMode mode, in EventParts parts)
    {
        _slices = parts.Slices;
        _extensions = parts.Extensions;
        (Mode, Time, HasData, Data) = (mode, parts.Time, parts.HasData, parts.Data);
    }

    /// <summary>How the event lay in its record.</summary>
    public EventMode Mode { get; }

    /// <summary>Identifies the event within its source. Never empty in an event that was read.</summary>
    public ReadOnlyMemory<byte> Id => _slices[(int)EventAttribute.Id];

    /// <summary>Who said it. Never empty in an event that was read.</summary>
    public ReadOnlyMemory<byte> Source => _slices[(int)EventAttribute.Source];

    /// <summary>What happened. Never empty in an event that was read.</summary>
    public ReadOnlyMemory<byte> Type => _slices[(int)EventAttribute.Type];

    /// <summary>What it happened to.</summary>
    public ReadOnlyMemory<byte> Subject => _slices[(int)EventAttribute.Subject];

    /// <summary>When it happened, in UTC, exact to 100 nanoseconds; finer digits are cut off.</summary>
    public DateTimeOffset? Time { get; }

    /// <summary>The data's media type; empty means <c>application/json</c>.</summary>
    public ReadOnlyMemory<byte> DataContentType => _slices[(int)EventAttribute.DataContentType];

    /// <summary>Where the data's schema is.</summary>
    public ReadOnlyMemory<byte> DataSchema => _slices[(int)EventAttribute.DataSchema];

    /// <summary>The business transaction that the event belongs to.</summary>
    public ReadOnlyMemory<byte> CorrelationId => _slices[(int)EventAttribute.CorrelationId];

    /// <summary>The id of the event that led to this one.</summary>
    public ReadOnlyMemory<byte> CausationId => _slices[(int)EventAttribute.CausationId];

    /// <summary>The W3C trace context.</summary>
    public ReadOnlyMemory<byte> TraceParent => _slices[(int)EventAttribute.TraceParent];

    /// <summary>The W3C trace context's vendor part.</summary>
    public ReadOnlyMemory<byte> TraceState => _slices[(int)EventAttribute.TraceState];

    /// <summary>What the producer wanted the event to be placed by.</summary>
    public ReadOnlyMemory<byte> PartitionKey => _slices[(int)EventAttribute.PartitionKey];

    /// <summary>The other extensions, in the order in which they stood.</summary>
    public IReadOnlyList<EventExtension> Extensions => _extensions is null ? [] : _extensions;

    /// <summary>False when the event has no data at all, which differs from empty data and from JSON null.</summary>
    public bool HasData { get; }

    /// <summary>The data: JSON text as it stood when <see cref="HasJsonData"/>, else raw bytes.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>Whether there is data and its media type is a JSON one (<c>*/json</c>, <c>*/*+json</c>, or none given).</summary>
    public bool HasJsonData => HasData && MediaType.IsJson(DataContentType.Span);

    /// <summary>Copies the event out of its record.</summary>
    public CloudEvent ToEvent()
    {
        var copied = new CloudEvent
        {
            Id = Required(Id),
            Source = Required(Source),
            Type = Required(Type),
            Subject = Text(Subject),
            Time = Time,
            DataContentType = Text(DataContentType),
            DataSchema = Text(DataSchema),
            CorrelationId = Text(CorrelationId),
            CausationId = Text(CausationId),
            TraceParent = Text(TraceParent),
            TraceState = Text(TraceState),
            PartitionKey = Text(PartitionKey),
        };
        if (HasData) copied = copied with { Data = Data.ToArray() };
        if (_extensions is null) return copied;

        var extensions = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var extension in _extensions) extensions.Add(Required(extension.Name), Required(extension.Value));
        return copied with { Extensions = extensions };
    }

    private static string Required(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);

    private static string? Text(ReadOnlyMemory<byte> utf8) => utf8.IsEmpty ? null : Encoding.UTF8.GetString(utf8.Span);
}

/// <summary>An extension attribute that has no property of its own.</summary>
/// <param name="Name">The name: lower-case letters and digits.</param>
/// <param name="Value">The value's text; it may be empty.</param>
public readonly record struct EventExtension(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value);

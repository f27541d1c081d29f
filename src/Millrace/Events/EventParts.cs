namespace Millrace;

/// <summary>
/// An event while it is read: checks each attribute as it comes. Methods return the reason why the event is invalid, or null.
/// </summary>
internal struct EventParts
{
    private const uint RequiredMask =
        1u << (int)EventAttribute.Id | 1u << (int)EventAttribute.Source | 1u << (int)EventAttribute.Type
        | 1u << (int)EventAttribute.SpecVersion;

    private uint _seen;
    private uint _present;

    public EventSlices Slices;

    public List<EventExtension>? Extensions { get; private set; }

    public DateTimeOffset? Time { get; private set; }

    public bool HasData { get; private set; }

    public ReadOnlyMemory<byte> Data { get; private set; }

    /// <summary>Notes that an attribute occurred, whatever its value. Extensions are compared by name when they are added.</summary>
    public string? Mark(EventAttribute attribute)
    {
        var bit = 1u << (int)attribute;
        if (attribute != EventAttribute.Extension && (_seen & bit) != 0)
            return $"attribute {EventText.Quote(EventAttributes.NameOf(attribute))} occurs twice";
        _seen |= bit;
        return null;
    }

    /// <summary>Takes the text of an attribute. The name is that of an extension; the others know theirs.</summary>
    public string? Set(EventAttribute attribute, ReadOnlyMemory<byte> name, ReadOnlyMemory<byte> value)
    {
        if (!EventText.IsAllowed(value.Span))
            return Refuse(attribute, name, value, ", which holds a control character or another one that CloudEvents forbids");
        if (attribute == EventAttribute.Extension) return AddExtension(name, value);
        // Tracing libraries write an empty trace context for none; an order is not refused for that.
        if (value.IsEmpty && attribute is (EventAttribute.TraceParent or EventAttribute.TraceState)) return null;
        if (value.IsEmpty) return Refuse(attribute, name, value, ", which must not be empty");
        _present |= 1u << (int)attribute;
        if (attribute == EventAttribute.SpecVersion)
            return value.Span.SequenceEqual("1.0"u8) ? null : Refuse(attribute, name, value, "; only 1.0 is read");
        if (attribute == EventAttribute.Time)
        {
            if (!EventTime.TryRead(value.Span, out var time)) return Refuse(attribute, name, value, ", which is not a time of RFC 3339");
            Time = time;
        }

        Slices[(int)attribute] = value;
        return null;
    }

    public void SetData(ReadOnlyMemory<byte> data) => (HasData, Data) = (true, data);

    /// <summary>Whether everything that an event must have is there.</summary>
    public readonly string? FindMissing()
    {
        var missing = RequiredMask & ~_present;
        if (missing == 0) return null;
        var first = (EventAttribute)System.Numerics.BitOperations.TrailingZeroCount(missing);
        return $"attribute {EventText.Quote(EventAttributes.NameOf(first))} is missing";
    }

    private string? AddExtension(ReadOnlyMemory<byte> name, ReadOnlyMemory<byte> value)
    {
        if (!EventAttributes.IsExtensionName(name.Span))
            return Refuse(EventAttribute.Extension, name, value, ", but a name consists of lower-case letters and digits");
        Extensions ??= [];
        if (Extensions.Count == EventCodec.ExtensionsMax)
            return $"attribute {EventText.Quote(name.Span)} is one extension more than the {EventCodec.ExtensionsMax} that are read";
        foreach (var earlier in Extensions)
        {
            if (earlier.Name.Span.SequenceEqual(name.Span)) return $"attribute {EventText.Quote(name.Span)} occurs twice";
        }

        Extensions.Add(new EventExtension(name, value));
        return null;
    }

    private static string Refuse(EventAttribute attribute, ReadOnlyMemory<byte> name, ReadOnlyMemory<byte> value, string why) =>
        EventText.Attribute(attribute == EventAttribute.Extension ? name.Span : EventAttributes.NameOf(attribute), value.Span) + why;
}

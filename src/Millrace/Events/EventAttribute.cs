using System.Runtime.CompilerServices;

namespace Millrace;

/// <summary>
/// The attributes with a place of their own, in the order in which they are written; then what the envelope holds besides.
/// </summary>
internal enum EventAttribute
{
    Id,
    Source,
    Type,
    Time,
    DataContentType,
    Subject,
    DataSchema,
    CorrelationId,
    CausationId,
    TraceParent,
    TraceState,
    PartitionKey,
    SpecVersion,
    Data,
    DataBase64,
    Extension,
}

/// <summary>The text of each attribute up to <see cref="EventAttribute.PartitionKey"/> as UTF-8; empty when it is absent.</summary>
[InlineArray(Count)]
internal struct EventSlices
{
    public const int Count = (int)EventAttribute.PartitionKey + 1;

    private ReadOnlyMemory<byte> _first;
}

/// <summary>The names on the wire. Hot path: a name is found by its length and one comparison or two.</summary>
internal static class EventAttributes
{
    public static EventAttribute Find(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when name.SequenceEqual("id"u8) => EventAttribute.Id,
        4 when name.SequenceEqual("type"u8) => EventAttribute.Type,
        4 when name.SequenceEqual("time"u8) => EventAttribute.Time,
        4 when name.SequenceEqual("data"u8) => EventAttribute.Data,
        6 when name.SequenceEqual("source"u8) => EventAttribute.Source,
        7 when name.SequenceEqual("subject"u8) => EventAttribute.Subject,
        10 when name.SequenceEqual("dataschema"u8) => EventAttribute.DataSchema,
        10 when name.SequenceEqual("tracestate"u8) => EventAttribute.TraceState,
        11 when name.SequenceEqual("specversion"u8) => EventAttribute.SpecVersion,
        11 when name.SequenceEqual("causationid"u8) => EventAttribute.CausationId,
        11 when name.SequenceEqual("traceparent"u8) => EventAttribute.TraceParent,
        11 when name.SequenceEqual("data_base64"u8) => EventAttribute.DataBase64,
        12 when name.SequenceEqual("partitionkey"u8) => EventAttribute.PartitionKey,
        13 when name.SequenceEqual("correlationid"u8) => EventAttribute.CorrelationId,
        15 when name.SequenceEqual("datacontenttype"u8) => EventAttribute.DataContentType,
        _ => EventAttribute.Extension,
    };

    public static ReadOnlySpan<byte> NameOf(EventAttribute attribute) => attribute switch
    {
        EventAttribute.Id => "id"u8,
        EventAttribute.Source => "source"u8,
        EventAttribute.Type => "type"u8,
        EventAttribute.Time => "time"u8,
        EventAttribute.DataContentType => "datacontenttype"u8,
        EventAttribute.Subject => "subject"u8,
        EventAttribute.DataSchema => "dataschema"u8,
        EventAttribute.CorrelationId => "correlationid"u8,
        EventAttribute.CausationId => "causationid"u8,
        EventAttribute.TraceParent => "traceparent"u8,
        EventAttribute.TraceState => "tracestate"u8,
        EventAttribute.PartitionKey => "partitionkey"u8,
        EventAttribute.SpecVersion => "specversion"u8,
        EventAttribute.Data => "data"u8,
        EventAttribute.DataBase64 => "data_base64"u8,
        _ => throw new ArgumentOutOfRangeException(nameof(attribute), attribute, "Extensions have names of their own."),
    };

    /// <summary>CloudEvents 1.0.2, "Attribute Naming Convention": lower-case letters and digits; <c>data</c> is no attribute.</summary>
    public static bool IsExtensionName(ReadOnlySpan<byte> name) =>
        !name.IsEmpty && !name.ContainsAnyExcept(NameBytes) && Find(name) == EventAttribute.Extension;

    private static readonly System.Buffers.SearchValues<byte> NameBytes =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789"u8);
}

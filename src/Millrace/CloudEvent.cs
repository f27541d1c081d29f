using System.Collections.ObjectModel;
using System.Runtime.InteropServices;

namespace Millrace;

/// <summary>How an event lies in a record (CloudEvents Kafka protocol binding 1.0.2, section 1.3). Readers accept both.</summary>
public enum EventMode
{
    /// <summary>The whole JSON envelope is the record's value: any consumer can read it with a JSON reader. The default.</summary>
    Structured = 0,

    /// <summary>The attributes are <c>ce_</c> headers and the data is the record's value: smaller and quicker, for hot topics.</summary>
    Binary = 1,
}

/// <summary>
/// An event of CloudEvents 1.0.2, copied out of its record: for the edges and for tests. The hot path uses <see cref="EventView"/>.
/// Immutable; equal when all attributes and the data's bytes are.
/// </summary>
public sealed record CloudEvent
{
    /// <summary>Identifies the event within its source; together they are what deduplication goes by. Not empty.</summary>
    public required string Id { get; init; }

    /// <summary>Who said it: a URI reference such as <c>/services/order-service</c>. Not empty.</summary>
    public required string Source { get; init; }

    /// <summary>What happened, such as <c>com.ecommerce.orders.order.created</c>. Not empty.</summary>
    public required string Type { get; init; }

    /// <summary>What it happened to, in the source's own words; null or not empty.</summary>
    public string? Subject { get; init; }

    /// <summary>When it happened, exact to 100 nanoseconds; written in UTC.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>The data's media type; null means <c>application/json</c>.</summary>
    public string? DataContentType { get; init; }

    /// <summary>Where the data's schema is: a URI.</summary>
    public string? DataSchema { get; init; }

    /// <summary>The business transaction that the event belongs to (extension <c>correlationid</c>).</summary>
    public string? CorrelationId { get; init; }

    /// <summary>The id of the event that led to this one (extension <c>causationid</c>).</summary>
    public string? CausationId { get; init; }

    /// <summary>The W3C trace context (extension <c>traceparent</c>).</summary>
    public string? TraceParent { get; init; }

    /// <summary>The W3C trace context's vendor part (extension <c>tracestate</c>).</summary>
    public string? TraceState { get; init; }

    /// <summary>
    /// What to place the event by (extension <c>partitionkey</c>). A record's key is its own; nothing copies one to the other.
    /// </summary>
    public string? PartitionKey { get; init; }

    /// <summary>
    /// The other extensions, at most <see cref="EventCodec.ExtensionsMax"/>, by name (lower-case letters and digits). Booleans and whole
    /// numbers are kept as their text. Written in ordinal order of the names.
    /// </summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>
    /// The data: JSON text as it stood when the media type is a JSON one, else raw bytes. Setting it sets <see cref="HasData"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Data
    {
        get;
        init
        {
            field = value;
            HasData = true;
        }
    }

    /// <summary>False when the event has no data at all, which differs from empty data and from JSON null.</summary>
    public bool HasData { get; init; }

    /// <summary>Whether both have the same attributes and the same data, byte for byte.</summary>
    public bool Equals(CloudEvent? other) =>
        other is not null && (Id, Source, Type, Subject, Time) == (other.Id, other.Source, other.Type, other.Subject, other.Time)
        && (DataContentType, DataSchema, PartitionKey) == (other.DataContentType, other.DataSchema, other.PartitionKey)
        && (CorrelationId, CausationId) == (other.CorrelationId, other.CausationId)
        && (TraceParent, TraceState) == (other.TraceParent, other.TraceState)
        && HasData == other.HasData && Data.Span.SequenceEqual(other.Data.Span)
        && Extensions.Count == other.Extensions.Count
        && Extensions.All(own => other.Extensions.TryGetValue(own.Key, out var value) && value == own.Value);

    /// <summary>A hash of the id, the same in every process.</summary>
    public override int GetHashCode() => (int)Crc32C.Of(MemoryMarshal.AsBytes(Id.AsSpan()));
}

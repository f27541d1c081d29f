using System.Buffers;
using System.Text.Json;

namespace Millrace;

/// <summary>Reads the JSON data of an event while the event is read.</summary>
/// <param name="json">Stands at the first token of the data. Do not read further than its last token.</param>
/// <param name="state">Where to put what is read.</param>
/// <returns>
/// True with the reader at the last token of the data; false to have the data passed over, wherever the reader stands. Text that is not
/// JSON, for which the reader throws <see cref="JsonException"/>, is refused with the event, whether that is passed on or false returned.
/// Other exceptions go to the caller.
/// </returns>
/// <typeparam name="TState">What it reads into.</typeparam>
public delegate bool EventDataReader<TState>(ref Utf8JsonReader json, ref TState state)
    where TState : allows ref struct;

/// <summary>
/// Reads and writes events as records by the Kafka protocol binding of CloudEvents 1.0.2, in both modes. Reading allocates nothing but for
/// escaped attributes, Base64 data and unknown extensions. Thread safe.
/// </summary>
public static class EventCodec
{
    /// <summary>The media type of a record's value in structured mode.</summary>
    public const string StructuredContentType = "application/cloudevents+json";

    /// <summary>The most extensions that one event may have besides those with a property of their own.</summary>
    public const int ExtensionsMax = 128;

    /// <summary>The most levels of objects and arrays that JSON data may have; as many as System.Text.Json reads by default.</summary>
    public const int DataDepthMax = 64;

    /// <summary>
    /// Reads the event in a record. Structured when the header <c>content-type</c> begins with <c>application/cloudevents</c>, or when
    /// there is neither that header nor any <c>ce_</c> one; else binary.
    /// </summary>
    /// <param name="record">The record; the view is valid as long as it is.</param>
    /// <param name="view">The event, when true is returned.</param>
    /// <param name="reason">Why it is not an event, with the attribute and its value, when false is returned; else empty.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.Corrupt"/> when the record's headers are cut off.</exception>
    public static bool TryRead(in Record record, out EventView view, out string reason)
    {
        byte none = 0;
        return TryRead(record, ref none, null, out view, out reason);
    }

    /// <summary>
    /// Reads the event in a record and its JSON data in one pass over the text, where <see cref="EventView.Data"/> is gone over once more
    /// by who reads it: for hot paths. Data that is not JSON, or not there, is not read.
    /// </summary>
    /// <param name="record">The record; the view is valid as long as it is.</param>
    /// <param name="state">
    /// Where the data is read into. It counts only when true is returned and <see cref="EventView.HasJsonData"/>.
    /// </param>
    /// <param name="data">Reads the data. It may be called before it is known what the event is, or whether it is one.</param>
    /// <param name="view">The event, when true is returned.</param>
    /// <param name="reason">
    /// Why it is not an event, or that data of its own, as in binary mode, is not the JSON that it is said to be; empty when true is
    /// returned.
    /// </param>
    /// <typeparam name="TState">What the data is read into.</typeparam>
    /// <exception cref="ArgumentException">The data was read, but not up to its last token or beyond it.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.Corrupt"/> when the record's headers are cut off.</exception>
    public static bool TryRead<TState>(
        in Record record, ref TState state, EventDataReader<TState>? data, out EventView view, out string reason)
        where TState : allows ref struct
    {
        var parts = new EventParts();
        var mode = ModeOf(record, out var failure);
        failure ??= mode == EventMode.Structured
            ? EnvelopeReader.Read(record.Value, ref parts, ref state, data)
            : HeaderReader.Read(record, ref parts) ?? EnvelopeReader.ReadData(parts, ref state, data);
        return Finish(mode, failure, parts, out view, out reason);
    }

    /// <summary>Reads an event from its JSON envelope, without a record.</summary>
    /// <param name="json">The envelope; the view is valid as long as it is.</param>
    /// <param name="view">The event, when true is returned.</param>
    /// <param name="reason">Why it is not an event, when false is returned; else empty.</param>
    public static bool TryReadJson(ReadOnlyMemory<byte> json, out EventView view, out string reason)
    {
        var parts = new EventParts();
        byte none = 0;
        return Finish(EventMode.Structured, EnvelopeReader.Read(json, ref parts, ref none, null), parts, out view, out reason);
    }

    /// <summary>Reads the event in a record.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.NotAnEvent"/> with the offset and the reason.</exception>
    public static EventView Read(in Record record) =>
        TryRead(record, out var view, out var reason)
            ? view
            : throw new MillraceException(FailureCodes.NotAnEvent, $"The record at offset {record.Offset} is not an event: {reason}.");

    /// <summary>Writes an event as a record at the end of a batch. For the edges; <see cref="EventPublisher"/> is the quick way.</summary>
    /// <param name="cloudEvent">The event.</param>
    /// <param name="mode">How it shall lie in the record.</param>
    /// <param name="key">The record's key.</param>
    /// <param name="timestamp">The record's time in milliseconds since the Unix epoch.</param>
    /// <param name="target">The batch.</param>
    /// <exception cref="ArgumentException">
    /// The event breaks a rule of CloudEvents; the message names the attribute and its value.
    /// </exception>
    public static void Write(CloudEvent cloudEvent, EventMode mode, ReadOnlySpan<byte> key, long timestamp, RecordBatchBuilder target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var writer = new EventWriter();
        writer.Write(cloudEvent, mode);
        target.Add(timestamp, true, key, writer.HasValue, writer.Value.Span, writer.Headers);
    }

    /// <summary>Writes an event as its JSON envelope.</summary>
    /// <exception cref="ArgumentException">
    /// The event breaks a rule of CloudEvents; the message names the attribute and its value.
    /// </exception>
    public static void WriteJson(CloudEvent cloudEvent, IBufferWriter<byte> target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var writer = new EventWriter();
        writer.Write(cloudEvent, EventMode.Structured);
        target.Write(writer.Value.Span);
    }

    private static bool Finish(EventMode mode, string? failure, in EventParts parts, out EventView view, out string reason)
    {
        view = failure is null ? new EventView(mode, parts) : default;
        reason = failure ?? "";
        return failure is null;
    }

    private static EventMode ModeOf(in Record record, out string? failure)
    {
        failure = null;
        var hasContentType = false;
        var hasAttributes = false;
        ReadOnlyMemory<byte> contentType = default;
        foreach (var header in record.Headers)
        {
            if (header.Name.Span.StartsWith("ce_"u8)) hasAttributes = true;
            if (!header.HasValue || !header.Name.Span.SequenceEqual("content-type"u8)) continue;
            if (hasContentType) failure = "the header 'content-type' occurs twice";
            (hasContentType, contentType) = (true, header.Value);
        }

        if (!hasContentType && hasAttributes || hasContentType && !MediaType.IsCloudEvents(contentType.Span)) return EventMode.Binary;
        if (hasContentType && !MediaType.IsCloudEventsJson(contentType.Span))
        {
            failure ??= $"the header 'content-type' has the value {EventText.Quote(contentType.Span)}; "
                + "of the event formats only JSON is read";
        }

        if (!record.HasValue) failure ??= "the record has no value";
        return EventMode.Structured;
    }
}

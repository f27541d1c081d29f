using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Millrace;

/// <summary>
/// Reads an event from its JSON envelope (CloudEvents JSON format 1.0.2) in one pass over the UTF-8. Hot path: text without escapes is a
/// slice.
/// </summary>
internal static class EnvelopeReader
{
    // The envelope is a level itself.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = EventCodec.DataDepthMax + 1 };
    private static readonly JsonReaderOptions DataOptions = new() { MaxDepth = EventCodec.DataDepthMax };

    /// <summary>Fills the parts, and the state with the data; returns the reason when it is not an event, else null.</summary>
    public static string? Read<TState>(
        ReadOnlyMemory<byte> json, ref EventParts parts, ref TState state, EventDataReader<TState>? read)
        where TState : allows ref struct
    {
        // Checked once for the whole: the JSON reader itself does not look into strings.
        if (!Utf8.IsValid(json.Span)) return "the envelope is not valid UTF-8";
        try
        {
            return ReadEnvelope(json, ref parts, ref state, read);
        }
        catch (JsonException failure)
        {
            return $"the envelope is not JSON: {failure.Message.TrimEnd('.')}";
        }
    }

    /// <summary>Reads data that stands by itself, if it is JSON; returns the reason when it only says so, else null.</summary>
    public static string? ReadData<TState>(in EventParts parts, ref TState state, EventDataReader<TState>? read)
        where TState : allows ref struct
    {
        if (read is null || !parts.HasData || !MediaType.IsJson(parts.Slices[(int)EventAttribute.DataContentType].Span)) return null;
        try
        {
            var reader = new Utf8JsonReader(parts.Data.Span, DataOptions);
            reader.Read();
            if (!TryReadData(ref reader, ref state, read)) reader.Skip();
            reader.Read(); // throws when anything but white space follows
            return null;
        }
        catch (JsonException failure)
        {
            return $"the data is not JSON: {failure.Message.TrimEnd('.')}";
        }
    }

    private static string? ReadEnvelope<TState>(
        ReadOnlyMemory<byte> json, ref EventParts parts, ref TState state, EventDataReader<TState>? read)
        where TState : allows ref struct
    {
        var reader = new Utf8JsonReader(json.Span, Options);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return "the envelope is not a JSON object";
        var data = new DataMember();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = Text(json, ref reader);
            var attribute = EventAttributes.Find(name.Span);
            reader.Read();
            var failure = parts.Mark(attribute);
            if (failure is null && attribute == EventAttribute.Data)
            {
                var (start, kind) = ((int)reader.TokenStartIndex, reader.TokenType);
                if (read is null || !TryReadData(ref reader, ref state, read)) reader.Skip();
                data = data with { HasJson = true, Kind = kind, Json = json[start..(int)reader.BytesConsumed] };
                continue;
            }

            failure ??= ReadMember(json, name, ref reader, ref parts, ref data);
            if (failure is not null) return failure;
        }

        // Throws when anything but white space follows.
        reader.Read();
        if ((parts.FindMissing() ?? SetData(data, ref parts)) is { } fault) return fault;
        return data.HasBase64 ? ReadData(parts, ref state, read) : null;
    }

    /// <summary>Lets the data be read; the reader stays where it is when it was not.</summary>
    private static bool TryReadData<TState>(ref Utf8JsonReader reader, ref TState state, EventDataReader<TState> read)
        where TState : allows ref struct
    {
        var ahead = reader;
        if (!read(ref ahead, ref state)) return false;
        var end = reader.TokenType switch
        {
            JsonTokenType.StartObject => JsonTokenType.EndObject,
            JsonTokenType.StartArray => JsonTokenType.EndArray,
            var single => single,
        };
        if (ahead.TokenType != end || ahead.CurrentDepth != reader.CurrentDepth)
        {
            throw new ArgumentException(
                $"An event's data was read to the {ahead.TokenType} on level {ahead.CurrentDepth}, "
                + $"not to the {end} on level {reader.CurrentDepth} at its end.");
        }

        reader = ahead;
        return true;
    }

    private static string? ReadMember(
        ReadOnlyMemory<byte> json, ReadOnlyMemory<byte> name, ref Utf8JsonReader reader, ref EventParts parts, ref DataMember data)
    {
        var attribute = EventAttributes.Find(name.Span);
        var start = (int)reader.TokenStartIndex;
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String when attribute == EventAttribute.DataBase64:
                data = data with { HasBase64 = true, Base64 = Text(json, ref reader) };
                return null;
            case JsonTokenType.String:
                return parts.Set(attribute, name, Text(json, ref reader));
            case JsonTokenType.True or JsonTokenType.False when IsExtension(attribute):
                return parts.Set(attribute, name, json[start..(int)reader.BytesConsumed]);
            case JsonTokenType.Number when IsExtension(attribute) && !reader.ValueSpan.ContainsAny(".eE"u8):
                return parts.Set(attribute, name, json[start..(int)reader.BytesConsumed]);
            default:
                reader.Skip();
                return $"{EventText.Attribute(name.Span, json.Span[start..(int)reader.BytesConsumed])}, which is not "
                    + (IsExtension(attribute) ? "a string, a boolean or a whole number" : "a string");
        }
    }

    /// <summary>The media type may follow the data, so what the data is can be said only at the end.</summary>
    private static string? SetData(in DataMember data, ref EventParts parts)
    {
        if (data is { HasJson: true, HasBase64: true }) return "attribute 'data' occurs twice, as 'data' and as 'data_base64'";
        if (data.HasBase64)
        {
            var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(data.Base64.Length)];
            if (Base64.DecodeFromUtf8(data.Base64.Span, bytes, out _, out var written) != OperationStatus.Done)
                return $"{EventText.Attribute("data_base64"u8, data.Base64.Span)}, which is not Base64";
            parts.SetData(bytes.AsMemory(0, written));
            return null;
        }

        if (!data.HasJson) return null;
        var contentType = parts.Slices[(int)EventAttribute.DataContentType].Span;
        if (MediaType.IsJson(contentType))
        {
            parts.SetData(data.Json);
            return null;
        }

        if (data.Kind != JsonTokenType.String)
        {
            return $"{EventText.Attribute("data"u8, data.Json.Span)}, which is not a string, but 'datacontenttype' is "
                + $"{EventText.Quote(contentType)} and not JSON";
        }

        var text = new Utf8JsonReader(data.Json.Span, Options);
        text.Read();
        parts.SetData(Text(data.Json, ref text));
        return null;
    }

    private static bool IsExtension(EventAttribute attribute) =>
        attribute is >= EventAttribute.CorrelationId and <= EventAttribute.PartitionKey or EventAttribute.Extension;

    private static ReadOnlyMemory<byte> Text(ReadOnlyMemory<byte> json, ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return json.Slice((int)reader.TokenStartIndex + 1, reader.ValueSpan.Length);
        var text = new byte[reader.ValueSpan.Length];
        try
        {
            return text.AsMemory(0, reader.CopyString(text));
        }
        catch (InvalidOperationException)
        {
            // The only such failure of the reader on text that is valid UTF-8.
            throw new JsonException("it holds an escape of half a surrogate pair");
        }
    }

    /// <summary>The members that carry the data, as they stood.</summary>
    private readonly record struct DataMember(
        bool HasJson, JsonTokenType Kind, ReadOnlyMemory<byte> Json, bool HasBase64, ReadOnlyMemory<byte> Base64);
}

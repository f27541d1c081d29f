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

    /// <summary>Fills the parts; returns the reason when it is not an event, else null.</summary>
    public static string? Read(ReadOnlyMemory<byte> json, ref EventParts parts)
    {
        // Checked once for the whole: the JSON reader itself does not look into strings.
        if (!Utf8.IsValid(json.Span)) return "the envelope is not valid UTF-8";
        try
        {
            return ReadEnvelope(json, ref parts);
        }
        catch (JsonException failure)
        {
            return $"the envelope is not JSON: {failure.Message.TrimEnd('.')}";
        }
        catch (InvalidOperationException)
        {
            // The only such failure of the reader on text that was checked above.
            return "the envelope holds an escape of half a surrogate pair";
        }
    }

    private static string? ReadEnvelope(ReadOnlyMemory<byte> json, ref EventParts parts)
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
            var failure = parts.Mark(attribute) ?? ReadMember(json, name, ref reader, ref parts, ref data);
            if (failure is not null) return failure;
        }

        // Throws when anything but white space follows.
        reader.Read();
        return parts.FindMissing() ?? SetData(data, ref parts);
    }

    private static string? ReadMember(
        ReadOnlyMemory<byte> json, ReadOnlyMemory<byte> name, ref Utf8JsonReader reader, ref EventParts parts, ref DataMember data)
    {
        var attribute = EventAttributes.Find(name.Span);
        var start = (int)reader.TokenStartIndex;
        if (attribute == EventAttribute.Data)
        {
            data = data with { Kind = reader.TokenType };
            reader.Skip();
            data = data with { HasJson = true, Json = json[start..(int)reader.BytesConsumed] };
            return null;
        }

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
        return text.AsMemory(0, reader.CopyString(text));
    }

    /// <summary>The members that carry the data, as they stood.</summary>
    private readonly record struct DataMember(
        bool HasJson, JsonTokenType Kind, ReadOnlyMemory<byte> Json, bool HasBase64, ReadOnlyMemory<byte> Base64);
}

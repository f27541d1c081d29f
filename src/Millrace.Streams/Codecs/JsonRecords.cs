using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Millrace.Streams.Codecs;

internal static class JsonRecords
{
    public static JsonSerializerOptions Options { get; } = MakeOptions();

    private static JsonSerializerOptions MakeOptions()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { IncludeFields = true };
        options.Converters.Add(new ExactDecimalConverter());
        options.TypeInfoResolver = new DefaultJsonTypeInfoResolver();
        options.MakeReadOnly();
        return options;
    }
}

/// <summary>The value as JSON.</summary>
internal sealed class JsonRecords<T>(JsonTypeInfo<T> type) : RecordCodec<T>
{
    public override bool TryRead(in Record record, out T value, out long timestamp, out string reason)
    {
        (value, timestamp, reason) = (default!, record.Timestamp, "");
        if (!record.HasValue)
        {
            reason = "the record has no value";
            return false;
        }

        try
        {
            value = JsonSerializer.Deserialize(record.Value.Span, type)!;
        }
        catch (JsonException failure)
        {
            reason = $"the value is no {typeof(T).Name} in JSON: {failure.Message}";
            return false;
        }

        if (value is not null) return true;
        reason = "the value is null";
        return false;
    }

    public override void Write(T value, in OutgoingRecord record, RecordBatchBuilder target)
    {
        var output = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(output)) JsonSerializer.Serialize(writer, value, type);
        target.Add(record.Timestamp, record.HasKey, record.Key, true, output.WrittenSpan, []);
    }
}

/// <summary>The value as text.</summary>
internal sealed class TextRecords : RecordCodec<string>
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override bool TryRead(in Record record, out string value, out long timestamp, out string reason)
    {
        (value, timestamp, reason) = ("", record.Timestamp, "");
        if (!record.HasValue)
        {
            reason = "the record has no value";
            return false;
        }

        try
        {
            value = StrictUtf8.GetString(record.Value.Span);
            return true;
        }
        catch (DecoderFallbackException failure)
        {
            reason = $"the value is no UTF-8: {failure.Message}";
            return false;
        }
    }

    public override void Write(string value, in OutgoingRecord record, RecordBatchBuilder target) =>
        target.Add(record.Timestamp, record.HasKey, record.Key, true, StrictUtf8.GetBytes(value), []);
}

using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Millrace;

/// <summary>
/// Writes one event after the other into buffers that it owns and uses again: set the attributes, open the data, write it, close. The
/// results are valid until the next <see cref="Begin"/>. A writer whose call threw is thrown away. Not thread safe.
/// </summary>
internal sealed class EventWriter : IDisposable
{
    private const int RetainedBytesMax = 1 << 20;

    // Relaxed: text stays readable in the log and over HTTP as JSON. We never put it into a page unescaped.
    private static readonly JsonWriterOptions Options =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private static readonly ReadOnlyMemory<byte> JsonType = "application/json"u8.ToArray();

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly JsonEncodedText[] Names =
        [.. Enumerable.Range(0, EventSlices.Count).Select(a => JsonEncodedText.Encode(EventAttributes.NameOf((EventAttribute)a)))];
    private static readonly JsonEncodedText SpecVersionName = JsonEncodedText.Encode("specversion");
    private static readonly JsonEncodedText SpecVersion = JsonEncodedText.Encode("1.0");
    private static readonly RecordHeaders StructuredHeaders = EncodeStructuredHeaders();

    private readonly ArrayBufferWriter<byte> _text = new(512);
    private readonly ArrayBufferWriter<byte> _value = new(2048);
    private readonly ArrayBufferWriter<byte> _headers = new(512);
    private readonly Utf8JsonWriter _json;
    private EventSlices _slices;
    private IReadOnlyDictionary<string, string>? _extensions;
    private EventMode _mode;

    public EventWriter() => _json = new Utf8JsonWriter(_value, Options);

    /// <summary>The record's value, once closed.</summary>
    public ReadOnlyMemory<byte> Value => _value.WrittenMemory;

    /// <summary>False when the record has no value: binary mode without data.</summary>
    public bool HasValue { get; private set; }

    /// <summary>The record's headers, once closed.</summary>
    public RecordHeaders Headers { get; private set; }

    /// <summary>False when a large event made the buffers too large to keep.</summary>
    public bool IsWorthKeeping => _value.Capacity + _text.Capacity + _headers.Capacity <= RetainedBytesMax;

    /// <summary>Starts the next event.</summary>
    public void Begin(EventMode mode)
    {
        _mode = mode;
        _slices = default;
        _extensions = null;
        HasValue = false;
        _text.ResetWrittenCount();
        _value.ResetWrittenCount();
        _headers.ResetWrittenCount();
        _json.Reset();
    }

    /// <summary>Sets an attribute to text that was checked before and stays unchanged until the event is written.</summary>
    public void Set(EventAttribute attribute, ReadOnlyMemory<byte> utf8) => _slices[(int)attribute] = utf8;

    /// <summary>Sets an attribute; null leaves it out.</summary>
    /// <exception cref="ArgumentException">The text is empty or holds what CloudEvents forbids.</exception>
    public void Set(EventAttribute attribute, string? text)
    {
        if (text is null) return;
        var name = EventAttributes.NameOf(attribute);
        if (text.Length == 0) throw new ArgumentException($"{EventText.Attribute(name, default)}, which must not be empty.");
        _slices[(int)attribute] = Keep(name, text);
    }

    /// <summary>Sets the event's time.</summary>
    public void Set(DateTimeOffset time) =>
        _slices[(int)EventAttribute.Time] = Keep(EventTime.Write(time, _text.GetSpan(EventTime.BytesMax)));

    /// <summary>Makes room for text that the caller writes at once, and keeps it until the next <see cref="Begin"/>.</summary>
    public Memory<byte> Reserve(int length)
    {
        var memory = _text.GetMemory(length)[..length];
        _text.Advance(length);
        return memory;
    }

    /// <summary>Keeps text as UTF-8 until the next <see cref="Begin"/>.</summary>
    /// <exception cref="ArgumentException">The text holds what CloudEvents forbids.</exception>
    public ReadOnlyMemory<byte> Keep(ReadOnlySpan<byte> name, string text)
    {
        try
        {
            var kept = Keep(Strict.GetBytes(text, _text.GetSpan(Strict.GetMaxByteCount(text.Length))));
            if (EventText.IsAllowed(kept.Span)) return kept;
        }
        catch (EncoderFallbackException)
        {
            // Half of a surrogate pair: refused below like the other characters that CloudEvents forbids.
        }

        throw new ArgumentException(
            $"{EventText.Attribute(name, Encoding.UTF8.GetBytes(text))}, "
            + "which holds a control character or another one that CloudEvents forbids.");
    }

    /// <summary>Keeps a record's key as UTF-8 until the next <see cref="Begin"/>.</summary>
    public ReadOnlyMemory<byte> KeepKey(string key) => Keep(Strict.GetBytes(key, _text.GetSpan(Strict.GetMaxByteCount(key.Length))));

    /// <summary>Writes the attributes and returns where to write the data as one JSON value; then <see cref="Close()"/>.</summary>
    public Utf8JsonWriter OpenData()
    {
        HasValue = true;
        if (_mode == EventMode.Structured)
        {
            WriteEnvelopeHead();
            _json.WritePropertyName("data"u8);
        }

        return _json;
    }

    /// <summary>Sets what follows from the contract and the data, writes the data and ends the event.</summary>
    /// <exception cref="ArgumentException">The data is of another class, or its subject holds what CloudEvents forbids.</exception>
    public void Close(EventContract contract, object data)
    {
        Set(EventAttribute.Type, contract.Utf8Type);
        Set(EventAttribute.DataContentType, JsonType);
        Set(EventAttribute.Subject, contract.SubjectOf(data));
        Set(EventAttribute.DataSchema, contract.DataSchema);
        contract.Write(OpenData(), data);
        Close();
    }

    /// <summary>Ends the event.</summary>
    public void Close()
    {
        if (_mode == EventMode.Structured) _json.WriteEndObject();
        _json.Flush();
        Headers = _mode == EventMode.Structured ? StructuredHeaders : EncodeHeaders();
    }

    /// <summary>Writes a whole event.</summary>
    /// <exception cref="ArgumentException">The event breaks a rule of CloudEvents.</exception>
    public void Write(CloudEvent cloudEvent, EventMode mode)
    {
        ArgumentNullException.ThrowIfNull(cloudEvent);
        Begin(mode);
        Set(EventAttribute.Id, cloudEvent.Id ?? "");
        Set(EventAttribute.Source, cloudEvent.Source ?? "");
        Set(EventAttribute.Type, cloudEvent.Type ?? "");
        if (cloudEvent.Time is { } time) Set(time);
        Set(EventAttribute.DataContentType, cloudEvent.DataContentType);
        Set(EventAttribute.Subject, cloudEvent.Subject);
        Set(EventAttribute.DataSchema, cloudEvent.DataSchema);
        Set(EventAttribute.CorrelationId, cloudEvent.CorrelationId);
        Set(EventAttribute.CausationId, cloudEvent.CausationId);
        Set(EventAttribute.TraceParent, cloudEvent.TraceParent);
        Set(EventAttribute.TraceState, cloudEvent.TraceState);
        Set(EventAttribute.PartitionKey, cloudEvent.PartitionKey);
        _extensions = cloudEvent.Extensions;
        if (_extensions.Count > EventCodec.ExtensionsMax)
            throw new ArgumentException($"The event has {_extensions.Count} extensions; {EventCodec.ExtensionsMax} are possible.");
        HasValue = mode == EventMode.Structured || cloudEvent.HasData;
        if (mode == EventMode.Structured)
        {
            WriteEnvelopeHead();
            if (cloudEvent.HasData) WriteEnvelopeData(cloudEvent.Data.Span);
        }
        else
        {
            _value.Write(cloudEvent.Data.Span);
        }

        Close();
    }

    public void Dispose() => _json.Dispose();

    private Memory<byte> Keep(int written) => Reserve(written);

    private void WriteEnvelopeHead()
    {
        _json.WriteStartObject();
        _json.WriteString(SpecVersionName, SpecVersion);
        for (var i = 0; i < EventSlices.Count; i++)
        {
            if (!_slices[i].IsEmpty) _json.WriteString(Names[i], _slices[i].Span);
        }

        if (_extensions is not { Count: > 0 }) return;
        foreach (var (name, value) in _extensions.OrderBy(e => e.Key, StringComparer.Ordinal))
            _json.WriteString(KeepExtensionName(name).Span, Keep(Encoding.UTF8.GetBytes(name), value).Span);
    }

    /// <summary>
    /// As the JSON format says: JSON text as it stands, other text as a string, bytes as Base64. What claims to be JSON and is not goes as
    /// Base64 too, so that whatever was sent can be read again and the envelope stays JSON.
    /// </summary>
    private void WriteEnvelopeData(ReadOnlySpan<byte> data)
    {
        var contentType = _slices[(int)EventAttribute.DataContentType].Span;
        if (MediaType.IsJson(contentType) && IsJson(data))
        {
            _json.WritePropertyName("data"u8);
            _json.WriteRawValue(data, skipInputValidation: true);
        }
        else if (!MediaType.IsJson(contentType) && MediaType.IsText(contentType) && Utf8.IsValid(data))
        {
            _json.WriteString("data"u8, data);
        }
        else
        {
            _json.WriteBase64String("data_base64"u8, data);
        }
    }

    private static bool IsJson(ReadOnlySpan<byte> data)
    {
        if (!Utf8.IsValid(data)) return false;
        try
        {
            var reader = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = EventCodec.DataDepthMax });
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private RecordHeaders EncodeHeaders()
    {
        var count = 1;
        WriteHeader("ce_"u8, "specversion"u8, "1.0"u8);
        for (var i = 0; i < EventSlices.Count; i++)
        {
            if (_slices[i].IsEmpty) continue;
            count++;
            if (i == (int)EventAttribute.DataContentType) WriteHeader(default, "content-type"u8, _slices[i].Span);
            else WriteHeader("ce_"u8, EventAttributes.NameOf((EventAttribute)i), _slices[i].Span);
        }

        if (_extensions is not { Count: > 0 }) return new RecordHeaders(count, _headers.WrittenMemory);
        foreach (var (name, value) in _extensions.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            count++;
            WriteHeader("ce_"u8, KeepExtensionName(name).Span, Keep(Encoding.UTF8.GetBytes(name), value).Span);
        }

        return new RecordHeaders(count, _headers.WrittenMemory);
    }

    private void WriteHeader(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var nameLength = prefix.Length + name.Length;
        var span = _headers.GetSpan(Varint.SizeOf(nameLength) + nameLength + Varint.SizeOf(value.Length) + value.Length);
        var position = 0;
        Varint.Write(span, ref position, nameLength);
        prefix.CopyTo(span[position..]);
        name.CopyTo(span[(position + prefix.Length)..]);
        position += nameLength;
        Varint.Write(span, ref position, value.Length);
        value.CopyTo(span[position..]);
        _headers.Advance(position + value.Length);
    }

    private ReadOnlyMemory<byte> KeepExtensionName(string name)
    {
        var kept = Keep("an extension"u8, name);
        return EventAttributes.IsExtensionName(kept.Span)
            ? kept
            : throw new ArgumentException(
                $"The extension {EventText.Quote(kept.Span)} has a property of its own or is not named in lower-case letters and digits.");
    }

    private static RecordHeaders EncodeStructuredHeaders()
    {
        using var writer = new EventWriter();
        writer.WriteHeader(default, "content-type"u8, "application/cloudevents+json"u8);
        return new RecordHeaders(1, writer._headers.WrittenMemory);
    }
}

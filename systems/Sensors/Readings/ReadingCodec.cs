using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Millrace;
using Millrace.Streams;

namespace Sensors.Readings;

/// <summary>
/// Readings as CloudEvents, read and written without reflection: the hot path of the system. Thread safe.
/// </summary>
/// <param name="type">The CloudEvents type of what is written.</param>
/// <param name="keepsEnvelope">
/// Whether what is read keeps the device's own envelope with that type in it, so that it is not written anew, and fields of which nothing
/// is known here go on with it.
/// </param>
internal sealed class ReadingCodec(string type, bool keepsEnvelope = false) : RecordCodec<SensorReading>
{
    private const string SourcePrefix = "/devices/";

    private static readonly byte[] ReceivedType = Encoding.UTF8.GetBytes(ReadingTypes.Received);
    private static readonly byte[] ValidatedType = Encoding.UTF8.GetBytes(ReadingTypes.Validated);
    private static readonly byte[] ClockType = Encoding.UTF8.GetBytes(ReadingTypes.Clock);

    private static readonly RecordHeader Structured = new("content-type", EventCodec.StructuredContentType);

    private readonly byte[] _type = Encoding.UTF8.GetBytes(type);
    private readonly Words _words = new();

    /// <inheritdoc/>
    public override bool TryRead(in Record record, out SensorReading value, out long timestamp, out string reason)
    {
        value = null!;
        timestamp = record.Timestamp;
        var fields = new ReadingFields(_words);
        if (!EventCodec.TryRead(record, ref fields, ReadingFields.Reader, out var view, out reason))
        {
            reason = $"the record is not an event: {reason}";
            return false;
        }

        var isClock = view.Type.Span.SequenceEqual(ClockType);
        if (!isClock && !view.Type.Span.SequenceEqual(ReceivedType) && !view.Type.Span.SequenceEqual(ValidatedType))
        {
            reason = $"the event's type is '{Encoding.UTF8.GetString(view.Type.Span)}', not {ReadingTypes.Received}";
            return false;
        }

        if (!view.HasJsonData)
        {
            reason = "the event's data is not JSON";
            return false;
        }

        if (fields.Fault is not null)
        {
            reason = fields.Fault;
            return false;
        }

        if (fields.DeviceId is null || !SensorLimits.IsDevice(fields.DeviceId) || !IsKey(record.Key.Span, fields.DeviceId))
        {
            reason = $"deviceId is '{fields.DeviceId}' and the record's key is '{Encoding.UTF8.GetString(record.Key.Span)}'; "
                + "both are the device: 1 to 64 of [A-Za-z0-9._:-]";
            return false;
        }

        if (view.Id.Length > SensorLimits.IdLengthMax)
        {
            reason = $"the event's id has {view.Id.Length} bytes; at most {SensorLimits.IdLengthMax} are possible";
            return false;
        }

        value = fields.ToReading(
            Encoding.UTF8.GetString(view.Id.Span), view.Time?.ToUnixTimeMilliseconds() ?? record.Timestamp, isClock,
            keepsEnvelope ? Retyped(record.Value.Span, view) : null);
        return true;
    }

    /// <inheritdoc/>
    public override void Write(SensorReading value, in OutgoingRecord record, RecordBatchBuilder target)
    {
        if (value.Envelope is { } envelope)
        {
            target.Add(record.Timestamp, record.HasKey, record.Key, true, envelope, Structured);
            return;
        }

        var data = new ArrayBufferWriter<byte>(256);
        WriteData(value, data);
        EventCodec.Write(Envelope(value, type, data.WrittenMemory), EventMode.Structured, record.Key, record.Timestamp, target);
    }

    /// <summary>The event of a reading as a device sends it.</summary>
    public static CloudEvent ToEvent(SensorReading reading)
    {
        var data = new ArrayBufferWriter<byte>(256);
        WriteData(reading, data);
        return Envelope(reading, reading.IsClock ? ReadingTypes.Clock : ReadingTypes.Received, data.WrittenMemory);
    }

    /// <summary>A copy of an envelope with another type; null when the type does not stand in it as it is.</summary>
    private byte[]? Retyped(ReadOnlySpan<byte> envelope, in EventView view)
    {
        var old = view.Type.Span;
        if (view.Mode != EventMode.Structured || view.Time is null || !envelope.Overlaps(old, out var at) || at < 0) return null;
        var copy = new byte[envelope.Length - old.Length + _type.Length];
        envelope[..at].CopyTo(copy);
        _type.CopyTo(copy.AsSpan(at));
        envelope[(at + old.Length)..].CopyTo(copy.AsSpan(at + _type.Length));
        return copy;
    }

    private static CloudEvent Envelope(SensorReading reading, string type, ReadOnlyMemory<byte> data) => new()
    {
        Id = reading.Id,
        Source = SourcePrefix + reading.DeviceId,
        Type = type,
        Time = EventClock.Time(reading.Time),
        DataContentType = "application/json",
        Subject = reading.SensorType.Length == 0 ? null : reading.SensorType,
        Data = data,
    };

    private static void WriteData(SensorReading reading, ArrayBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("deviceId"u8, reading.DeviceId);
        if (reading.SensorType.Length > 0) json.WriteString("sensorType"u8, reading.SensorType);
        if (!double.IsNaN(reading.Value)) json.WriteNumber("value"u8, reading.Value);
        if (reading.Unit.Length > 0) json.WriteString("unit"u8, reading.Unit);
        if (reading.Location is not null || reading.Zone.Length > 0)
        {
            json.WriteStartObject("location"u8);
            if (reading.Location is { } place)
            {
                json.WriteNumber("lat"u8, place.Latitude);
                json.WriteNumber("lon"u8, place.Longitude);
            }

            if (reading.Zone.Length > 0) json.WriteString("zone"u8, reading.Zone);
            json.WriteEndObject();
        }

        if (reading.BatteryLevel is { } battery) json.WriteNumber("batteryLevel"u8, battery);
        if (reading.SignalStrength is { } signal) json.WriteNumber("signalStrength"u8, signal);
        json.WriteEndObject();
    }

    private static bool IsKey(ReadOnlySpan<byte> key, string device)
    {
        if (key.Length != device.Length) return false; // devices are ASCII
        for (var i = 0; i < key.Length; i++)
        {
            if (key[i] != device[i]) return false;
        }

        return true;
    }
}

/// <summary>The data of a reading while it is read. Fields that are not known are passed over.</summary>
/// <param name="words">Names that come again.</param>
internal struct ReadingFields(Words words)
{
    /// <summary>Reads into one.</summary>
    public static readonly EventDataReader<ReadingFields> Reader = (ref json, ref fields) => fields.Read(ref json);

    private string? _sensorType;
    private string? _unit;
    private string? _zone;
    private double _value;
    private bool _hasValue;
    private double? _latitude;
    private double? _longitude;
    private double? _battery;
    private double? _signal;

    public string? DeviceId { get; private set; }

    /// <summary>Why it is no reading; null when it is one.</summary>
    public string? Fault { get; private set; }

    public readonly SensorReading ToReading(string id, long time, bool isClock, byte[]? envelope) => new()
    {
        Id = id,
        DeviceId = DeviceId!,
        SensorType = _sensorType ?? "",
        Value = _hasValue ? _value : double.NaN,
        Unit = _unit ?? "",
        Location = _latitude is { } latitude && _longitude is { } longitude ? new Place(latitude, longitude) : null,
        Zone = _zone ?? "",
        BatteryLevel = _battery,
        SignalStrength = _signal,
        Time = time,
        IsClock = isClock,
        Envelope = envelope,
    };

    private bool Read(ref Utf8JsonReader reader)
    {
        var field = "data";
        try
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                Fault = "the event's data is no JSON object";
                return false;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (!ReadField(ref reader, ref field)) reader.Skip();
            }

            return true;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or FormatException)
        {
            Fault = $"{field} does not fit: {failure.Message}";
            return false;
        }
    }

    /// <summary>Reads the value of a known field; false, at the name still, for an unknown one.</summary>
    private bool ReadField(ref Utf8JsonReader reader, ref string field)
    {
        if (reader.ValueTextEquals("deviceId"u8)) DeviceId = Text(ref reader, ref field, "deviceId");
        else if (reader.ValueTextEquals("sensorType"u8)) _sensorType = Text(ref reader, ref field, "sensorType");
        else if (reader.ValueTextEquals("unit"u8)) _unit = Text(ref reader, ref field, "unit");
        else if (reader.ValueTextEquals("value"u8))
        {
            _hasValue = Number(ref reader, ref field, "value") is { } number;
            _value = _hasValue ? reader.GetDouble() : double.NaN;
        }
        else if (reader.ValueTextEquals("batteryLevel"u8)) _battery = Number(ref reader, ref field, "batteryLevel");
        else if (reader.ValueTextEquals("signalStrength"u8)) _signal = Number(ref reader, ref field, "signalStrength");
        else if (reader.ValueTextEquals("location"u8)) ReadLocation(ref reader, ref field);
        else return false;
        return true;
    }

    private void ReadLocation(ref Utf8JsonReader reader, ref string field)
    {
        field = "location";
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return;
        if (reader.TokenType != JsonTokenType.StartObject) throw new FormatException("it is an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("lat"u8)) _latitude = Number(ref reader, ref field, "location.lat");
            else if (reader.ValueTextEquals("lon"u8)) _longitude = Number(ref reader, ref field, "location.lon");
            else if (reader.ValueTextEquals("zone"u8)) _zone = Text(ref reader, ref field, "location.zone");
            else reader.Skip();
        }
    }

    private readonly string? Text(ref Utf8JsonReader reader, ref string field, string name)
    {
        field = name;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.String) throw new FormatException("it is text");
        return words.Of(ref reader);
    }

    private static double? Number(ref Utf8JsonReader reader, ref string field, string name)
    {
        field = name;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType != JsonTokenType.Number) throw new FormatException("it is a number");
        return reader.GetDouble();
    }
}

/// <summary>
/// Names that come again and again (devices, zones, types, units) as one string each: a table of so many places, in each the name that was
/// looked up there last. Thread safe: entries are immutable, and who loses a race only makes a string more.
/// </summary>
internal sealed class Words
{
    private const int Places = 1 << 17;

    private readonly Entry?[] _places = new Entry?[Places];

    /// <summary>The text at the reader.</summary>
    /// <exception cref="FormatException">It is longer than names are.</exception>
    public string Of(ref Utf8JsonReader reader)
    {
        var utf8 = reader.ValueSpan;
        if (utf8.Length > SensorLimits.NameLengthMax)
            throw new FormatException($"it has {utf8.Length} bytes; at most {SensorLimits.NameLengthMax} are possible");
        if (reader.ValueIsEscaped) return reader.GetString()!;
        ref var place = ref _places[PlaceOf(utf8)];
        if (place is { } entry && utf8.SequenceEqual(entry.Utf8)) return entry.Text;
        var made = new Entry(utf8.ToArray(), reader.GetString()!);
        place = made;
        return made.Text;
    }

    /// <summary>FNV-1a over eight bytes at a time, which is enough to tell names of a fleet apart.</summary>
    private static int PlaceOf(ReadOnlySpan<byte> utf8)
    {
        const ulong Prime = 1_099_511_628_211;
        var hash = 14_695_981_039_346_656_037 ^ (ulong)utf8.Length;
        for (; utf8.Length >= 8; utf8 = utf8[8..]) hash = (hash ^ BinaryPrimitives.ReadUInt64LittleEndian(utf8)) * Prime;
        foreach (var one in utf8) hash = (hash ^ one) * Prime;
        return (int)((hash ^ (hash >> 32) ^ (hash >> 47)) & (Places - 1));
    }

    private sealed record Entry(byte[] Utf8, string Text);
}

using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Millrace.Mqtt.Mapping;

/// <summary>A message as the record that it becomes.</summary>
/// <param name="Key">The record's key.</param>
/// <param name="Value">The event's envelope.</param>
/// <param name="Timestamp">The event's time, or that of the arrival, in milliseconds since the Unix epoch.</param>
internal readonly record struct MappedRecord(byte[] Key, ReadOnlyMemory<byte> Value, long Timestamp);

/// <summary>Makes records of the messages of one route. Immutable; thread safe.</summary>
internal sealed class MessageMapping
{
    /// <summary>The extension that keeps the time which a device gave, when it was corrected.</summary>
    public const string OriginalTime = "originaltime";

    private readonly Template _key;
    private readonly Template? _type;
    private readonly Template? _source;
    private readonly Template? _subject;
    private readonly Template? _id;
    private readonly Template? _time;
    private readonly Template? _data;

    public MessageMapping(MqttRoute route)
    {
        Route = route;
        Pattern = new TopicPattern(route.Topics);
        _key = Parse(nameof(MqttRoute.Key), route.Key)!;
        if (route.Payload is not MqttPayload.Json json) return;
        _type = Parse(nameof(json.Type), json.Type);
        _source = Parse(nameof(json.Source), json.Source);
        _subject = Parse(nameof(json.Subject), json.Subject);
        _id = Parse(nameof(json.Id), json.Id);
        _time = Parse(nameof(json.Time), json.Time);
        _data = Parse(nameof(json.Data), json.Data);
        if (_data is null) return;
        try
        {
            JsonDocument.Parse(_data.Json(static _ => new Template.Value("0", "0"))).Dispose();
        }
        catch (JsonException failure)
        {
            throw new ArgumentException($"The template '{json.Data}' for data is not JSON: {failure.Message}", failure);
        }
    }

    public MqttRoute Route { get; }

    public TopicPattern Pattern { get; }

    /// <exception cref="UnusableException">The message cannot be taken.</exception>
    public MappedRecord Map(string topic, ReadOnlyMemory<byte> payload, DateTimeOffset now, Func<string> newId)
    {
        using var message = new Message(this, topic, payload);
        var (value, time) = Route.Payload switch
        {
            MqttPayload.Envelope => ReadEnvelope(payload, now),
            MqttPayload.Json => MakeEvent(message, now, newId),
            _ => throw new InvalidOperationException($"Unknown payload {Route.Payload.GetType().Name}."),
        };
        var key = _key.Text(message.ValueOf);
        if (key.Length == 0) throw new UnusableException("the key is empty");
        return new MappedRecord(Encoding.UTF8.GetBytes(key), value, (time ?? now).ToUnixTimeMilliseconds());
    }

    private (ReadOnlyMemory<byte> Value, DateTimeOffset? Time) ReadEnvelope(ReadOnlyMemory<byte> payload, DateTimeOffset now)
    {
        if (!EventCodec.TryReadJson(payload, out var view, out var reason)) throw new UnusableException($"it is not an event: {reason}");
        if (view.Time is not { } time || !IsSkewed(time, now)) return (payload, view.Time);
        return (Write(Corrected(view.ToEvent(), time, now)), now);
    }

    private (ReadOnlyMemory<byte> Value, DateTimeOffset? Time) MakeEvent(Message message, DateTimeOffset now, Func<string> newId)
    {
        var time = _time is null ? now : ReadTime(_time.Text(message.ValueOf));
        _ = message.Payload; // refused here when it is not JSON
        var made = new CloudEvent
        {
            Id = _id?.Text(message.ValueOf) ?? newId(),
            Source = _source!.Text(message.ValueOf),
            Type = _type!.Text(message.ValueOf),
            Subject = _subject?.Text(message.ValueOf),
            Time = time,
            DataContentType = "application/json",
            Data = _data?.Json(message.ValueOf) ?? message.Bytes,
        };
        if (!IsSkewed(time, now)) return (Write(made), time);
        return (Write(Corrected(made, time, now)), now);
    }

    /// <summary>Whether a time is to be corrected.</summary>
    /// <exception cref="UnusableException">It is to be rejected.</exception>
    private bool IsSkewed(DateTimeOffset time, DateTimeOffset now)
    {
        if (Route.ClockSkew is not { } skew) return false;
        var ahead = time - now;
        if (ahead <= skew.FutureMax && -ahead <= skew.PastMax) return false;
        if (skew.Action == MqttSkewAction.Correct) return true;
        throw new UnusableException(string.Create(CultureInfo.InvariantCulture,
            $"its time {time:O} is {(ahead > TimeSpan.Zero ? "after" : "before")} the clock's {now:O} by more than is taken"));
    }

    private static CloudEvent Corrected(CloudEvent cloudEvent, DateTimeOffset original, DateTimeOffset now) => cloudEvent with
    {
        Time = now,
        Extensions = new Dictionary<string, string>(cloudEvent.Extensions, StringComparer.Ordinal)
        {
            [OriginalTime] = original.ToString("O", CultureInfo.InvariantCulture),
        },
    };

    private static byte[] Write(CloudEvent cloudEvent)
    {
        try
        {
            var written = new ArrayBufferWriter<byte>();
            EventCodec.WriteJson(cloudEvent, written);
            return written.WrittenSpan.ToArray();
        }
        catch (ArgumentException failure)
        {
            throw new UnusableException($"it makes no event: {failure.Message}");
        }
    }

    private static DateTimeOffset ReadTime(string text)
    {
        if (long.TryParse(text, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            return DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return time.ToUniversalTime();
        throw new UnusableException($"its time '{text}' is neither RFC 3339 nor milliseconds");
    }

    private Template? Parse(string name, string? text)
    {
        if (text is null) return null;
        if (text.Length == 0) throw new ArgumentException($"The template for {name} is empty.");
        var template = new Template(text);
        foreach (var used in template.Names)
        {
            if (used is "topic" or "payload" || used.StartsWith("payload.", StringComparison.Ordinal)) continue;
            if (Pattern.Names.Contains(used)) continue;
            throw new ArgumentException(
                $"The template '{text}' for {name} uses '{used}', which the topics '{Route.Topics}' do not name.");
        }

        return template;
    }

    /// <summary>One message and what its placeholders stand for; its payload is parsed when it is asked for.</summary>
    private sealed class Message(MessageMapping mapping, string topic, ReadOnlyMemory<byte> payload) : IDisposable
    {
        private JsonDocument? _document;
        private string[]? _levels;

        public ReadOnlyMemory<byte> Bytes => payload;

        public JsonElement Payload
        {
            get
            {
                try
                {
                    return (_document ??= JsonDocument.Parse(payload)).RootElement;
                }
                catch (JsonException failure)
                {
                    throw new UnusableException($"the payload is not JSON: {failure.Message}");
                }
            }
        }

        public Template.Value ValueOf(string name)
        {
            if (name == "topic") return Template.Value.Of(topic);
            if (name == "payload") return Template.Value.Of(Payload);
            if (!name.StartsWith("payload.", StringComparison.Ordinal))
                return Template.Value.Of((_levels ??= topic.Split('/'))[Array.IndexOf(mapping.Pattern.Names, name)]);
            var found = Payload;
            foreach (var field in name.Split('.').AsSpan(1))
            {
                if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(field, out found))
                    throw new UnusableException($"the payload has no field for '{{{name}}}'");
            }

            if (found.ValueKind == JsonValueKind.Null) throw new UnusableException($"the field for '{{{name}}}' is null");
            return Template.Value.Of(found);
        }

        public void Dispose() => _document?.Dispose();
    }
}

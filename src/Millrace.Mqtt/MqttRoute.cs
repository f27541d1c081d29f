using Millrace.Mqtt.Mapping;

namespace Millrace.Mqtt;

/// <summary>The highest quality of service that is asked for: how a broker delivers a message (MQTT 5, section 4.3).</summary>
public enum MqttQuality
{
    /// <summary>At most once, never acknowledged: what is under way at a crash is lost.</summary>
    AtMostOnce = 0,

    /// <summary>At least once: a message may be taken twice after a broken connection. The default.</summary>
    AtLeastOnce = 1,

    /// <summary>Exactly once between broker and log: packet ids are in the same commit as the messages.</summary>
    ExactlyOnce = 2,
}

/// <summary>What becomes of messages that a broker kept and sends because of a new subscription.</summary>
public enum MqttRetained
{
    /// <summary>They are taken like all others. The default.</summary>
    Take = 0,

    /// <summary>They are asked not to be sent, and are acknowledged and dropped if they come all the same.</summary>
    Ignore = 1,

    /// <summary>
    /// One is taken when it differs from the last message taken from its topic. A digest per topic is kept in the commit of each message.
    /// </summary>
    OnlyWhenNew = 2,
}

/// <summary>What becomes of an event whose time is too far from the clock.</summary>
public enum MqttSkewAction
{
    /// <summary>It becomes a dead letter. The default.</summary>
    Reject = 0,

    /// <summary>Its time becomes that of its arrival; the extension <c>originaltime</c> keeps the device's.</summary>
    Correct = 1,
}

/// <summary>How far the time of an event may be from the clock of the source.</summary>
public sealed record MqttClockSkew
{
    /// <summary>How far in the future: zero to 10,000 days, 5 minutes by default.</summary>
    public TimeSpan FutureMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How far in the past: zero to 10,000 days, 7 days by default: devices that were away send what they kept.</summary>
    public TimeSpan PastMax { get; init; } = TimeSpan.FromDays(7);

    /// <summary>What becomes of the others; <see cref="MqttSkewAction.Reject"/> by default.</summary>
    public MqttSkewAction Action { get; init; }
}

/// <summary>How a payload becomes an event. Closed: one of the nested records.</summary>
public abstract record MqttPayload
{
    private MqttPayload()
    {
    }

    /// <summary>The payload is the JSON envelope of an event of CloudEvents 1.0.2 and is taken as it is, byte for byte.</summary>
    public sealed record Envelope : MqttPayload;

    /// <summary>
    /// The payload is JSON, a lone number or string included, and becomes the data of an event. Texts are templates: <c>{name}</c> is a
    /// level of the topic, <c>{topic}</c> the topic, <c>{payload}</c> the payload, <c>{payload.a.b}</c> a field of it.
    /// </summary>
    public sealed record Json : MqttPayload
    {
        /// <summary>The event's type.</summary>
        public required string Type { get; init; }

        /// <summary>The event's source, such as <c>/devices/{device}</c>.</summary>
        public required string Source { get; init; }

        /// <summary>The event's subject; none by default.</summary>
        public string? Subject { get; init; }

        /// <summary>
        /// The event's id, such as <c>{device}-{payload.sequence}</c>; by default a new one, which differs when a message comes twice.
        /// </summary>
        public string? Id { get; init; }

        /// <summary>
        /// A field with the event's time, as RFC 3339 or as milliseconds since the Unix epoch, such as <c>{payload.time}</c>; the time of
        /// arrival by default.
        /// </summary>
        public string? Time { get; init; }

        /// <summary>
        /// The event's data, such as <c>{ "deviceId": "{device}", "value": {payload} }</c>: within quotes a placeholder is written as JSON
        /// text, outside of them as the JSON that it is. The payload by default.
        /// </summary>
        public string? Data { get; init; }
    }
}

/// <summary>Which messages are taken, to which topic, by which key, and how. Immutable.</summary>
public sealed record MqttRoute
{
    /// <summary>
    /// The topics, with a name for each level that varies: <c>sensors/{zone}/{device}/reading</c>. <c>+</c> is a level without a name,
    /// <c>#</c> at the end any levels. The first route that fits takes a message.
    /// </summary>
    public required string Topics { get; init; }

    /// <summary>The Millrace topic. It must exist when the source starts.</summary>
    public required string Target { get; init; }

    /// <summary>The record's key, a template such as <c>{device}</c>; the MQTT topic by default, so that order per topic is kept.</summary>
    public string Key { get; init; } = "{topic}";

    /// <summary>How payloads become events; <see cref="MqttPayload.Envelope"/> by default.</summary>
    public MqttPayload Payload { get; init; } = new MqttPayload.Envelope();

    /// <summary>The quality asked of a broker; the embedded broker takes what devices use.</summary>
    public MqttQuality Quality { get; init; } = MqttQuality.AtLeastOnce;

    /// <summary>The policy for retained messages. It has no meaning with the embedded broker, to which each message is new.</summary>
    public MqttRetained Retained { get; init; }

    /// <summary>The guard against wrong clocks; none by default.</summary>
    public MqttClockSkew? ClockSkew { get; init; }

    /// <summary>Which client of the source subscribes: 0 to <see cref="MqttSourceOptions.Clients"/> - 1. Not used when shared.</summary>
    public int Client { get; init; }

    /// <summary>
    /// Makes it a shared subscription of that group, <c>$share/GROUP/FILTER</c>, by every client of the source. The broker then spreads
    /// messages over the clients, so the order per topic is not kept. None by default.
    /// </summary>
    public string? ShareGroup { get; init; }

    internal void Validate(int clients)
    {
        _ = new MessageMapping(this);
        if (!TopicSpecification.IsValidName(Target))
            throw new ArgumentException($"MqttRoute.Target is '{Target}', which is no topic's name.");
        if (!Enum.IsDefined(Quality)) throw new ArgumentException($"MqttRoute.Quality is {Quality}, which is not known.");
        if (!Enum.IsDefined(Retained)) throw new ArgumentException($"MqttRoute.Retained is {Retained}, which is not known.");
        if (Client < 0 || Client >= clients)
            throw new ArgumentException($"MqttRoute.Client is {Client}; 0 to {clients - 1} is possible with {clients} clients.");
        if (ShareGroup is not null && (ShareGroup.Length == 0 || ShareGroup.AsSpan().ContainsAny("/+#")))
            throw new ArgumentException($"MqttRoute.ShareGroup is '{ShareGroup}'; it must not be empty nor hold '/', '+' or '#'.");
        if (ClockSkew is not { } skew) return;
        Limits.Check("MqttClockSkew.FutureMax", skew.FutureMax, TimeSpan.Zero, TimeSpan.FromDays(10_000));
        Limits.Check("MqttClockSkew.PastMax", skew.PastMax, TimeSpan.Zero, TimeSpan.FromDays(10_000));
        if (!Enum.IsDefined(skew.Action)) throw new ArgumentException($"MqttClockSkew.Action is {skew.Action}, which is not known.");
    }
}

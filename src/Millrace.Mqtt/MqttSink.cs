using Millrace.Mqtt.Links;
using Millrace.Mqtt.Mapping;

namespace Millrace.Mqtt;

/// <summary>What of a record is published.</summary>
public enum MqttSinkPayload
{
    /// <summary>The event's data alone. The default: what devices read.</summary>
    Data = 0,

    /// <summary>The whole value of the record; with structured events, their envelope.</summary>
    Value = 1,
}

/// <summary>What a sink publishes, and where. Immutable.</summary>
public sealed record MqttSinkOptions
{
    /// <summary>The processor's name: its group's id and the stem of its client ids.</summary>
    public required string Name { get; init; }

    /// <summary>The Millrace topics that it reads.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>The broker; the embedded one by its port, or any other.</summary>
    public required MqttServerAddress Server { get; init; }

    /// <summary>
    /// The MQTT topic, such as <c>commands/{key}</c>. <c>{key}</c> is the record's key; <c>{id}</c>, <c>{type}</c>, <c>{source}</c> and
    /// <c>{subject}</c> are the event's; <c>{data.a.b}</c> is a field of its JSON data.
    /// </summary>
    public required string MqttTopic { get; init; }

    /// <summary>What is published; <see cref="MqttSinkPayload.Data"/> by default.</summary>
    public MqttSinkPayload Payload { get; init; }

    /// <summary>Whether the broker keeps the last message of each topic; not by default.</summary>
    public bool IsRetained { get; init; }

    /// <summary>
    /// How many messages wait for their PUBACK per partition: 1 to 65,535, 100 by default. The broker's own Receive Maximum lowers it.
    /// </summary>
    public int InFlightMax { get; init; } = 100;

    /// <summary>How long the broker may take to connect or to acknowledge: 1 ms to 1 hour, 10 s by default.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    internal void Validate()
    {
        if (!TopicSpecification.IsValidName(Name))
            throw new ArgumentException($"MqttSinkOptions.Name is '{Name}', which is no group's id.");
        if (Topics.Count == 0) throw new ArgumentException("MqttSinkOptions.Topics is empty.");
        Server.Validate();
        Limits.Check("MqttSinkOptions.InFlightMax", InFlightMax, 1, 65_535);
        Limits.Check("MqttSinkOptions.AnswerTimeout", AnswerTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        if (!Enum.IsDefined(Payload)) throw new ArgumentException($"MqttSinkOptions.Payload is {Payload}, which is not known.");
        foreach (var name in new Template(MqttTopic).Names)
        {
            if (name is not ("key" or "id" or "type" or "source" or "subject") && !name.StartsWith("data.", StringComparison.Ordinal))
                throw new ArgumentException($"MqttSinkOptions.MqttTopic is '{MqttTopic}', which uses the unknown name '{name}'.");
        }

        if (!TopicFilter.IsTopic(new Template(MqttTopic).Text(static _ => new Template.Value("x", "x"))))
            throw new ArgumentException($"MqttSinkOptions.MqttTopic is '{MqttTopic}', which makes no MQTT topic.");
    }
}

/// <summary>Publishes records of topics to an MQTT broker.</summary>
public static class MqttSink
{
    /// <summary>What is added to a topic's name for records that no message can be made of.</summary>
    public const string DeadLetterSuffix = ".mqtt.dlq";

    /// <summary>
    /// The processor. It publishes with quality 1, in the order of each partition, and commits positions after the PUBACK: at least once.
    /// After a failure messages are published again. A record that makes no message goes to its topic's dead letters.
    /// </summary>
    /// <exception cref="ArgumentException">An option is outside of its limits; the message names it and its value.</exception>
    public static Processor Create(MqttSinkOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return new Processor
        {
            Name = options.Name,
            Topics = options.Topics,
            HasState = false,
            Create = scope => new SinkPartition(options, scope),
            Companions = [.. options.Topics.Select(topic => new CompanionTopic(topic + DeadLetterSuffix, topic))],
        };
    }
}

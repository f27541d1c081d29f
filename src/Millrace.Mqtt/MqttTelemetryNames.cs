namespace Millrace.Mqtt;

/// <summary>
/// The names under which MQTT is measured, besides those of <see cref="TelemetryNames"/>, whose meter they are of. Instruments carry
/// <see cref="TelemetryNames.ConsumerGroup"/> with the source's name. All are measured once per batch.
/// </summary>
public static class MqttTelemetryNames
{
    /// <summary>Counter, messages: taken and durable.</summary>
    public const string Taken = "millrace.mqtt.taken";

    /// <summary>Counter, messages: not taken because they were taken before: redelivered ones of quality 2.</summary>
    public const string Duplicates = "millrace.mqtt.duplicates";

    /// <summary>Counter, messages: retained ones that the policy passed over.</summary>
    public const string RetainedPassed = "millrace.mqtt.retained_passed";

    /// <summary>Counter, messages: dead letters.</summary>
    public const string DeadLetters = "millrace.mqtt.dead_letters";

    /// <summary>Histogram, seconds: from the call of a commit to its durability.</summary>
    public const string CommitDuration = "millrace.mqtt.commit.duration";

    /// <summary>Counter: failures after which a client, or the embedded broker's intake, begins again.</summary>
    public const string Restarts = "millrace.mqtt.restarts";

    /// <summary>Up-down counter: messages that wait for their commit, bounded by <see cref="MqttSourceOptions.ReceiveMaximum"/>.</summary>
    public const string Waiting = "millrace.mqtt.waiting";
}

/// <summary>The headers of records that came by MQTT.</summary>
public static class MqttHeaders
{
    /// <summary>The topic of the message, on every record.</summary>
    public const string Topic = "mqtt-topic";

    /// <summary>The client that the message came by, on dead letters.</summary>
    public const string Client = "mqtt-client";

    /// <summary>The quality that it came with, 0 to 2, on dead letters.</summary>
    public const string Quality = "mqtt-qos";

    /// <summary>Why it is a dead letter, at most <see cref="ReasonCharactersMax"/> characters.</summary>
    public const string Reason = "millrace-dlq-reason";

    /// <summary>When it was given up, ISO 8601 in UTC.</summary>
    public const string Time = "millrace-dlq-time";

    /// <summary>The most characters that <see cref="Reason"/> has.</summary>
    public const int ReasonCharactersMax = 1_000;
}

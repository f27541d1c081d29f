namespace Millrace;

/// <summary>
/// Every name under which Millrace measures and traces, in one place. Names that start with <c>messaging.</c> are those of OpenTelemetry's
/// semantic conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/); the others are Millrace's own. All
/// instruments are measured once per batch or commit, never per record.
/// </summary>
public static class TelemetryNames
{
    /// <summary>The name of the meter.</summary>
    public const string Meter = "Millrace";

    /// <summary>The name of the activity source.</summary>
    public const string ActivitySource = "Millrace";

    /// <summary>Histogram, seconds: how long one call of a processor took, which works on one fetched batch.</summary>
    public const string ProcessDuration = "messaging.process.duration";

    /// <summary>Counter, records: what processors were given, counted again when a batch is processed again.</summary>
    public const string ConsumedMessages = "messaging.client.consumed.messages";

    /// <summary>Counter, records: what processors said, counted when it is durable.</summary>
    public const string SentMessages = "messaging.client.sent.messages";

    /// <summary>Counter: commits of processors, with <see cref="Outcome"/> <c>committed</c> or <c>failed</c>.</summary>
    public const string Commits = "millrace.processor.commits";

    /// <summary>Histogram, seconds: from the call of a commit to its durability.</summary>
    public const string CommitDuration = "millrace.processor.commit.duration";

    /// <summary>Up-down counter: commits that are under way.</summary>
    public const string CommitsInFlight = "millrace.processor.commits_in_flight";

    /// <summary>Counter: restarts of partitions after a failure.</summary>
    public const string Restarts = "millrace.processor.restarts";

    /// <summary>Counter: timers that fired.</summary>
    public const string TimersFired = "millrace.processor.timers_fired";

    /// <summary>Gauge, records: how far a processor's committed position is behind a partition's end.</summary>
    public const string Lag = "millrace.processor.lag";

    /// <summary>Gauge, timers: how many timers a processor has pending on a partition.</summary>
    public const string Timers = "millrace.processor.timers";

    /// <summary>Attribute: always <see cref="SystemMillrace"/>.</summary>
    public const string System = "messaging.system";

    /// <summary>Value of <see cref="System"/>.</summary>
    public const string SystemMillrace = "millrace";

    /// <summary>Attribute: the topic.</summary>
    public const string Destination = "messaging.destination.name";

    /// <summary>Attribute: the partition's number, as text.</summary>
    public const string DestinationPartition = "messaging.destination.partition.id";

    /// <summary>Attribute: the processor's name, which is its consumer group's id.</summary>
    public const string ConsumerGroup = "messaging.consumer.group.name";

    /// <summary>Attribute: how many records the call worked on.</summary>
    public const string BatchMessageCount = "messaging.batch.message_count";

    /// <summary>Attribute: <see cref="OperationProcess"/> or <see cref="OperationSend"/>.</summary>
    public const string OperationType = "messaging.operation.type";

    /// <summary>Attribute: the operation's name; here the same word as its type.</summary>
    public const string OperationName = "messaging.operation.name";

    /// <summary>Value: a processor works on records.</summary>
    public const string OperationProcess = "process";

    /// <summary>Value: records were said.</summary>
    public const string OperationSend = "send";

    /// <summary>Attribute: the failure code or the exception's type name, present only when an operation failed.</summary>
    public const string ErrorType = "error.type";

    /// <summary>Attribute of <see cref="Commits"/>: how it ended.</summary>
    public const string Outcome = "millrace.outcome";
}

namespace Millrace.Relational;

/// <summary>
/// The names under which sinks measure, besides <see cref="TelemetryNames"/>, whose meter they use. All instruments carry <see
/// cref="TelemetryNames.ConsumerGroup"/> (the sink) and <see cref="TelemetryNames.Destination"/> (the topic read). They are measured once
/// per database transaction.
/// </summary>
public static class SinkTelemetryNames
{
    /// <summary>Counter, rows: written and committed, those included that a later row of the same batch replaced.</summary>
    public const string Rows = "millrace.sink.rows";

    /// <summary>Counter, records: passed over because the database has them already.</summary>
    public const string Skipped = "millrace.sink.skipped";

    /// <summary>Counter, records: said to the dead letters.</summary>
    public const string DeadLetters = "millrace.sink.dead_letters";

    /// <summary>Histogram, seconds: one database transaction, from the wait for a connection to its commit.</summary>
    public const string WriteDuration = "millrace.sink.write.duration";
}

namespace Millrace.Streams;

/// <summary>
/// The names under which streams measure, besides <see cref="TelemetryNames"/>, whose meter they use. All instruments carry <see
/// cref="TelemetryNames.ConsumerGroup"/>: the stage's name. They are counted once per batch.
/// </summary>
public static class StreamsTelemetryNames
{
    /// <summary>Counter, {record}: records that were late for each of their windows.</summary>
    public const string Late = "millrace.streams.records.late";

    /// <summary>Counter, {record}: records that were left out as they have no key.</summary>
    public const string Keyless = "millrace.streams.records.keyless";

    /// <summary>Counter, {record}: records that could not be read or worked on and became dead letters.</summary>
    public const string DeadLetters = "millrace.streams.records.dead_letters";

    /// <summary>Counter, {hold}: how often a source's partition was held as it ran ahead of others of its group.</summary>
    public const string AlignmentHolds = "millrace.streams.alignment.holds";

    /// <summary>Counter, {lookup}: lookups that failed and were tried again.</summary>
    public const string LookupRetries = "millrace.streams.lookups.retried";

    /// <summary>Counter, {record}: records of global tables that cannot be read and were left out.</summary>
    public const string TableRefused = "millrace.streams.tables.refused";
}

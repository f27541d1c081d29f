namespace Millrace.Relational;

/// <summary>Whose position it is, and of which owner.</summary>
internal readonly record struct SinkOwner(string Sink, TopicPartition Source, long Epoch);

/// <summary>What an owner finds in the database: the offset of the next record, and refusals that may not be dead letters yet.</summary>
internal sealed record Claim(long NextOffset, IReadOnlyList<Refusal> Refused);

/// <summary>A record that the database does not take, and why.</summary>
internal readonly record struct Refusal(long Offset, string Reason);

/// <summary>A record and the rows that it became.</summary>
internal readonly record struct MappedRecord(long Offset, object?[][] Rows);

/// <summary>What goes into one transaction.</summary>
internal sealed record SinkBatch
{
    public required SinkOwner Owner { get; init; }

    public required Table Table { get; init; }

    /// <summary>The position that the database must have.</summary>
    public required long ExpectedOffset { get; init; }

    /// <summary>The position that it has afterwards.</summary>
    public required long NextOffset { get; init; }

    /// <summary>Records with rows, in order.</summary>
    public required IReadOnlyList<MappedRecord> Records { get; init; }

    /// <summary>Records that could not be mapped; they are kept with those that the database refuses.</summary>
    public required IReadOnlyList<Refusal> Unmapped { get; init; }
}

namespace Millrace.Relational;

/// <summary>Maps one record to the rows that it becomes: none, one or several.</summary>
/// <param name="source">The partition that it was read from.</param>
/// <param name="record">The record, valid during the call.</param>
/// <param name="rows">Takes the rows.</param>
/// <exception cref="MillraceException">
/// With <see cref="FailureCodes.NotAnEvent"/>, <see cref="FailureCodes.UnknownEventType"/> or <see cref="FailureCodes.DataMismatch"/> the
/// record becomes a dead letter. Whatever else it throws restarts the partition.
/// </exception>
public delegate void RowMap(TopicPartition source, in Record record, Rows rows);

/// <summary>What flows from topics into a table. Immutable.</summary>
public sealed record Sink
{
    /// <summary>
    /// The sink's name: of its processor, which is its consumer group, and of its positions in the database. As a group's id.
    /// </summary>
    public required string Name { get; init; }

    /// <summary>The topics that are read; on Kafka all of them have the same number of partitions.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>The table that is written.</summary>
    public required Table Table { get; init; }

    /// <summary>What a record becomes.</summary>
    public required RowMap Map { get; init; }

    /// <summary>The most rows of one database transaction; a record's rows stay together. 10,000 by default, 1 to 1,000,000.</summary>
    public int BatchRowsMax { get; init; } = 10_000;

    /// <summary>The most bytes, about, of the rows of one database transaction. 4 MiB by default, 1 KiB to 256 MiB.</summary>
    public int BatchBytesMax { get; init; } = 4 << 20;

    /// <summary>How often rows are looked for that are past the table's retention. An hour by default, at least a second.</summary>
    public TimeSpan UpkeepInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Throws an <see cref="ArgumentException"/> that names what is wrong, if anything is.</summary>
    public void Validate()
    {
        GroupSubscription.ValidateGroup(Name);
        if (Topics.Count == 0) throw new ArgumentException($"Sink '{Name}' reads no topic.");
        Table.Validate();
        if (BatchRowsMax is < 1 or > 1_000_000)
            throw new ArgumentException($"{nameof(BatchRowsMax)} {BatchRowsMax} of sink '{Name}' is not 1 to 1,000,000.");
        if (BatchBytesMax is < 1 << 10 or > 256 << 20)
            throw new ArgumentException($"{nameof(BatchBytesMax)} {BatchBytesMax} of sink '{Name}' is not 1 KiB to 256 MiB.");
        if (UpkeepInterval < TimeSpan.FromSeconds(1))
            throw new ArgumentException($"{nameof(UpkeepInterval)} {UpkeepInterval} of sink '{Name}' is less than a second.");
    }
}

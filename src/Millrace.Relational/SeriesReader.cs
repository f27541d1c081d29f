namespace Millrace.Relational;

/// <summary>Which part of a series, and how coarse.</summary>
public sealed record SeriesQuery
{
    /// <summary>The column that is aggregated: an integer, a real or a boolean.</summary>
    public required string Value { get; init; }

    /// <summary>The values of the key's columns before the time, in their order; as in <see cref="Rows.Add"/>.</summary>
    public required IReadOnlyList<object> Key { get; init; }

    /// <summary>From this instant on.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>Before this instant.</summary>
    public required DateTimeOffset To { get; init; }

    /// <summary>The length of a bucket, at least a millisecond. Buckets are counted from the Unix epoch, in UTC.</summary>
    public required TimeSpan Step { get; init; }

    /// <summary>The most buckets, so that nobody asks for a year by the millisecond. 10,000 by default.</summary>
    public int BucketsMax { get; init; } = 10_000;
}

/// <summary>A stretch of a series. Rows without a value are passed over; a stretch without rows has no bucket.</summary>
/// <param name="Start">Where the bucket begins.</param>
/// <param name="Minimum">The smallest value.</param>
/// <param name="Maximum">The greatest value.</param>
/// <param name="Mean">The arithmetic mean.</param>
/// <param name="Last">The value with the latest time.</param>
/// <param name="Count">How many values there are.</param>
public readonly record struct SeriesBucket(DateTimeOffset Start, double Minimum, double Maximum, double Mean, double Last, long Count);

/// <summary>Reads a table by key and range of time, in steps. Thread safe.</summary>
public sealed class SeriesReader
{
    private readonly SinkDatabase _database;
    private readonly Table _table;

    internal SeriesReader(SinkDatabase database, Table table)
    {
        if (table.TimeColumn is null) throw new ArgumentException($"Table '{table.Name}' has no time column, so no series.", nameof(table));
        (_database, _table) = (database, table);
    }

    /// <summary>The buckets that have values, in the order of time.</summary>
    /// <exception cref="ArgumentException">The query does not fit the table, or has more than its most buckets.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.Unreachable"/>.</exception>
    public ValueTask<IReadOnlyList<SeriesBucket>> ReadAsync(SeriesQuery query, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        var column = _table.Columns[_table.IndexOf(query.Value)];
        if (column.Type is not (ColumnType.Whole or ColumnType.Real or ColumnType.Boolean))
            throw new ArgumentException($"Column '{column.Name}' of table '{_table.Name}' holds {column.Type}, which has no mean.");
        if (query.Key.Count != _table.Key.Count - 1)
        {
            throw new ArgumentException(
                $"The key of a series of '{_table.Name}' has {_table.Key.Count - 1} values; {query.Key.Count} were given.");
        }

        if (query.Step < TimeSpan.FromMilliseconds(1) || query.Step.Ticks % TimeSpan.TicksPerMicrosecond != 0)
            throw new ArgumentException($"{nameof(query.Step)} {query.Step} is not a millisecond or more, in whole microseconds.");
        if (query.From >= query.To) throw new ArgumentException($"The range from {query.From:O} to {query.To:O} is empty.");
        if (((query.To - query.From).Ticks / query.Step.Ticks) + 1 > query.BucketsMax)
        {
            throw new ArgumentException(
                $"From {query.From:O} to {query.To:O} in steps of {query.Step} are more than {query.BucketsMax} buckets: " +
                "take a longer step.");
        }

        return _database.ReadAsync(_table, query, cancellation);
    }
}

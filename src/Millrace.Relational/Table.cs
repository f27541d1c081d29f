namespace Millrace.Relational;

/// <summary>What a column holds. The types of both databases and their limits are in <c>docs/sinks.md</c>.</summary>
public enum ColumnType
{
    /// <summary>Text, without the character U+0000, which PostgreSQL cannot hold.</summary>
    Text = 0,

    /// <summary>A whole number of 64 bits.</summary>
    Whole = 1,

    /// <summary>A floating-point number of 64 bits.</summary>
    Real = 2,

    /// <summary>True or false.</summary>
    Boolean = 3,

    /// <summary>An instant in UTC, exact to a microsecond; finer digits are cut off.</summary>
    Time = 4,

    /// <summary>Bytes.</summary>
    Bytes = 5,
}

/// <summary>A column.</summary>
/// <param name="Name">Its name: 1 to 63 bytes of UTF-8, as PostgreSQL has it. It is quoted wherever it is used.</param>
/// <param name="Type">What it holds.</param>
/// <param name="IsNullable">Whether it may be empty. A column of the key may not.</param>
public sealed record Column(string Name, ColumnType Type, bool IsNullable = false);

/// <summary>A table that a sink writes and a series is read from. Immutable; thread safe.</summary>
public sealed record Table
{
    /// <summary>The most bytes of UTF-8 in a name: PostgreSQL cuts off what is longer.</summary>
    public const int NameBytesMax = 63;

    /// <summary>The most columns.</summary>
    public const int ColumnsMax = 250;

    // "_p" and eight digits are added to name a partition by its first day.
    private const int PartitionSuffixBytes = 16;

    /// <summary>The table's name, at most 47 bytes of UTF-8, so that there is room for the names of its partitions.</summary>
    public required string Name { get; init; }

    /// <summary>The columns, in the order in which rows state their values; at most <see cref="ColumnsMax"/>.</summary>
    public required IReadOnlyList<Column> Columns { get; init; }

    /// <summary>
    /// The names of the columns that make the primary key: a later row of the same key replaces an earlier one. When there is a <see
    /// cref="TimeColumn"/> it is the last of them, so that the key's index serves series by key and time.
    /// </summary>
    public required IReadOnlyList<string> Key { get; init; }

    /// <summary>The column by whose time the table is divided and ages, or null for a table that does neither.</summary>
    public string? TimeColumn { get; init; }

    /// <summary>
    /// How much time one partition (PostgreSQL) or chunk (TimescaleDB) holds, whole days. 7 days by default, 1 to 3,650 are possible.
    /// </summary>
    public TimeSpan PartitionSpan { get; init; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Rows older than this are dropped, whole partitions or chunks at a time; null, the default, keeps them. The sink does it, and so has
    /// to be the owner of the table where it is PostgreSQL's.
    /// </summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>
    /// After this time TimescaleDB compresses a chunk, in its Community edition; null, the default, compresses nothing. Elsewhere without
    /// effect.
    /// </summary>
    public TimeSpan? CompressAfter { get; init; }

    /// <summary>Whether the sink creates the table when it is missing. True by default.</summary>
    public bool CreatesIfMissing { get; init; } = true;

    /// <summary>The place of a column among the values of a row.</summary>
    /// <exception cref="ArgumentException">There is no such column.</exception>
    public int IndexOf(string column)
    {
        for (var i = 0; i < Columns.Count; i++)
        {
            if (Columns[i].Name == column) return i;
        }

        throw new ArgumentException($"Table '{Name}' has no column '{column}'.", nameof(column));
    }

    /// <summary>Throws an <see cref="ArgumentException"/> that names what is wrong, if anything is.</summary>
    public void Validate()
    {
        Names.Demand(Name, NameBytesMax - PartitionSuffixBytes);
        if (Name.StartsWith("millrace_", StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"Table name '{Name}' begins with 'millrace_': such tables are the sinks' own.");
        if (Columns.Count is 0 or > ColumnsMax)
            throw new ArgumentException($"Table '{Name}' has {Columns.Count} columns; 1 to {ColumnsMax} are possible.");
        foreach (var column in Columns) Names.Demand(column.Name, NameBytesMax);

        // SQLite knows no case in names, so two that differ only in it are one there.
        if (Columns.Select(c => c.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count() != Columns.Count)
            throw new ArgumentException($"Table '{Name}' names a column twice.");
        if (Key.Count == 0 || Key.Distinct(StringComparer.Ordinal).Count() != Key.Count)
            throw new ArgumentException($"The key of table '{Name}' is empty or names a column twice.");
        foreach (var key in Key)
        {
            if (Columns[IndexOf(key)].IsNullable)
                throw new ArgumentException($"Column '{key}' is of the key of table '{Name}' and cannot be nullable.");
        }

        ValidateTime();
    }

    private void ValidateTime()
    {
        if (TimeColumn is null)
        {
            if (Retention is not null || CompressAfter is not null)
                throw new ArgumentException($"Table '{Name}' has retention or compression and no {nameof(TimeColumn)} to go by.");
            return;
        }

        if (Columns[IndexOf(TimeColumn)].Type != ColumnType.Time)
            throw new ArgumentException($"Column '{TimeColumn}' of table '{Name}' is not of type {nameof(ColumnType.Time)}.");
        if (Key[^1] != TimeColumn)
            throw new ArgumentException($"The time column '{TimeColumn}' is not the last of the key of table '{Name}'.");
        if (PartitionSpan < TimeSpan.FromDays(1) || PartitionSpan > TimeSpan.FromDays(3650)
            || PartitionSpan.Ticks % TimeSpan.TicksPerDay != 0)
            throw new ArgumentException($"{nameof(PartitionSpan)} {PartitionSpan} of table '{Name}' is not 1 to 3,650 whole days.");
        if (Retention <= TimeSpan.Zero || CompressAfter <= TimeSpan.Zero)
            throw new ArgumentException($"Retention and compression of table '{Name}' need a time beyond zero.");
    }
}

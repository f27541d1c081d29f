using System.Text;

namespace Millrace.Relational;

/// <summary>
/// Takes the rows that one record becomes. Every value is checked against its column, so that a wrong one is a fault of its record and not
/// of the whole batch. Valid during the call of <see cref="Sink.Map"/> only. Not thread safe.
/// </summary>
public sealed class Rows
{
    private const int ValueOverheadBytes = 16;

    private readonly Table _table;
    private readonly List<object?[]> _rows = [];

    internal Rows(Table table) => _table = table;

    /// <summary>How many rows were added.</summary>
    public int Count => _rows.Count;

    /// <summary>About how many bytes the values take.</summary>
    internal long SizeBytes { get; private set; }

    /// <summary>
    /// Adds a row. Text is a string; an integer a long, int, short or byte; a real a double, float or an integer; a time a DateTimeOffset
    /// or a DateTime in UTC; bytes a byte array, which belongs to the row from here on.
    /// </summary>
    /// <param name="values">A value per column, in the order of <see cref="Table.Columns"/>; null where there is none.</param>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.DataMismatch"/> when a value does not fit its column: the record becomes a dead letter.
    /// </exception>
    /// <exception cref="ArgumentException">There are more or fewer values than columns.</exception>
    public void Add(params ReadOnlySpan<object?> values)
    {
        if (values.Length != _table.Columns.Count)
            throw new ArgumentException($"Table '{_table.Name}' has {_table.Columns.Count} columns; {values.Length} values were given.");
        var row = new object?[values.Length];
        for (var i = 0; i < row.Length; i++)
        {
            row[i] = values[i] is { } value ? Fit(_table.Columns[i], value) : Empty(_table.Columns[i]);
            SizeBytes += ValueOverheadBytes + (row[i] switch { string text => text.Length, byte[] bytes => bytes.Length, _ => 0 });
        }

        _rows.Add(row);
    }

    internal object?[][] Take()
    {
        object?[][] taken = [.. _rows];
        Clear();
        return taken;
    }

    internal void Clear()
    {
        _rows.Clear();
        SizeBytes = 0;
    }

    private object? Empty(Column column) => column.IsNullable ? null : throw Mismatch(column, "nothing");

    private object Fit(Column column, object value) => (column.Type, value) switch
    {
        (ColumnType.Text, string text) => IsStorable(text) ? text : throw Mismatch(column, "text with U+0000 or half a surrogate pair"),
        (ColumnType.Whole, long number) => number,
        (ColumnType.Whole, int number) => (long)number,
        (ColumnType.Whole, short number) => (long)number,
        (ColumnType.Whole, byte number) => (long)number,

        // SQLite keeps no NaN: it would become NULL there.
        (ColumnType.Real, double number) => double.IsNaN(number) ? throw Mismatch(column, "NaN") : number,
        (ColumnType.Real, float number) => float.IsNaN(number) ? throw Mismatch(column, "NaN") : (double)number,
        (ColumnType.Real, long number) => (double)number,
        (ColumnType.Real, int number) => (double)number,
        (ColumnType.Boolean, bool flag) => flag,
        (ColumnType.Time, DateTimeOffset time) => Micros(column, time.UtcDateTime),
        (ColumnType.Time, DateTime { Kind: DateTimeKind.Utc } time) => Micros(column, time),
        (ColumnType.Bytes, byte[] bytes) => bytes,
        _ => throw Mismatch(column, $"a {value.GetType().Name}"),
    };

    // The first instant of .NET's calendar is what a time without a value looks like, and PostgreSQL's client writes it as -infinity.
    private DateTime Micros(Column column, DateTime time) => time.Ticks < TimeSpan.TicksPerMicrosecond
        ? throw Mismatch(column, "the first instant of the year 1")
        : new(time.Ticks - (time.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Utc);

    private static bool IsStorable(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            // Half a pair is enumerated as the replacement character, which may also stand in the text itself.
            if (rune.Value == 0) return false;
            if (rune == Rune.ReplacementChar) return IsPaired(text) && !text.Contains('\0', StringComparison.Ordinal);
        }

        return true;
    }

    private static bool IsPaired(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return false;
            i++;
        }

        return true;
    }

    private MillraceException Mismatch(Column column, string value) => new(FailureCodes.DataMismatch,
        $"Column '{column.Name}' of table '{_table.Name}' holds {column.Type}{(column.IsNullable ? " or nothing" : "")}; " +
        $"{value} does not fit.");
}

using Microsoft.Data.Sqlite;
using Millrace.Relational;

namespace Millrace.Sqlite;

/// <summary>SQLite's statements. Times are whole microseconds since the Unix epoch, booleans 0 and 1.</summary>
internal static class SqliteSql
{
    /// <summary>
    /// STRICT, so that a value of a wrong type is refused and not kept as something else; without row ids, so that rows lie in the order of
    /// key and time, which is how series are read.
    /// </summary>
    public static string CreateTable(Table table)
    {
        var columns = table.Columns.Select(c => $"{Names.Quote(c.Name)} {TypeOf(c.Type)}{(c.IsNullable ? "" : " NOT NULL")}");
        var create = $"CREATE TABLE IF NOT EXISTS {Names.Quote(table.Name)} ({string.Join(", ", columns)}, " +
            $"PRIMARY KEY ({Names.List(table.Key)})) STRICT, WITHOUT ROWID;";

        // Retention looks for the oldest rows of all keys.
        return table.Retention is null || table.Key.Count == 1 ? create : create +
            $"CREATE INDEX IF NOT EXISTS {Names.Quote(table.Name + "_time")} ON {Names.Quote(table.Name)} " +
            $"({Names.Quote(table.TimeColumn!)});";
    }

    /// <summary>Row by row in their order: a prepared statement in SQLite costs less than a staging table would.</summary>
    public static void Upsert(
        SqliteConnection connection, SqliteTransaction transaction, Table table, IReadOnlyList<MappedRecord> records, int start, int count)
    {
        using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = UpsertText(table);
        var parameters = new SqliteParameter[table.Columns.Count];
        for (var i = 0; i < parameters.Length; i++) parameters[i] = command.Parameters.Add(new SqliteParameter($"@v{i}", null));
        for (var r = start; r < start + count; r++)
        {
            foreach (var row in records[r].Rows)
            {
                for (var i = 0; i < row.Length; i++) parameters[i].Value = Value(row[i]);
                command.ExecuteNonQuery();
            }
        }
    }

    public static object Value(object? value) => value switch
    {
        null => DBNull.Value,
        DateTime time => Micros(time),
        DateTimeOffset time => Micros(time.UtcDateTime),
        bool flag => flag ? 1L : 0L,
        _ => value,
    };

    public static long Micros(DateTime time) => (time.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    private static string UpsertText(Table table)
    {
        var updates = table.Columns.Where(c => !table.Key.Contains(c.Name))
            .Select(c => $"{Names.Quote(c.Name)} = excluded.{Names.Quote(c.Name)}");
        var assignments = string.Join(", ", updates);
        return $"INSERT INTO {Names.Quote(table.Name)} ({Names.List(table.Columns.Select(c => c.Name))}) " +
            $"VALUES ({string.Join(", ", table.Columns.Select((_, i) => $"@v{i}"))}) ON CONFLICT ({Names.List(table.Key)}) DO " +
            (assignments.Length == 0 ? "NOTHING" : $"UPDATE SET {assignments}");
    }

    private static string TypeOf(ColumnType type) => type switch
    {
        ColumnType.Text => "TEXT",
        ColumnType.Whole or ColumnType.Time or ColumnType.Boolean => "INTEGER",
        ColumnType.Real => "REAL",
        ColumnType.Bytes => "BLOB",
        _ => throw new InvalidOperationException($"Unknown column type {type}."),
    };
}

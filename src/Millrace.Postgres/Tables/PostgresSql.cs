using System.Globalization;
using Millrace.Relational;
using NpgsqlTypes;

namespace Millrace.Postgres;

/// <summary>PostgreSQL's statements about tables.</summary>
internal static class PostgresSql
{
    public static string CreateTable(Table table, bool isPartitioned)
    {
        var columns = table.Columns.Select(c => $"{Names.Quote(c.Name)} {TypeOf(c.Type)}{(c.IsNullable ? "" : " NOT NULL")}");
        return $"CREATE TABLE IF NOT EXISTS {Names.Quote(table.Name)} ({string.Join(", ", columns)}, " +
            $"PRIMARY KEY ({Names.List(table.Key)}))" +
            (isPartitioned ? $" PARTITION BY RANGE ({Names.Quote(table.TimeColumn!)})" : "");
    }

    public static string CreatePartition(Table table, DateTime from)
    {
        var name = table.Name + "_p" + from.ToString("yyyyMMdd", CultureInfo.InvariantCulture);
        return $"CREATE TABLE IF NOT EXISTS {Names.Quote(name)} PARTITION OF {Names.Quote(table.Name)} " +
            $"FOR VALUES FROM ('{Literal(from)}') TO ('{Literal(EndOf(table, from))}')";
    }

    /// <summary>The beginning of the partition that a time is in, counted from the Unix epoch.</summary>
    public static DateTime StartOf(Table table, DateTime time)
    {
        var span = table.PartitionSpan.Ticks;
        var ticks = time.Ticks - DateTime.UnixEpoch.Ticks;
        var start = DateTime.UnixEpoch.Ticks + ticks - (((ticks % span) + span) % span);
        return new DateTime(Math.Max(start, DateTime.MinValue.Ticks), DateTimeKind.Utc);
    }

    public static DateTime EndOf(Table table, DateTime start)
    {
        // The first partition of all begins late, where the calendar of .NET does.
        var next = start.Ticks + table.PartitionSpan.Ticks;
        var end = start == DateTime.MinValue ? StartOf(table, new DateTime(next, DateTimeKind.Utc)).Ticks : next;
        return new DateTime(Math.Min(end, DateTime.MaxValue.Ticks), DateTimeKind.Utc);
    }

    public static string TypeOf(ColumnType type) => type switch
    {
        ColumnType.Text => "text",
        ColumnType.Whole => "bigint",
        ColumnType.Real => "double precision",
        ColumnType.Boolean => "boolean",
        ColumnType.Time => "timestamp with time zone",
        ColumnType.Bytes => "bytea",
        _ => throw new InvalidOperationException($"Unknown column type {type}."),
    };

    public static NpgsqlDbType DbTypeOf(ColumnType type) => type switch
    {
        ColumnType.Text => NpgsqlDbType.Text,
        ColumnType.Whole => NpgsqlDbType.Bigint,
        ColumnType.Real => NpgsqlDbType.Double,
        ColumnType.Boolean => NpgsqlDbType.Boolean,
        ColumnType.Time => NpgsqlDbType.TimestampTz,
        ColumnType.Bytes => NpgsqlDbType.Bytea,
        _ => throw new InvalidOperationException($"Unknown column type {type}."),
    };

    /// <summary>A text as it stands in a statement.</summary>
    public static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";

    private static string Literal(DateTime time) => time.ToString("yyyy-MM-dd HH:mm:ss.ffffff'+00'", CultureInfo.InvariantCulture);
}

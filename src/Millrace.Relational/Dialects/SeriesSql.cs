using System.Data.Common;

namespace Millrace.Relational;

/// <summary>The statement of a series, which both databases read alike but for two expressions.</summary>
internal static class SeriesSql
{
    /// <param name="table">The table.</param>
    /// <param name="query">The query.</param>
    /// <param name="micros">From a time column's quoted name to microseconds since the Unix epoch.</param>
    /// <param name="real">From a quoted name to a floating-point number.</param>
    public static string Select(Table table, SeriesQuery query, Func<string, string> micros, Func<string, string> real)
    {
        var time = Names.Quote(table.TimeColumn!);
        var value = Names.Quote(query.Value);
        var key = string.Concat(table.Key.SkipLast(1).Select((name, i) => $" AND {Names.Quote(name)} = @key{i}"));

        // The remainder takes the sign of the number, so the step is added once more: buckets before 1970 begin below, too.
        return $"""
            SELECT bucket, min(v), max(v), avg(v), max(CASE WHEN newest = 1 THEN v END), count(*)
            FROM (
                SELECT bucket, v, row_number() OVER (PARTITION BY bucket ORDER BY t DESC) AS newest
                FROM (
                    SELECT m - ((m % @step) + @step) % @step AS bucket, v, t
                    FROM (
                        SELECT {micros(time)} AS m, {real(value)} AS v, {time} AS t
                        FROM {Names.Quote(table.Name)}
                        WHERE {time} >= @from AND {time} < @to AND {value} IS NOT NULL{key}
                    ) AS chosen
                ) AS bucketed
            ) AS numbered
            GROUP BY bucket ORDER BY bucket
            """;
    }

    public static long StepMicros(SeriesQuery query) => query.Step.Ticks / TimeSpan.TicksPerMicrosecond;

    public static async ValueTask<IReadOnlyList<SeriesBucket>> ReadAsync(DbCommand command, CancellationToken cancellation)
    {
        var buckets = new List<SeriesBucket>();
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            buckets.Add(new SeriesBucket(
                DateTimeOffset.UnixEpoch.AddTicks(reader.GetInt64(0) * TimeSpan.TicksPerMicrosecond),
                reader.GetDouble(1), reader.GetDouble(2), reader.GetDouble(3), reader.GetDouble(4), reader.GetInt64(5)));
        }

        return buckets;
    }
}

using Millrace.Relational;
using Npgsql;

namespace Millrace.Postgres;

/// <summary>
/// Hands a table over to TimescaleDB (https://docs.timescale.com/api/latest/): chunks, compression and retention are its own work then.
/// </summary>
internal static class Hypertable
{
    public static async ValueTask SetUpAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        await CallAsync(connection, table, table.PartitionSpan,
            "SELECT create_hypertable(CAST(@table AS regclass), CAST(@time AS name), chunk_time_interval => @span, if_not_exists => TRUE)",
            cancellation);
        if (table.CompressAfter is { } compressAfter)
        {
            // Set again it would be refused where chunks are compressed already.
            if (!await IsCompressedAsync(connection, table, cancellation))
            {
                await using var alter = new NpgsqlCommand(CompressText(table), connection);
                await alter.ExecuteNonQueryAsync(cancellation);
            }

            await CallAsync(connection, table, compressAfter,
                "SELECT add_compression_policy(CAST(@table AS regclass), compress_after => @span, if_not_exists => TRUE)", cancellation);
        }

        if (table.Retention is { } retention)
        {
            await CallAsync(connection, table, retention,
                "SELECT add_retention_policy(CAST(@table AS regclass), drop_after => @span, if_not_exists => TRUE)", cancellation);
        }
    }

    private static string CompressText(Table table)
    {
        var segments = table.Key.Count == 1 ? "" : $", timescaledb.compress_segmentby = {Literal(Names.List(table.Key.SkipLast(1)))}";
        return $"ALTER TABLE {Names.Quote(table.Name)} SET (timescaledb.compress{segments}, " +
            $"timescaledb.compress_orderby = {Literal(Names.Quote(table.TimeColumn!) + " DESC")})";
    }

    private static async ValueTask<bool> IsCompressedAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        const string sql = """
            SELECT compression_enabled FROM timescaledb_information.hypertables
            WHERE CAST(format('%I.%I', hypertable_schema, hypertable_name) AS regclass) = CAST(@table AS regclass)
            """;
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue("table", Names.Quote(table.Name));
        return await command.ExecuteScalarAsync(cancellation) is true;
    }

    private static async ValueTask CallAsync(
        NpgsqlConnection connection, Table table, TimeSpan span, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue("table", Names.Quote(table.Name));
        if (sql.Contains("@time", StringComparison.Ordinal)) command.Parameters.AddWithValue("time", table.TimeColumn!);
        command.Parameters.AddWithValue("span", span);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}

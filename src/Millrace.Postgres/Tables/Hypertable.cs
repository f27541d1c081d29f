using Millrace.Relational;
using Npgsql;

namespace Millrace.Postgres;

/// <summary>
/// Tables of TimescaleDB (https://docs.timescale.com/api/latest/). Its Apache edition has hypertables and drops chunks; only its Community
/// edition compresses.
/// </summary>
internal static class Hypertable
{
    /// <summary>Whether the database has the extension.</summary>
    public static async ValueTask<bool> IsPossibleAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')", connection);
        return await command.ExecuteScalarAsync(cancellation) is true;
    }

    /// <summary>Whether a table is one; asked only where it is possible.</summary>
    public static async ValueTask<bool> IsAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation) =>
        await HasCompressionAsync(connection, table, cancellation) is not null;

    /// <summary>Makes one of an empty table.</summary>
    public static async ValueTask MakeAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        await using var command = Command(connection, table,
            "SELECT create_hypertable(CAST(@table AS regclass), CAST(@time AS name), chunk_time_interval => @span)");
        command.Parameters.AddWithValue("time", table.TimeColumn!);
        command.Parameters.AddWithValue("span", table.PartitionSpan);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Drops the chunks whose rows are all older than a time.</summary>
    public static async ValueTask DropAsync(
        NpgsqlConnection connection, Table table, DateTime limit, CancellationToken cancellation)
    {
        // The limit has to be of the column's type, which is another one where the table was made by hand.
        await using var asking = Command(connection, table,
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass(@table) AND attname = @time");
        asking.Parameters.AddWithValue("time", table.TimeColumn!);
        var type = await asking.ExecuteScalarAsync(cancellation);
        await using var command = Command(connection, table,
            $"SELECT drop_chunks(CAST(@table AS regclass), older_than => CAST(@limit AS {type}))");
        command.Parameters.AddWithValue("limit", limit);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Whether the server's edition compresses.</summary>
    public static async ValueTask<bool> CompressesAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("SELECT current_setting('timescaledb.license', true) <> 'apache'", connection);
        return await command.ExecuteScalarAsync(cancellation) is true;
    }

    /// <summary>Lets the server compress chunks. Set again it would be refused where some are compressed: then it stays as it is.</summary>
    public static async ValueTask SetCompressionAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        if (await HasCompressionAsync(connection, table, cancellation) is true) return;
        await using var command = new NpgsqlCommand(CompressionText(table), connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Has the server compress what is older than <see cref="Table.CompressAfter"/>, unless it was told so before.</summary>
    public static async ValueTask AddCompressionPolicyAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        await using var command = Command(connection, table,
            "SELECT add_compression_policy(CAST(@table AS regclass), compress_after => @span, if_not_exists => TRUE)");
        command.Parameters.AddWithValue("span", table.CompressAfter!.Value);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Rows of one key lie together, the latest first, as series are asked for.</summary>
    private static string CompressionText(Table table)
    {
        var keys = PostgresSql.Literal(Names.List(table.Key.SkipLast(1)));
        var segments = table.Key.Count == 1 ? "" : $", timescaledb.compress_segmentby = {keys}";
        return $"ALTER TABLE {Names.Quote(table.Name)} SET (timescaledb.compress{segments}, " +
            $"timescaledb.compress_orderby = {PostgresSql.Literal(Names.Quote(table.TimeColumn!) + " DESC")})";
    }

    /// <summary>Whether a hypertable is set to be compressed; null when the table is none.</summary>
    private static async ValueTask<bool?> HasCompressionAsync(NpgsqlConnection connection, Table table, CancellationToken cancellation)
    {
        await using var command = Command(connection, table,
            """
            SELECT compression_enabled FROM timescaledb_information.hypertables
            WHERE (hypertable_schema, hypertable_name) = (
                SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE pg_class.oid = to_regclass(@table))
            """);
        return (bool?)await command.ExecuteScalarAsync(cancellation);
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, Table table, string sql)
    {
        var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue("table", Names.Quote(table.Name));
        return command;
    }
}

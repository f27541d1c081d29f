using Microsoft.Data.Sqlite;
using Millrace.Relational;

namespace Millrace.Sqlite;

/// <summary>
/// A SQLite file that sinks write to and series are read from. One writer at a time: whatever waits for it goes into one transaction, with
/// one sync of the disk. Write-ahead logging, <c>synchronous=FULL</c>: what was acknowledged is on the disk. Thread safe. SQLite blocks
/// the thread that calls it.
/// </summary>
public sealed class SqliteDatabase : SinkDatabase
{
    private readonly WriteQueue _writes;
    private readonly string _readConnection;

    /// <summary>Describes the database. The file is opened, and created, by the first call that needs it.</summary>
    /// <exception cref="ArgumentException">The options break a rule.</exception>
    public SqliteDatabase(SqliteOptions options)
        : base((options ?? throw new ArgumentNullException(nameof(options))).LoggerFactory, options.MeterFactory)
    {
        options.Validate();
        _writes = new WriteQueue(options);
        _readConnection = SqliteFile.ConnectionString(options, SqliteOpenMode.ReadWrite, isPooled: true);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await _writes.DisposeAsync();
        await using var connection = new SqliteConnection(_readConnection);
        SqliteConnection.ClearPool(connection);
    }

    internal override async ValueTask PrepareAsync(Table table, DateTimeOffset now, CancellationToken cancellation) =>
        await _writes.RunAsync(
            async (connection, transaction) =>
            {
                await ExecuteAsync(connection, transaction, Positions.CreateTables, cancellation);
                await Positions.DemandVersionAsync(connection, transaction, cancellation);
                if (table.CreatesIfMissing) await ExecuteAsync(connection, transaction, SqliteSql.CreateTable(table), cancellation);
                return true;
            },
            cancellation);

    internal override async ValueTask KeepUpAsync(Table table, DateTimeOffset now, CancellationToken cancellation)
    {
        if (table.Retention is not { } retention) return;
        var limit = SqliteSql.Micros((now - retention).UtcDateTime);
        while (await _writes.RunAsync((c, t) => DropSpanAsync(c, t, table, limit, cancellation), cancellation))
        {
            // One span of time per transaction, so that other writers come in between.
        }
    }

    internal override ValueTask<Claim> ClaimAsync(SinkOwner owner, long from, CancellationToken cancellation) =>
        _writes.RunAsync((c, t) => Positions.ClaimAsync(c, t, owner, from, cancellation), cancellation);

    internal override ValueTask<IReadOnlyList<Refusal>> WriteAsync(SinkBatch batch, CancellationToken cancellation) =>
        _writes.RunAsync(
            (connection, transaction) =>
            {
                Upsert upsert = (records, start, count, _) =>
                {
                    SqliteSql.Upsert(connection, transaction, batch.Table, records, start, count);
                    return default;
                };
                return new BatchWriter(connection, transaction, upsert, SqliteFailures.IsRefusal).WriteAsync(batch, cancellation);
            },
            cancellation);

    internal override async ValueTask<IReadOnlyList<SeriesBucket>> ReadAsync(
        Table table, SeriesQuery query, CancellationToken cancellation)
    {
        try
        {
            await using var connection = new SqliteConnection(_readConnection);
            await connection.OpenAsync(cancellation);
            await using var command = connection.CreateCommand();
            command.CommandText = SeriesSql.Select(table, query, time => time, value => $"CAST({value} AS REAL)");
            command.Parameters.AddWithValue("step", SeriesSql.StepMicros(query));
            command.Parameters.AddWithValue("from", SqliteSql.Micros(query.From.UtcDateTime));
            command.Parameters.AddWithValue("to", SqliteSql.Micros(query.To.UtcDateTime));
            for (var i = 0; i < query.Key.Count; i++) command.Parameters.AddWithValue($"key{i}", SqliteSql.Value(query.Key[i]));
            return await SeriesSql.ReadAsync(command, cancellation);
        }
        catch (SqliteException failure)
        {
            throw SqliteFailures.Describe(failure);
        }
    }

    private static async ValueTask<bool> DropSpanAsync(
        SqliteConnection connection, SqliteTransaction transaction, Table table, long limit, CancellationToken cancellation)
    {
        var (name, time) = (Names.Quote(table.Name), Names.Quote(table.TimeColumn!));
        await using var oldest = (SqliteCommand)Positions.Command(connection, transaction, $"SELECT min({time}) FROM {name}");
        if (await oldest.ExecuteScalarAsync(cancellation) is not long first || first >= limit) return false;
        await using var delete = (SqliteCommand)Positions.Command(connection, transaction, $"DELETE FROM {name} WHERE {time} < @to");
        delete.Parameters.AddWithValue("to", Math.Min(limit, first + (table.PartitionSpan.Ticks / TimeSpan.TicksPerMicrosecond)));
        await delete.ExecuteNonQueryAsync(cancellation);
        return true;
    }

    private static async ValueTask ExecuteAsync(
        SqliteConnection connection, SqliteTransaction transaction, string sql, CancellationToken cancellation)
    {
        await using var command = Positions.Command(connection, transaction, sql);
        await command.ExecuteNonQueryAsync(cancellation);
    }
}

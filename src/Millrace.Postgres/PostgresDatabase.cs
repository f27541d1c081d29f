using Millrace.Relational;
using Npgsql;

namespace Millrace.Postgres;

/// <summary>
/// A PostgreSQL database, with or without TimescaleDB, that sinks write to and series are read from. Rows go by binary COPY to a staging
/// table of the connection and from there over those of the same keys. Thread safe.
/// </summary>
public sealed class PostgresDatabase : SinkDatabase
{
    private readonly NpgsqlDataSource _source;
    private readonly TableUpkeep _upkeep;

    /// <summary>Describes the database. It is connected to by the first call that needs it.</summary>
    /// <exception cref="ArgumentException">The options break a rule.</exception>
    public PostgresDatabase(PostgresOptions options)
        : base((options ?? throw new ArgumentNullException(nameof(options))).LoggerFactory, options.MeterFactory)
    {
        options.Validate();
        _source = new NpgsqlDataSourceBuilder(Describe(options)).Build();
        _upkeep = new TableUpkeep(options.PartitionsAhead);
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => _source.DisposeAsync();

    internal override async ValueTask PrepareAsync(Table table, DateTimeOffset now, CancellationToken cancellation) =>
        await InTransactionAsync(
            async (connection, transaction) =>
            {
                await _upkeep.PrepareAsync(connection, transaction, table, cancellation);
                return true;
            },
            cancellation);

    internal override async ValueTask KeepUpAsync(Table table, DateTimeOffset now, CancellationToken cancellation)
    {
        if (!_upkeep.IsKeptUp(table)) return;
        await InTransactionAsync(
            async (connection, transaction) =>
            {
                await _upkeep.KeepUpAsync(connection, transaction, table, now, cancellation);
                return true;
            },
            cancellation);
    }

    internal override ValueTask<Claim> ClaimAsync(SinkOwner owner, long from, CancellationToken cancellation) =>
        InTransactionAsync((c, t) => Positions.ClaimAsync(c, t, owner, from, cancellation), cancellation);

    internal override async ValueTask<IReadOnlyList<Refusal>> WriteAsync(SinkBatch batch, CancellationToken cancellation)
    {
        // In a transaction of their own, since others' writers wait for the table while its partitions change.
        if (_upkeep.Missing(batch) is { Count: > 0 } missing)
        {
            await InTransactionAsync(
                async (connection, transaction) =>
                {
                    await _upkeep.MakeAsync(connection, transaction, batch.Table, missing, cancellation);
                    return true;
                },
                cancellation);
        }

        try
        {
            return await InTransactionAsync(
                async (connection, transaction) =>
                {
                    var staging = new Staging(connection, batch.Table);
                    await staging.CreateAsync(cancellation);
                    return await new BatchWriter(connection, transaction, staging.UpsertAsync, PostgresFailures.IsRefusal)
                        .WriteAsync(batch, cancellation);
                },
                cancellation);
        }
        catch (MillraceException failure)
            when (failure.InnerException is PostgresException cause && PostgresFailures.IsPartitionMissing(cause))
        {
            _upkeep.Forget(batch.Table);
            throw;
        }
    }

    internal override async ValueTask<IReadOnlyList<SeriesBucket>> ReadAsync(
        Table table, SeriesQuery query, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellation);
            await using var command = connection.CreateCommand();
            command.CommandText = SeriesSql.Select(table, query,
                time => $"CAST(extract(epoch FROM {time}) * 1000000 AS bigint)",
                value => table.Columns[table.IndexOf(query.Value)].Type == ColumnType.Boolean
                    ? $"CAST(CAST({value} AS integer) AS double precision)" : $"CAST({value} AS double precision)");
            command.Parameters.AddWithValue("step", SeriesSql.StepMicros(query));
            command.Parameters.AddWithValue("from", query.From.UtcDateTime);
            command.Parameters.AddWithValue("to", query.To.UtcDateTime);
            for (var i = 0; i < query.Key.Count; i++) command.Parameters.AddWithValue($"key{i}", KeyValue(query.Key[i]));
            return await SeriesSql.ReadAsync(command, cancellation);
        }
        catch (NpgsqlException failure)
        {
            throw PostgresFailures.Describe(failure);
        }
    }

    private async ValueTask<TResult> InTransactionAsync<TResult>(
        Func<NpgsqlConnection, NpgsqlTransaction, ValueTask<TResult>> work, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellation);
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await DemandDurabilityAsync(connection, cancellation);
            var result = await work(connection, transaction);
            await transaction.CommitAsync(cancellation);
            return result;
        }
        catch (NpgsqlException failure)
        {
            throw PostgresFailures.Describe(failure);
        }
    }

    /// <summary>
    /// The log's position follows the database's, so what the database acknowledges has to be on its disk. A server that is set to less is
    /// set right for this transaction; one that is set to more is left alone.
    /// </summary>
    private static async ValueTask DemandDurabilityAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        const string sql = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
        await using var command = Positions.Command(connection, null, sql);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static object KeyValue(object value) => value switch
    {
        DateTimeOffset time => time.UtcDateTime,
        _ => value,
    };

    private static string Describe(PostgresOptions options) => new NpgsqlConnectionStringBuilder(options.ConnectionString)
    {
        MaxPoolSize = options.ConnectionsMax,
        Timeout = (int)options.ConnectTimeout.TotalSeconds,
        CommandTimeout = (int)options.StatementTimeout.TotalSeconds,
        Timezone = "UTC",

        // Staging tables stay with their connection; nothing else that a session remembers is used.
        NoResetOnClose = true,
        PersistSecurityInfo = false,
    }.ToString();
}

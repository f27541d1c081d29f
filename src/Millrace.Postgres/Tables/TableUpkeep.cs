using System.Collections.Concurrent;
using Millrace.Relational;
using Npgsql;

namespace Millrace.Postgres;

/// <summary>
/// Makes tables, and partitions of time ahead and as rows need them, and drops those that are past the retention, be they partitions or
/// chunks of TimescaleDB. One at a time in the whole database, under an advisory lock, for "IF NOT EXISTS" alone is no protection against
/// another who does the same. Thread safe.
/// </summary>
internal sealed class TableUpkeep(int partitionsAhead)
{
    // Any number that others hardly use: "millrace" in ASCII.
    private const long AdvisoryLock = 0x6d696c6c72616365;

    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);

    private enum Form
    {
        Plain = 0,
        Partitioned = 1,
        Hypertable = 2,
    }

    /// <summary>Whether anything is to be made ahead or dropped.</summary>
    public bool IsKeptUp(Table table) => FormOf(table) switch
    {
        Form.Partitioned => true,
        Form.Hypertable => table.Retention is not null,
        _ => false,
    };

    public async ValueTask PrepareAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Table table, CancellationToken cancellation)
    {
        await LockAsync(connection, cancellation);
        await ExecuteAsync(connection, Positions.CreateTables, cancellation);
        await Positions.DemandVersionAsync(connection, transaction, cancellation);
        var hasTimescale = table.TimeColumn is not null && await Hypertable.IsPossibleAsync(connection, cancellation);

        // A table that was there before stays what it is: a plain one gets no partitions, and a partitioned one becomes no hypertable.
        var form = await FormAsync(connection, table, hasTimescale, cancellation);
        if (form is null && table.CreatesIfMissing)
        {
            form = hasTimescale ? Form.Hypertable : table.TimeColumn is null ? Form.Plain : Form.Partitioned;
            await ExecuteAsync(connection, PostgresSql.CreateTable(table, form == Form.Partitioned), cancellation);
            if (hasTimescale) await Hypertable.MakeAsync(connection, table, cancellation);
        }

        if (form == Form.Hypertable && table is { CreatesIfMissing: true, CompressAfter: not null }
            && await Hypertable.CompressesAsync(connection, cancellation))
        {
            await Hypertable.SetCompressionAsync(connection, table, cancellation);
            await Hypertable.AddCompressionPolicyAsync(connection, table, cancellation);
        }

        _known[table.Name] = new Known(form ?? Form.Plain);
    }

    public async ValueTask KeepUpAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Table table, DateTimeOffset now, CancellationToken cancellation)
    {
        var form = FormOf(table);
        if (form == Form.Partitioned) await MakeAsync(connection, transaction, table, Ahead(table, now), cancellation);
        if (table.Retention is not { } retention) return;
        var limit = (now - retention).UtcDateTime;
        if (form == Form.Hypertable)
        {
            await Hypertable.DropAsync(connection, table, limit, cancellation);
            return;
        }

        foreach (var name in await PastAsync(connection, table, limit, cancellation))
            await ExecuteAsync(connection, $"DROP TABLE {Names.Quote(name)}", cancellation);

        // What was dropped may be needed again, if late rows come.
        Forget(table);
    }

    /// <summary>The beginnings of partitions that a batch's rows need and that nobody here has made.</summary>
    public List<DateTime> Missing(SinkBatch batch)
    {
        if (!_known.TryGetValue(batch.Table.Name, out var known) || known.Form != Form.Partitioned) return [];
        var time = batch.Table.IndexOf(batch.Table.TimeColumn!);
        var starts = new SortedSet<DateTime>();
        foreach (var record in batch.Records)
        {
            foreach (var row in record.Rows) starts.Add(PostgresSql.StartOf(batch.Table, (DateTime)row[time]!));
        }

        return [.. starts.Where(start => !known.Starts.ContainsKey(start))];
    }

    public async ValueTask MakeAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Table table, List<DateTime> starts, CancellationToken cancellation)
    {
        await LockAsync(connection, cancellation);
        foreach (var start in starts) await ExecuteAsync(connection, PostgresSql.CreatePartition(table, start), cancellation);

        // If the commit fails, rows without a partition fail too, and all of this is forgotten.
        if (_known.TryGetValue(table.Name, out var known))
        {
            foreach (var start in starts) known.Starts.TryAdd(start, true);
        }
    }

    /// <summary>Somebody dropped a partition: the next batch makes those that it needs.</summary>
    public void Forget(Table table)
    {
        if (_known.TryGetValue(table.Name, out var known)) known.Starts.Clear();
    }

    /// <summary>The beginnings of the present partition and of those that are made ahead.</summary>
    private List<DateTime> Ahead(Table table, DateTimeOffset now)
    {
        var ahead = new List<DateTime>();
        var start = PostgresSql.StartOf(table, now.UtcDateTime);
        for (var i = 0; i <= partitionsAhead; i++) ahead.Add(PostgresSql.StartOf(table, start + (i * table.PartitionSpan)));
        return ahead;
    }

    private Form FormOf(Table table) => _known.TryGetValue(table.Name, out var known) ? known.Form : Form.Plain;

    /// <summary>
    /// What a table is; null when it is missing. One that is made when it is missing is looked for where it would be made, and not in the
    /// other schemas of the search path.
    /// </summary>
    private static async ValueTask<Form?> FormAsync(
        NpgsqlConnection connection, Table table, bool hasTimescale, CancellationToken cancellation)
    {
        const string here = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
        var which = table.CreatesIfMissing
            ? $"relname = {PostgresSql.Literal(table.Name)} AND relnamespace = {here}"
            : $"oid = to_regclass({PostgresSql.Literal(Names.Quote(table.Name))})";
        var isPartitioned = await ScalarAsync(connection, $"SELECT relkind = 'p' FROM pg_class WHERE {which}", cancellation);
        if (isPartitioned is null) return null;
        if (isPartitioned is true) return table.TimeColumn is null ? Form.Plain : Form.Partitioned;
        return hasTimescale && await Hypertable.IsAsync(connection, table, cancellation) ? Form.Hypertable : Form.Plain;
    }

    private static async ValueTask<List<string>> PastAsync(
        NpgsqlConnection connection, Table table, DateTime limit, CancellationToken cancellation)
    {
        const string sql = """
            SELECT child.relname
            FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
            WHERE inhparent = to_regclass(@table)
                AND CAST(substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''([^'']+)''\)') AS timestamptz) <= @limit
            """;
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddWithValue("table", Names.Quote(table.Name));
        command.Parameters.AddWithValue("limit", limit);
        var names = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation)) names.Add(reader.GetString(0));
        return names;
    }

    private static async ValueTask LockAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("SELECT pg_advisory_xact_lock(@id)", connection);
        command.Parameters.AddWithValue("id", AdvisoryLock);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async ValueTask ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async ValueTask<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellation);
    }

    /// <summary>What is known of a table, until somebody else changes it.</summary>
    private sealed class Known(Form form)
    {
        public Form Form { get; } = form;

        public ConcurrentDictionary<DateTime, bool> Starts { get; } = [];
    }
}

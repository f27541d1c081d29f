using System.Security.Cryptography;
using System.Text;
using Millrace.Relational;
using Npgsql;
using NpgsqlTypes;

namespace Millrace.Postgres;

/// <summary>
/// A table of the connection that rows are copied to, and from which they go into the real one: the latest row of each key, in the order of
/// the keys, so that two writers lock rows in the same order. Used within one transaction, whose end empties it.
/// </summary>
internal sealed class Staging(NpgsqlConnection connection, Table table)
{
    private readonly string _name = NameOf(table);
    private readonly NpgsqlDbType[] _types = [.. table.Columns.Select(c => PostgresSql.DbTypeOf(c.Type))];
    private bool _isFilled;

    public async ValueTask CreateAsync(CancellationToken cancellation)
    {
        var columns = string.Join(", ", table.Columns.Select((c, i) => $"c{i} {PostgresSql.TypeOf(c.Type)}"));
        await ExecuteAsync(
            $"CREATE TEMPORARY TABLE IF NOT EXISTS {_name} ({columns}, ordinal bigint NOT NULL) ON COMMIT DELETE ROWS", cancellation);
    }

    public async ValueTask UpsertAsync(IReadOnlyList<MappedRecord> records, int start, int count, CancellationToken cancellation)
    {
        if (_isFilled) await ExecuteAsync($"TRUNCATE pg_temp.{_name}", cancellation);
        _isFilled = false;
        await CopyAsync(records, start, count, cancellation);
        await ExecuteAsync(MergeText(), cancellation);
        _isFilled = true;
    }

    private async ValueTask CopyAsync(IReadOnlyList<MappedRecord> records, int start, int count, CancellationToken cancellation)
    {
        await using var import = await connection.BeginBinaryImportAsync($"COPY pg_temp.{_name} FROM STDIN (FORMAT BINARY)", cancellation);
        var ordinal = 0L;
        for (var r = start; r < start + count; r++)
        {
            foreach (var row in records[r].Rows)
            {
                await import.StartRowAsync(cancellation);
                for (var i = 0; i < row.Length; i++)
                {
                    if (row[i] is { } value) await import.WriteAsync(value, _types[i], cancellation);
                    else await import.WriteNullAsync(cancellation);
                }

                await import.WriteAsync(ordinal++, NpgsqlDbType.Bigint, cancellation);
            }
        }

        await import.CompleteAsync(cancellation);
    }

    private string MergeText()
    {
        var places = table.Columns
            .Select((c, i) => (Staged: $"c{i}", Name: Names.Quote(c.Name), IsKey: table.Key.Contains(c.Name))).ToList();
        var key = string.Join(", ", table.Key.Select(name => $"c{table.IndexOf(name)}"));
        var updates = string.Join(", ", places.Where(p => !p.IsKey).Select(p => $"{p.Name} = excluded.{p.Name}"));
        return $"INSERT INTO {Names.Quote(table.Name)} ({string.Join(", ", places.Select(p => p.Name))}) " +
            $"SELECT DISTINCT ON ({key}) {string.Join(", ", places.Select(p => p.Staged))} FROM pg_temp.{_name} " +
            $"ORDER BY {key}, ordinal DESC ON CONFLICT ({Names.List(table.Key)}) DO " +
            (updates.Length == 0 ? "NOTHING" : $"UPDATE SET {updates}");
    }

    private async ValueTask ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Tables of the same column types share a staging table; a connection has as many as there are shapes.</summary>
    private static string NameOf(Table table)
    {
        var shape = string.Join(',', table.Columns.Select(c => PostgresSql.TypeOf(c.Type)));
        return "millrace_staged_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(shape)).AsSpan(0, 12));
    }
}

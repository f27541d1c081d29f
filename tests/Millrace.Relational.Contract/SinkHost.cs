using System.Data.Common;
using System.Globalization;

namespace Millrace.Relational.Contract;

/// <summary>What a database's tests give the suite: a database of one test's own, and what differs in its SQL.</summary>
public abstract class SinkHost : IAsyncDisposable
{
    /// <summary>Opens the database as a process that begins would.</summary>
    public abstract SinkDatabase Open();

    /// <summary>A connection beside the sinks, for tests to look and to meddle.</summary>
    public abstract ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation);

    /// <summary>Creates <see cref="Readings.Table"/> with a rule: no value above 1,000, and none that is missing.</summary>
    public abstract string CreateTableWithRule { get; }

    /// <summary>A time column as it is read by a person: what the text of a row shows.</summary>
    public abstract string TimeText(string column);

    /// <summary>Removes the database.</summary>
    public abstract ValueTask DisposeAsync();

    public async ValueTask ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var connection = await ConnectAsync(cancellation);
        await using var command = Positions.Command(connection, null, sql);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>The rows of a query, each as its values between bars.</summary>
    public async ValueTask<List<string>> QueryAsync(string sql, CancellationToken cancellation)
    {
        await using var connection = await ConnectAsync(cancellation);
        await using var command = Positions.Command(connection, null, sql);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var rows = new List<string>();
        while (await reader.ReadAsync(cancellation))
        {
            rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount)
                .Select(i => reader.IsDBNull(i) ? "" : Convert.ToString(reader.GetValue(i), CultureInfo.InvariantCulture))));
        }

        return rows;
    }
}

using System.Data.Common;
using Millrace.Relational;
using Millrace.Relational.Contract;
using Npgsql;

namespace Millrace.Postgres.Tests;

public sealed class PostgresSinkTests(SharedServer server) : SinkContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(cancellation));
}

public sealed class PostgresTableTests(SharedServer server) : TableContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(cancellation));
}

public sealed class PostgresRuntimeTests(SharedServer server) : RuntimeContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(cancellation));
}

public sealed class TimescaleSinkTests(TimescaleServer server) : SinkContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, cancellation));
}

public sealed class TimescaleTableTests(TimescaleServer server) : TableContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, cancellation));
}

public sealed class TimescaleRuntimeTests(TimescaleServer server) : RuntimeContract
{
    protected override async ValueTask<SinkHost> StartAsync(CancellationToken cancellation) =>
        new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, cancellation));
}

/// <summary>A database of the tests' server.</summary>
internal sealed class PostgresHost(string connectionString) : SinkHost
{
    public override string CreateTableWithRule =>
        "CREATE TABLE readings (device text NOT NULL, time timestamptz NOT NULL, value double precision NOT NULL, " +
        "CONSTRAINT limited CHECK (value <= 1000), PRIMARY KEY (device, time))";

    public override SinkDatabase Open() => new PostgresDatabase(new PostgresOptions { ConnectionString = connectionString });

    public override string TimeText(string column) => $"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";

    public override async ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(cancellation);
        return connection;
    }

    // It goes with the server.
    public override ValueTask DisposeAsync() => default;
}

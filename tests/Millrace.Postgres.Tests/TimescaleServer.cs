using Millrace.Postgres.Tests;
using Npgsql;

[assembly: AssemblyFixture(typeof(TimescaleServer))]

namespace Millrace.Postgres.Tests;

/// <summary>
/// A server with TimescaleDB, which is named and not started here: tests/Timescale/server makes one of the Apache edition from Debian's packages.
/// </summary>
public sealed class TimescaleServer : IAsyncDisposable
{
    private readonly List<string> _databases = [];

    private static string? Named => Environment.GetEnvironmentVariable("MILLRACE_TIMESCALEDB") is { Length: > 0 } named ? named : null;

    /// <summary>A database that nobody else uses, with the extension or without; where no server is named the test is skipped.</summary>
    public async ValueTask<string> CreateDatabaseAsync(bool hasExtension, CancellationToken cancellation)
    {
        Assert.SkipWhen(Named is null, "No TimescaleDB here: name a server in MILLRACE_TIMESCALEDB, by a connection string of a superuser.");
        var name = $"millrace_test_{Guid.NewGuid():N}";
        await ExecuteAsync("postgres", $"CREATE DATABASE {name} TEMPLATE template0", cancellation);
        lock (_databases) _databases.Add(name);
        if (hasExtension) await ExecuteAsync(name, "CREATE EXTENSION timescaledb", cancellation);
        return ConnectionString(name);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _databases) await ExecuteAsync("postgres", $"DROP DATABASE {name} WITH (FORCE)", CancellationToken.None);
    }

    private static string ConnectionString(string database) => new NpgsqlConnectionStringBuilder(Named) { Database = database }.ToString();

    private static ValueTask ExecuteAsync(string database, string sql, CancellationToken cancellation) =>
        new PostgresHost(ConnectionString(database)).ExecuteAsync(sql, cancellation);
}

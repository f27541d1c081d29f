using Millrace.Postgres.Tests;
using Millrace.Servers;

[assembly: AssemblyFixture(typeof(SharedServer))]

namespace Millrace.Postgres.Tests;

/// <summary>The server of all tests that do not end it; started by the first of them.</summary>
public sealed class SharedServer : IAsyncDisposable
{
    private readonly SemaphoreSlim _once = new(1, 1);
    private PostgresServer? _server;
    private int _databases;

    /// <summary>A database that nobody else uses; where there is no PostgreSQL the test says so and is skipped.</summary>
    public async ValueTask<string> CreateDatabaseAsync(CancellationToken cancellation)
    {
        await _once.WaitAsync(cancellation);
        try
        {
            Assert.SkipUnless(PostgresServer.CanStart, PostgresServer.WhyAbsent);
            _server ??= await PostgresServer.StartNewAsync(cancellation);
        }
        finally
        {
            _once.Release();
        }

        var name = $"test{Interlocked.Increment(ref _databases)}";
        await _server.ExecuteAsync($"CREATE DATABASE {name}", cancellation);
        return _server.ConnectionString(name);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _once.Dispose();
    }
}

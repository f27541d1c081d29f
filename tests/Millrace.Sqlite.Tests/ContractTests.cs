using System.Data.Common;
using Microsoft.Data.Sqlite;
using Millrace.Relational;
using Millrace.Relational.Contract;

namespace Millrace.Sqlite.Tests;

public sealed class SqliteSinkTests : SinkContract
{
    protected override ValueTask<SinkHost> StartAsync(CancellationToken cancellation) => new(new SqliteHost());
}

public sealed class SqliteTableTests : TableContract
{
    protected override ValueTask<SinkHost> StartAsync(CancellationToken cancellation) => new(new SqliteHost());
}

public sealed class SqliteRuntimeTests : RuntimeContract
{
    protected override ValueTask<SinkHost> StartAsync(CancellationToken cancellation) => new(new SqliteHost());
}

/// <summary>A file in a folder of its own.</summary>
internal sealed class SqliteHost : SinkHost
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-sqlite-");

    public string Path => System.IO.Path.Combine(_directory.FullName, "data", "sink.db");

    public override string CreateTableWithRule =>
        "CREATE TABLE readings (device TEXT NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, " +
        "CONSTRAINT limited CHECK (value <= 1000), PRIMARY KEY (device, time)) STRICT";

    public override SinkDatabase Open()
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        return new SqliteDatabase(new SqliteOptions { Path = Path });
    }

    public override string TimeText(string column) =>
        $"strftime('%Y-%m-%d %H:%M:%S', {column} / 1000000, 'unixepoch') || printf('.%06d', {column} % 1000000)";

    public override async ValueTask<DbConnection> ConnectAsync(CancellationToken cancellation)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path, Pooling = false }.ToString());
        await connection.OpenAsync(cancellation);
        return connection;
    }

    public override ValueTask DisposeAsync()
    {
        _directory.Delete(recursive: true);
        return default;
    }
}

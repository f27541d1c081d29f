using Microsoft.Data.Sqlite;

namespace Millrace.Sqlite;

/// <summary>Opens the file as the sinks need it.</summary>
internal static class SqliteFile
{
    public static string ConnectionString(SqliteOptions options, SqliteOpenMode mode, bool isPooled) => new SqliteConnectionStringBuilder
    {
        DataSource = options.Path,
        Mode = mode,
        Pooling = isPooled,
        DefaultTimeout = (int)options.BusyTimeout.TotalSeconds,
    }.ToString();

    /// <summary>The one connection that writes.</summary>
    public static async ValueTask<SqliteConnection> OpenWriterAsync(SqliteOptions options, CancellationToken cancellation)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(options.Path))!);
        var connection = new SqliteConnection(ConnectionString(options, SqliteOpenMode.ReadWriteCreate, isPooled: false));
        try
        {
            await connection.OpenAsync(cancellation);
            await using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode = WAL";
            var mode = (string?)await command.ExecuteScalarAsync(cancellation);
            if (mode != "wal")
            {
                throw new MillraceException(FailureCodes.NotSupported,
                    $"'{options.Path}' cannot be written ahead (its journal mode stays '{mode}'): is it on a network's file system?");
            }

            command.CommandText = "PRAGMA synchronous = FULL";
            await command.ExecuteNonQueryAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}

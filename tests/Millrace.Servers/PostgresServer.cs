using System.Diagnostics;
using Npgsql;

namespace Millrace.Servers;

/// <summary>
/// A PostgreSQL server in a folder of its own, on a free port of the loopback interface. Its programs refuse to run as root: then they run as
/// nobody. It does not sync its disk, for here only the server is killed and never the machine.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private readonly string _programs;
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-postgres-");

    private PostgresServer(string programs) => _programs = programs;

    /// <summary>Why none can be started here, for tests that are skipped.</summary>
    public static string WhyAbsent => "PostgreSQL's initdb and pg_ctl are neither in /usr/lib/postgresql nor in MILLRACE_POSTGRES_BIN.";

    /// <summary>Whether one can be started.</summary>
    public static bool CanStart => FindPrograms() is not null;

    /// <summary>The port.</summary>
    public int Port { get; private set; }

    private string Data => Path.Combine(_directory.FullName, "data");

    /// <summary>Makes an empty server and returns when it answers.</summary>
    public static async ValueTask<PostgresServer> StartNewAsync(CancellationToken cancellation)
    {
        var server = new PostgresServer(FindPrograms() ?? throw new InvalidOperationException(WhyAbsent));
        if (Environment.IsPrivilegedProcess) await RunAsync("chown", ["nobody", server._directory.FullName], cancellation);
        await server.CallAsync("initdb", ["-D", server.Data, "-U", "millrace", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], cancellation);
        server.Port = Ports.Free();
        await server.StartAsync(cancellation);
        return server;
    }

    /// <summary>How to connect to a database of it.</summary>
    public string ConnectionString(string database) =>
        new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = Port, Username = "millrace", Database = database }.ToString();

    /// <summary>Starts it again, after <see cref="StopAtOnceAsync"/>.</summary>
    public async ValueTask StartAsync(CancellationToken cancellation)
    {
        var options = $"-p {Port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=50";
        var log = Path.Combine(_directory.FullName, "log");
        await CallAsync("pg_ctl", ["-D", Data, "-w", "-s", "-t", "120", "-l", log, "-o", options, "start"], cancellation);
    }

    /// <summary>Ends it as a kill would: without a checkpoint, every connection is broken.</summary>
    public ValueTask StopAtOnceAsync(CancellationToken cancellation) =>
        CallAsync("pg_ctl", ["-D", Data, "-w", "-s", "-t", "120", "-m", "immediate", "stop"], cancellation);

    /// <summary>Runs a statement in the database "postgres".</summary>
    public async ValueTask ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAtOnceAsync(CancellationToken.None);
        _directory.Delete(recursive: true);
    }

    private ValueTask CallAsync(string program, string[] arguments, CancellationToken cancellation)
    {
        var path = Path.Combine(_programs, program);
        return Environment.IsPrivilegedProcess
            ? RunAsync("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", path, .. arguments], cancellation)
            : RunAsync(path, arguments, cancellation);
    }

    private static async ValueTask RunAsync(string program, string[] arguments, CancellationToken cancellation)
    {
        // The server that pg_ctl starts inherits its output, so nobody waits for the end of that.
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, WorkingDirectory = "/" };
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(cancellation);
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }

    private static string? FindPrograms()
    {
        var named = Environment.GetEnvironmentVariable("MILLRACE_POSTGRES_BIN");
        var installed = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        return installed.OrderDescending(StringComparer.Ordinal).Select(folder => Path.Combine(folder, "bin")).Prepend(named)
            .FirstOrDefault(folder => folder is not null && File.Exists(Path.Combine(folder, "initdb")));
    }
}

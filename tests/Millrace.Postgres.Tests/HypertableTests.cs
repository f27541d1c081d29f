using Millrace.Relational;
using Millrace.Relational.Contract;
using Npgsql;

namespace Millrace.Postgres.Tests;

/// <summary>Tables on a server with TimescaleDB, whose Apache edition compresses nothing.</summary>
public sealed class HypertableTests(TimescaleServer server, SharedServer plain)
{
    private static readonly Table Daily = Readings.Table with
    {
        PartitionSpan = TimeSpan.FromDays(1), Retention = TimeSpan.FromDays(10), CompressAfter = TimeSpan.FromDays(3),
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chunks_hold_the_span_and_are_dropped_when_they_are_past_and_made_again_as_rows_need_them()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        await using var database = host.Open();
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });

        await instance.ProcessAsync(0, "a 0 1", $"a {-3 * 86_400} 1");
        var first = await ChunksAsync(host);
        instance.Clock.Advance(TimeSpan.FromDays(12));
        await instance.ProcessAsync(2, $"a {12 * 86_400} 1");
        var later = await ChunksAsync(host);
        await instance.ProcessAsync(3, "a 0 2");

        Assert.Equal(["2026-01-22 1 day", "2026-01-25 1 day"], first);
        Assert.Equal(["2026-02-06 1 day"], later);
        Assert.Equal(["2026-01-25 1 day", "2026-02-06 1 day"], await ChunksAsync(host));
        Assert.Equal(["2", "1"], await ValuesAsync(host));
        Assert.Empty(instance.DeadLetters);
    }

    [Fact]
    public async Task A_hypertable_is_written_on_after_a_restart_and_rows_replace_those_of_their_key()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        for (var start = 0; start < 3; start++)
        {
            await using var database = host.Open();
            using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });
            await instance.ProcessAsync(2 * start, $"a 0 {start}", $"a {start * 86_400} 7");
            Assert.Empty(instance.DeadLetters);
        }

        Assert.Equal(["2", "7", "7"], await ValuesAsync(host));
        Assert.Equal(["2026-01-25 1 day", "2026-01-26 1 day", "2026-01-27 1 day"], await ChunksAsync(host));
    }

    [Fact]
    public async Task What_has_no_retention_drops_nothing_and_what_has_no_time_is_no_hypertable()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        await using var database = host.Open();
        using var readings = new SinkInstance(database, Readings.Sink);
        await readings.ProcessAsync(0, "a 0 1");
        readings.Clock.Advance(TimeSpan.FromDays(4000));
        await readings.ProcessAsync(1, "a 1 2");
        using var traces = new SinkInstance(database, Readings.Traces("traces", Readings.Topic, () => 1));
        await traces.ProcessAsync(0, "a 0 1");

        Assert.Equal(["1", "2"], await ValuesAsync(host));
        Assert.Equal(["readings"], await host.QueryAsync("SELECT hypertable_name FROM timescaledb_information.hypertables", Cancellation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_table_from_before_the_extension_stays_what_it_is(bool isPartitioned)
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: false, Cancellation));
        if (!isPartitioned) await host.ExecuteAsync(host.CreateTableWithRule, Cancellation);
        await using (var database = host.Open())
        {
            using var before = new SinkInstance(database, Readings.Sink with { Table = Daily });
            await before.ProcessAsync(0, "a 0 1");
        }

        await host.ExecuteAsync("CREATE EXTENSION timescaledb", Cancellation);
        await using (var database = host.Open())
        {
            using var after = new SinkInstance(database, Readings.Sink with { Table = Daily });
            await after.ProcessAsync(1, $"a {20 * 86_400} 2");
            Assert.Empty(after.DeadLetters);
        }

        Assert.Equal(["1", "2"], await ValuesAsync(host));
        Assert.Equal([isPartitioned ? "p" : "r"],
            await host.QueryAsync("SELECT relkind::text FROM pg_class WHERE oid = 'readings'::regclass", Cancellation));
        Assert.Empty(await host.QueryAsync("SELECT hypertable_name FROM timescaledb_information.hypertables", Cancellation));
    }

    [Theory]
    [InlineData("timestamp")]
    [InlineData("timestamptz")]
    public async Task A_hypertable_that_was_made_by_hand_is_kept_up_too(string type)
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        await host.ExecuteAsync(
            host.CreateTableWithRule.Replace("timestamptz", type, StringComparison.Ordinal)
            + "; SELECT create_hypertable('readings', 'time')", Cancellation);
        await using var database = host.Open();
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });

        await instance.ProcessAsync(0, "a 0 1", $"a {-20 * 86_400} 1");
        instance.Clock.Advance(TimeSpan.FromDays(1));
        await instance.ProcessAsync(2, "a 1 2");

        Assert.Equal(["1", "2"], await ValuesAsync(host));
        Assert.Empty(instance.DeadLetters);
    }

    /// <summary>The server looks at names and parameters first and at its licence then: what it refuses for that alone is what it takes.</summary>
    [Fact]
    public async Task An_edition_that_does_not_compress_refuses_for_its_licence_alone_and_is_not_asked()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        Assert.SkipUnless(await LicenceAsync(host) == "apache", "The server named in MILLRACE_TIMESCALEDB compresses.");
        await using var database = host.Open();
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });

        await instance.ProcessAsync(0, "a 0 1");
        await using var connection = (NpgsqlConnection)await host.ConnectAsync(Cancellation);
        var setting = await Assert.ThrowsAsync<PostgresException>(
            () => Hypertable.SetCompressionAsync(connection, Daily, Cancellation).AsTask());
        var policy = await Assert.ThrowsAsync<PostgresException>(
            () => Hypertable.AddCompressionPolicyAsync(connection, Daily, Cancellation).AsTask());

        Assert.Equal(["1"], await ValuesAsync(host));
        Assert.All([setting, policy], refusal =>
        {
            Assert.Equal(PostgresErrorCodes.FeatureNotSupported, refusal.SqlState);
            Assert.Contains("license", refusal.MessageText, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task An_edition_that_compresses_is_told_once_when()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(hasExtension: true, Cancellation));
        Assert.SkipUnless(await LicenceAsync(host) == "timescale", "The server named in MILLRACE_TIMESCALEDB does not compress.");
        for (var start = 0; start < 2; start++)
        {
            await using var database = host.Open();
            using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });
            await instance.ProcessAsync(start, $"a 0 {start}");
            await host.ExecuteAsync("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('readings') c", Cancellation);
        }

        Assert.Equal(["1"], await ValuesAsync(host));
        Assert.Equal(["3 days"], await host.QueryAsync(
            "SELECT config->>'compress_after' FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'", Cancellation));
    }

    /// <summary>
    /// The order of what only an edition that compresses is asked, on a stand-in for it: the extension's name, its licence, and what it tells
    /// of a table that is set to be compressed already.
    /// </summary>
    [Fact]
    public async Task A_table_that_is_set_to_be_compressed_is_not_set_again()
    {
        var host = new PostgresHost(await plain.CreateDatabaseAsync(Cancellation));
        await host.ExecuteAsync(
            """
            INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            SELECT 999999, 'timescaledb', oid, 'public'::regnamespace, false, '2.x' FROM pg_roles WHERE rolname = current_user;
            CREATE SCHEMA timescaledb_information;
            CREATE VIEW timescaledb_information.hypertables AS
                SELECT 'public'::name AS hypertable_schema, 'readings'::name AS hypertable_name, TRUE AS compression_enabled;
            CREATE TABLE calls (what text);
            CREATE FUNCTION add_compression_policy(
                hypertable regclass, compress_after anyelement, if_not_exists boolean DEFAULT FALSE) RETURNS integer LANGUAGE sql AS $$
                INSERT INTO calls (what) VALUES (format('%s after %s, %s', hypertable, compress_after, if_not_exists)) RETURNING 1
            $$;
            DO $$ BEGIN
                EXECUTE format('ALTER DATABASE %I SET timescaledb.license = ''timescale''', current_database());
            END $$;
            """, Cancellation);
        await host.ExecuteAsync(host.CreateTableWithRule, Cancellation);
        await using var database = host.Open();
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily with { Retention = null } });

        await instance.ProcessAsync(0, "a 0 1");

        Assert.Equal(["readings after 3 days, t"], await host.QueryAsync("SELECT what FROM calls", Cancellation));
        Assert.Equal(["1"], await ValuesAsync(host));
    }

    private static async ValueTask<string> LicenceAsync(PostgresHost host) =>
        Assert.Single(await host.QueryAsync("SHOW timescaledb.license", Cancellation));

    private static ValueTask<List<string>> ValuesAsync(PostgresHost host) =>
        host.QueryAsync("SELECT value FROM readings ORDER BY time", Cancellation);

    private static ValueTask<List<string>> ChunksAsync(PostgresHost host) => host.QueryAsync(
        """
        SELECT to_char(range_start AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' ' || CAST(range_end - range_start AS text)
        FROM timescaledb_information.chunks WHERE hypertable_name = 'readings' ORDER BY range_start
        """, Cancellation);
}

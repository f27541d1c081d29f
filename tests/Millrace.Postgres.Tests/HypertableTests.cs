using Millrace.Relational.Contract;

namespace Millrace.Postgres.Tests;

/// <summary>
/// What TimescaleDB is asked. No server with it is at hand: in its place stands an extension of its name whose functions have the names, the
/// parameters and the results of its documentation (2.x), and note their calls. That TimescaleDB does what it is asked these tests cannot
/// show, nor the ALTER TABLE that switches compression on, which only TimescaleDB itself takes: here it is on already.
/// </summary>
public sealed class HypertableTests(SharedServer server)
{
    private const string StandIn = """
        INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        SELECT 999999, 'timescaledb', oid, 'public'::regnamespace, false, '2.x' FROM pg_roles WHERE rolname = current_user;
        CREATE TABLE calls (number serial, what text);
        CREATE FUNCTION create_hypertable(
            relation regclass, time_column_name name, partitioning_column name DEFAULT NULL, number_partitions integer DEFAULT NULL,
            associated_schema_name name DEFAULT NULL, associated_table_prefix name DEFAULT NULL,
            chunk_time_interval anyelement DEFAULT NULL::bigint, create_default_indexes boolean DEFAULT TRUE,
            if_not_exists boolean DEFAULT FALSE, partitioning_func regproc DEFAULT NULL, migrate_data boolean DEFAULT FALSE)
        RETURNS TABLE (hypertable_id integer, schema_name name, table_name name, created boolean) LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT if_not_exists THEN RAISE EXCEPTION 'table % is already a hypertable', relation; END IF;
            INSERT INTO calls (what) VALUES (format('hypertable %s by %s in %s', relation, time_column_name, chunk_time_interval));
            RETURN QUERY SELECT 1, 'public'::name, relation::text::name, TRUE;
        END $$;
        CREATE FUNCTION add_compression_policy(
            hypertable regclass, compress_after anyelement DEFAULT NULL::bigint, if_not_exists boolean DEFAULT FALSE,
            schedule_interval interval DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT if_not_exists THEN RAISE EXCEPTION 'there is a policy of % already', hypertable; END IF;
            INSERT INTO calls (what) VALUES (format('compress %s after %s', hypertable, compress_after));
            RETURN 1;
        END $$;
        CREATE FUNCTION add_retention_policy(
            relation regclass, drop_after anyelement DEFAULT NULL::bigint, if_not_exists boolean DEFAULT FALSE,
            schedule_interval interval DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT if_not_exists THEN RAISE EXCEPTION 'there is a policy of % already', relation; END IF;
            INSERT INTO calls (what) VALUES (format('drop %s after %s', relation, drop_after));
            RETURN 2;
        END $$;
        CREATE SCHEMA timescaledb_information;
        CREATE VIEW timescaledb_information.hypertables AS
            SELECT 'public'::name AS hypertable_schema, 'readings'::name AS hypertable_name, TRUE AS compression_enabled;
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_table_with_a_time_is_handed_over_with_its_span_its_compression_and_its_retention_at_each_start()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(Cancellation));
        await host.ExecuteAsync(StandIn, Cancellation);
        var table = Readings.Table with
        {
            PartitionSpan = TimeSpan.FromDays(1), CompressAfter = TimeSpan.FromDays(3), Retention = TimeSpan.FromDays(10),
        };
        string[] asked = ["hypertable readings by time in 1 day", "compress readings after 3 days", "drop readings after 10 days"];
        await using (var database = host.Open())
        {
            using var first = new SinkInstance(database, Readings.Sink with { Table = table });
            await first.ProcessAsync(0, "a 0 1", $"a {-30 * 86_400} 2");
            first.Clock.Advance(TimeSpan.FromDays(30)); // past the upkeep, which is not ours here
            await first.ProcessAsync(2, "a 0 3");
            Assert.Empty(first.DeadLetters);
        }

        Assert.Equal(asked, await host.QueryAsync("SELECT what FROM calls ORDER BY number", Cancellation));
        Assert.Equal(["r"], await host.QueryAsync("SELECT relkind::text FROM pg_class WHERE oid = 'readings'::regclass", Cancellation));
        Assert.Equal(["2", "3"], await host.QueryAsync("SELECT value FROM readings ORDER BY time", Cancellation));

        await using (var database = host.Open())
        {
            using var second = new SinkInstance(database, Readings.Sink with { Table = table });
            await second.ProcessAsync(3, "a 1 4");
        }

        Assert.Equal([.. asked, .. asked], await host.QueryAsync("SELECT what FROM calls ORDER BY number", Cancellation));
        Assert.Equal(["2", "3", "4"], await host.QueryAsync("SELECT value FROM readings ORDER BY time", Cancellation));
    }

    [Fact]
    public async Task A_table_without_compression_and_retention_asks_for_neither_and_one_without_a_time_for_nothing()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(Cancellation));
        await host.ExecuteAsync(StandIn, Cancellation);
        await using var database = host.Open();
        using var readings = new SinkInstance(database, Readings.Sink);
        await readings.ProcessAsync(0, "a 0 1");
        using var traces = new SinkInstance(database, Readings.Traces("traces", Readings.Topic, () => 1));
        await traces.ProcessAsync(0, "a 0 1");

        Assert.Equal(["hypertable readings by time in 7 days"], await host.QueryAsync("SELECT what FROM calls ORDER BY number", Cancellation));
    }
}

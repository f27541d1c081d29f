using Millrace.Relational;
using Millrace.Relational.Contract;

namespace Millrace.Postgres.Tests;

/// <summary>Partitions of time on a server without TimescaleDB, and what the options keep to themselves.</summary>
public sealed class PartitionTests(SharedServer server)
{
    private static readonly Table Daily = Readings.Table with { PartitionSpan = TimeSpan.FromDays(1), Retention = TimeSpan.FromDays(10) };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Partitions_are_made_ahead_and_as_rows_need_them_and_dropped_when_they_are_past()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(Cancellation));
        await using var database = host.Open();
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });

        await instance.ProcessAsync(0, "a 0 1", $"a {-3 * 86_400} 1");
        var first = await PartitionsAsync(host);
        instance.Clock.Advance(TimeSpan.FromDays(12));
        await instance.ProcessAsync(2, $"a {12 * 86_400} 1", "a 0 2");

        Assert.Equal(["readings_p20260122", "readings_p20260125", "readings_p20260126", "readings_p20260127"], first);
        Assert.Equal(["readings_p20260125", "readings_p20260127", "readings_p20260206", "readings_p20260207", "readings_p20260208"],
            await PartitionsAsync(host));
    }

    [Fact]
    public async Task A_partition_that_another_dropped_is_made_again_and_no_row_becomes_a_dead_letter()
    {
        var host = new PostgresHost(await server.CreateDatabaseAsync(Cancellation));
        await using var database = host.Open();
        using var first = new SinkInstance(database, Readings.Sink with { Table = Daily });
        await first.ProcessAsync(0, "a 0 1");
        await host.ExecuteAsync("DROP TABLE readings_p20260125", Cancellation);

        var failure = await Assert.ThrowsAsync<MillraceException>(() => first.ProcessAsync(1, "a 1 2"));
        using var second = new SinkInstance(database, Readings.Sink with { Table = Daily });
        await second.ProcessAsync(1, "a 1 2");

        Assert.True(failure.IsTransient);
        Assert.Empty(first.DeadLetters);
        Assert.Equal(["2"], await host.QueryAsync("SELECT value FROM readings", Cancellation));
    }

    [Fact]
    public async Task A_table_of_that_name_in_a_later_schema_of_the_search_path_is_another()
    {
        var connection = await server.CreateDatabaseAsync(Cancellation);
        var host = new PostgresHost(connection);
        await host.ExecuteAsync($"{host.CreateTableWithRule}; CREATE SCHEMA tenant", Cancellation);
        await using var database = new PostgresDatabase(new PostgresOptions { ConnectionString = $"{connection};Search Path=tenant,public" });
        using var instance = new SinkInstance(database, Readings.Sink with { Table = Daily });

        await instance.ProcessAsync(0, "a 0 1");

        Assert.Equal(["1 0"], await host.QueryAsync(
            "SELECT (SELECT count(*) FROM tenant.readings) || ' ' || (SELECT count(*) FROM public.readings)", Cancellation));
    }

    [Fact]
    public async Task A_secret_is_in_no_message_and_no_text()
    {
        var options = new PostgresOptions { ConnectionString = "Host=127.0.0.1;Port=1;Username=u;Password=hush-hush;Database=d" };
        await using var database = new PostgresDatabase(options);
        using var instance = new SinkInstance(database, Readings.Sink);

        var failure = await Assert.ThrowsAsync<MillraceException>(() => instance.ProcessAsync(0, "a 0 1"));

        Assert.Equal(FailureCodes.Unreachable, failure.Code);
        Assert.DoesNotContain("hush-hush", failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", options.ToString(), StringComparison.Ordinal);
    }

    private static ValueTask<List<string>> PartitionsAsync(PostgresHost host) => host.QueryAsync(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'readings'::regclass ORDER BY 1", Cancellation);
}

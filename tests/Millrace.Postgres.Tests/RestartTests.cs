using Millrace.Log;
using Millrace.Relational.Contract;
using Millrace.Servers;

namespace Millrace.Postgres.Tests;

/// <summary>The server is killed while sinks write.</summary>
public sealed class RestartTests
{
    private const int Partitions = 4;
    private const int Restarts = 5;
    private const int BatchRecords = 50;

    [Fact]
    public async Task Five_times_killed_under_load_the_database_has_every_record_once()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(4));
        var cancellation = deadline.Token;
        await using var server = await PostgresServer.StartNewAsync(cancellation);
        var host = new PostgresHost(server.ConnectionString("postgres"));
        var directory = Directory.CreateTempSubdirectory("millrace-sink-");
        await using var engine = await LogEngine.OpenAsync(directory.FullName, new LogOptions { JournalBytesMax = 4 << 20 }, cancellation);
        await engine.CreateTopicAsync(new TopicSpecification { Name = "in", Partitions = Partitions }, cancellation);
        var calls = 0L;
        await using var database = host.Open();
        var options = new ProcessorRuntimeOptions { RestartBackoffMax = TimeSpan.FromMilliseconds(500), FetchBytesMax = 1 << 10, Seed = 7 };
        await using var runtime = new ProcessorRuntime(
            engine, [database.CreateProcessor(Readings.Traces("sink", "in", () => Interlocked.Increment(ref calls)))], options);
        await runtime.StartAsync(cancellation);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var load = AppendUntilAsync(engine, enough.Token, cancellation);

        for (var i = 0; i < Restarts; i++)
        {
            var mark = Positions(runtime);
            await runtime.WaitUntilAsync(_ => Positions(runtime) > mark + (Partitions * BatchRecords * 5), cancellation);
            await server.StopAtOnceAsync(cancellation);
            await server.StartAsync(cancellation);
        }

        await enough.CancelAsync();
        var appended = await load;
        await runtime.WaitUntilIdleAsync(cancellation);

        var expected = Enumerable.Range(0, Partitions).Select(p => $"{p}|{appended}|{appended}|{appended - 1}").ToList();
        Assert.True(runtime.Statuses.Sum(s => s.Partitions.Sum(p => p.Restarts)) >= Restarts, "The kills were not noticed.");
        Assert.Equal(expected, await host.QueryAsync(
            "SELECT partition, count(*), count(DISTINCT position), max(position) FROM traces GROUP BY partition ORDER BY partition", cancellation));
        await runtime.DisposeAsync();
        await engine.DisposeAsync();
        directory.Delete(recursive: true);
    }

    private static long Positions(ProcessorRuntime runtime) =>
        runtime.Statuses.Sum(status => status.Partitions.Sum(p => p.Positions.Sum(position => position.NextOffset)));

    /// <summary>Appends to every partition alike, as fast as the log syncs, and tells how many records each has.</summary>
    private static async Task<long> AppendUntilAsync(LogEngine engine, CancellationToken enough, CancellationToken cancellation)
    {
        var appended = 0L;
        while (!enough.IsCancellationRequested)
        {
            using var commit = new Commit();
            for (var partition = 0; partition < Partitions; partition++)
            {
                var batch = commit.To(new TopicPartition("in", partition));
                for (var i = 0; i < BatchRecords; i++) batch.Add(0, "k"u8, "any"u8);
            }

            await engine.CommitAsync(commit, cancellation);
            appended += BatchRecords;
        }

        return appended;
    }
}

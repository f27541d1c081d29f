using System.Globalization;
using System.Text;
using Millrace.Log;

namespace Millrace.Relational.Contract;

/// <summary>A sink under the runtime, on the embedded engine.</summary>
public abstract class RuntimeContract
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A database that nobody else uses.</summary>
    protected abstract ValueTask<SinkHost> StartAsync(CancellationToken cancellation);

    [Fact]
    public async Task The_runtime_keeps_a_sink_through_stops_and_dead_letters_are_in_the_log()
    {
        await using var host = await StartAsync(Cancellation);
        var directory = Directory.CreateTempSubdirectory("millrace-sink-");
        await using var engine = await LogEngine.OpenAsync(directory.FullName, new LogOptions { JournalBytesMax = 4 << 20 }, Cancellation);
        await engine.CreateTopicAsync(new TopicSpecification { Name = Readings.Topic, Partitions = 3 }, Cancellation);

        for (var round = 0; round < 3; round++)
        {
            for (var partition = 0; partition < 3; partition++)
            {
                var (r, p) = (round, partition);
                await engine.AppendAsync(new TopicPartition(Readings.Topic, partition), batch =>
                {
                    for (var i = 0; i < 100; i++) batch.Add(0, "k"u8, Bytes($"d{p} {(r * 100) + i} {i}"));
                    batch.Add(0, "k"u8, Bytes("bad"));
                }, null, Cancellation);
            }

            await using var database = host.Open();
            await using var runtime = new ProcessorRuntime(engine, [database.CreateProcessor(Readings.Sink)]);
            await runtime.StartAsync(Cancellation);
            await runtime.WaitUntilIdleAsync(Cancellation);
        }

        Assert.Equal(["900"], await host.QueryAsync("SELECT count(*) FROM readings", Cancellation));
        Assert.Equal(["0|303", "1|303", "2|303"], await host.QueryAsync(
            "SELECT partition, next_offset FROM millrace_positions ORDER BY partition", Cancellation));
        var letters = (await engine.FindTopicAsync(Readings.Topic + ".dlq", Cancellation))!.Partitions.Sum(p => p.EndOffset);
        Assert.Equal(9, letters);
        await engine.DisposeAsync();
        directory.Delete(recursive: true);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{text}"));
}

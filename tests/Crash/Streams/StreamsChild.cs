using System.Globalization;
using System.Text;
using Millrace.Log;
using Millrace.RocksDb;
using Millrace.Streams;

namespace Millrace.Crash.Streams;

/// <summary>
/// The process that is killed: it writes the input on from where it ends and runs the topology over it, with state in RocksDB, small files,
/// frequent checkpoints and another limit of state in memory each time. The last one writes the ends, and says when all is done.
/// </summary>
internal sealed class StreamsChild(LogEngine engine, StreamsScript script)
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "streams-child";

    private const int AppendRecords = 100;

    /// <summary>So many records may wait, so that a start has something to do and the last one ends.</summary>
    private const long LagMax = 6_000;

    private static readonly long?[] Limits = [null, 0, 20_000, 400_000];

    public static async Task<int> RunAsync(string folder, int seed, int start, bool isLast)
    {
        try
        {
            var random = new Random(unchecked((seed * 397) ^ start));
            using var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 256 << 10 });
            await using var engine = await LogEngine.OpenAsync(folder, Settings(stores, random));
            await new StreamsChild(engine, new StreamsScript(seed)).WorkAsync(Limits[random.Next(Limits.Length)], isLast);
            return 0;
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine(failure);
            return 3;
        }
    }

    public static LogOptions Settings(RocksDbStateStores stores, Random random) => new()
    {
        JournalBytesMax = random.Next(64, 2_049) << 10,
        SegmentBytesMax = 1 << 20,
        OpenStateStore = stores.Open,
    };

    private async Task WorkAsync(long? limit, bool isLast)
    {
        foreach (var topic in StreamsTopology.Outputs.Append(StreamsTopology.In))
            await engine.EnsureTopicAsync(new TopicSpecification { Name = topic, Partitions = StreamsScript.Partitions });
        using var streams = new RunningTopology(StreamsTopology.Define(limit));
        await using var runtime = new ProcessorRuntime(engine, streams.Processors, new ProcessorRuntimeOptions { CommitRecordsMax = 500 });
        await runtime.StartAsync();
        Console.WriteLine($"READY {limit?.ToString(CultureInfo.InvariantCulture) ?? "none"} .");
        if (!isLast)
        {
            await await Task.WhenAny(Task.Run(ChildProcess.ParentEndsAsync), Task.Run(() => AppendAsync(runtime)));
            return;
        }

        var ends = await EndsAsync();
        for (var partition = 0; partition < StreamsScript.Partitions; partition++) await AppendAsync(partition, [StreamsScript.End(ends[partition])]);
        await runtime.WaitUntilIdleAsync();
        Console.WriteLine("DONE 0 .");
        await ChildProcess.ParentEndsAsync();
    }

    private async Task AppendAsync(ProcessorRuntime runtime)
    {
        for (var ends = await EndsAsync(); ;)
        {
            for (var partition = 0; partition < StreamsScript.Partitions; partition++)
            {
                await AppendAsync(partition, [.. Enumerable.Range(0, AppendRecords).Select(i => script.At(partition, ends[partition] + i))]);
                ends[partition] += AppendRecords;
            }

            await runtime.WaitUntilAsync(
                statuses => statuses.Sum(status => status.Partitions.Sum(partition => partition.Lag)) < LagMax, CancellationToken.None);
        }
    }

    private async Task<long[]> EndsAsync() =>
        [.. (await engine.FindTopicAsync(StreamsTopology.In))!.Partitions.Select(partition => partition.EndOffset)];

    private async Task AppendAsync(int partition, IReadOnlyList<Input> inputs)
    {
        using var commit = new Commit();
        var batch = commit.To(new TopicPartition(StreamsTopology.In, partition));
        foreach (var input in inputs) batch.Add(input.Time, Encoding.UTF8.GetBytes(input.Key), Encoding.UTF8.GetBytes(input.ToString()));
        (await engine.CommitAsync(commit)).RequireCommitted();
    }
}

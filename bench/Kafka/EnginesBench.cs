using System.Diagnostics;
using System.Globalization;
using System.Text;
using Millrace;
using Millrace.Servers;
using Millrace.Figures;
using Millrace.Kafka;
using Millrace.Log;

namespace KafkaFigures;

/// <summary>
/// The embedded engine against Kafka on the same disk, at the same stated durability. Synced: the embedded log acknowledges after
/// fdatasync, and the broker syncs after every batch, in its own topics for positions and transactions as well. Relaxed: both acknowledge
/// when the operating system has it.
/// </summary>
internal sealed class EnginesBench(BenchOptions options, Report report, KafkaBroker broker, Topics topics)
{
    private const int ValueBytes = 200, UnderWay = 8, HopsPerSecond = 100, Hops = 400;

    private const string One = "append, one at a time", Many = "append, 8 under way", Median = "one hop: p50", High = "one hop: p99";

    private static readonly TimeSpan AppendTime = TimeSpan.FromSeconds(2);
    private static readonly string[] InternalTopics = ["__consumer_offsets", "__transaction_state"];

    private int _runs;

    public async Task RunAsync()
    {
        foreach (var durability in new[] { Durability.Synced, Durability.Relaxed })
        {
            var isSynced = durability == Durability.Synced;
            var (embedded, kafka) = isSynced ? ("embedded, synced", "Kafka, synced") : ("embedded, relaxed", "Kafka, relaxed");
            for (var round = -1; round < options.Rounds; round++)
            {
                await RunAsync(round, kafka, () => OpenKafkaAsync(isSynced), broker.ProcessId, durability);
                await RunAsync(round, embedded, OpenEmbeddedAsync, null, durability);
            }

            foreach (var path in new[] { One, Many, "pipeline: by the clock" })
                report.AddRatio($"embedded / Kafka, {durability}: {path}", $"{embedded}, {path}", $"{kafka}, {path}");
            foreach (var path in new[] { Median, High })
                report.AddRatio($"Kafka / embedded, {durability}: {path}", $"{kafka}, {path}", $"{embedded}, {path}");
        }
    }

    private async Task RunAsync(int round, string side, Func<Task<Engine>> open, int? brokerId, Durability durability)
    {
        if (!options.Has(side)) return;
        var name = string.Create(CultureInfo.InvariantCulture, $"engines-{++_runs}");
        await using (var engine = await open())
        {
            foreach (var topic in new[] { "appended", "in", "out", "hop-in", "hop-out" })
            {
                await engine.CreateTopicAsync(
                    new TopicSpecification { Name = $"{name}-{topic}", Partitions = Topics.Partitions, Durability = durability });
            }

            Note(round, $"{side}, {One}", "appends/s", await AppendAsync(engine, $"{name}-appended", 1));
            Note(round, $"{side}, {Many}", "appends/s", await AppendAsync(engine, $"{name}-appended", UnderWay));
            await PipeAsync(round, side, engine, name, brokerId);
            var latencies = await HopAsync(engine, name);
            Note(round, $"{side}, {Median}", "ms", latencies[latencies.Count / 2]);
            Note(round, $"{side}, {High}", "ms", latencies[(int)(latencies.Count * 0.99)]);
            foreach (var topic in await engine.ListTopicsAsync())
            {
                if (topic.Name.StartsWith(name, StringComparison.Ordinal)) await engine.DeleteTopicAsync(topic.Name);
            }
        }
    }

    private void Note(int round, string figure, string unit, double value)
    {
        if (round < 0) return;
        report.Add(figure, unit, value);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round + 1} {figure,-60} {value,12:N2} {unit}"));
    }

    /// <summary>Single records, each awaited before the next, by so many callers at once.</summary>
    private static async Task<double> AppendAsync(Engine engine, string topic, int callers)
    {
        var value = new byte[ValueBytes];
        new Random(1).NextBytes(value);
        var key = new byte[8];
        await engine.AppendAsync(new TopicPartition(topic, 0), batch => batch.Add(0, key, value));
        var since = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            var count = 0;
            for (; Stopwatch.GetElapsedTime(since) < AppendTime; count++)
                await engine.AppendAsync(new TopicPartition(topic, caller), batch => batch.Add(0, key, value));
            return count;
        })));
        return counts.Sum() / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private async Task PipeAsync(int round, string side, Engine engine, string name, int? brokerId)
    {
        var records = options.Records / 4;
        var (input, output) = ($"{name}-in", $"{name}-out");
        var (value, random) = (new byte[ValueBytes], new Random(1));
        for (var number = 0; number < records;)
        {
            using var commit = new Commit();
            for (var end = Math.Min(records, number + 5_000); number < end; number++)
            {
                random.NextBytes(value);
                commit.To(new TopicPartition(input, number % Topics.Partitions)).Add(0, Topics.KeyOf(number), value);
            }

            (await engine.CommitAsync(commit)).RequireCommitted();
        }

        using var gauge = new Gauge(brokerId);
        await using var runtime = new ProcessorRuntime(engine, [Processors.Mapping($"{name}-mapping", input, output, gauge)]);
        await runtime.StartAsync();
        await runtime.WaitUntilIdleAsync();
        report.Round(round, $"{side}, pipeline", records, gauge.End());
    }

    /// <summary>
    /// Milliseconds from the call of an append to the moment when what a processor said of it is read, at an even and low rate; ascending.
    /// </summary>
    private static async Task<IReadOnlyList<double>> HopAsync(Engine engine, string name)
    {
        var (input, output) = ($"{name}-hop-in", $"{name}-hop-out");
        using var gauge = new Gauge(null);
        await using var runtime = new ProcessorRuntime(engine, [Processors.Mapping($"{name}-hopping", input, output, gauge)]);
        await runtime.StartAsync();
        await runtime.WaitUntilIdleAsync();

        var (begun, latencies) = (new long[Hops], new double[Hops]);
        var left = Hops;
        var all = new TaskCompletionSource();
        using var stop = new CancellationTokenSource();
        var reading = Enumerable.Range(0, Topics.Partitions).Select(partition => Task.Run(async () =>
        {
            using var reader = engine.OpenReader(new TopicPartition(output, partition), 0);
            while (true)
            {
                using var fetched = await reader.ReadAsync(1 << 20, stop.Token);
                var now = Stopwatch.GetTimestamp();
                foreach (var record in fetched)
                {
                    var number = int.Parse(Encoding.ASCII.GetString(record.Key.Span), CultureInfo.InvariantCulture);
                    latencies[number] = Stopwatch.GetElapsedTime(begun[number], now).TotalMilliseconds;
                    if (Interlocked.Decrement(ref left) == 0) all.SetResult();
                }
            }
        })).ToList();

        var value = new byte[ValueBytes];
        var since = Stopwatch.GetTimestamp();
        for (var number = 0; number < Hops; number++)
        {
            var due = TimeSpan.FromSeconds((double)number / HopsPerSecond) - Stopwatch.GetElapsedTime(since);
            if (due > TimeSpan.Zero) await Task.Delay(due);
            begun[number] = Stopwatch.GetTimestamp();
            var key = Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));
            await engine.AppendAsync(new TopicPartition(input, number % Topics.Partitions), batch => batch.Add(0, key, value));
        }

        await all.Task;
        await stop.CancelAsync();
        await Task.WhenAll(reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [.. latencies.Skip(Hops / 4).Order()];
    }

    private async Task<Engine> OpenKafkaAsync(bool isSynced)
    {
        var settings = new Dictionary<string, string>();
        if (isSynced) settings["flush.messages"] = "1";
        var engine = await KafkaEngine.OpenAsync(new KafkaOptions { BootstrapServers = broker.Address, TopicSettings = settings });

        // The broker makes them when they are first used: by a transaction, which opening the engine began, and by a group.
        await using (var member = await engine.JoinAsync(new GroupSubscription { Group = "present", Topics = [await PresentAsync(engine)] }))
            await member.NextChangeAsync();
        foreach (var topic in InternalTopics) await topics.SyncAsync(topic, isSynced ? 1 : null);
        return engine;
    }

    private static async Task<string> PresentAsync(KafkaEngine engine) =>
        (await engine.EnsureTopicAsync(new TopicSpecification { Name = "present", Partitions = 1 })).Name;

    private async Task<Engine> OpenEmbeddedAsync() =>
        await LogEngine.OpenAsync(Path.Combine(options.Data, string.Create(CultureInfo.InvariantCulture, $"log-{_runs}")));
}

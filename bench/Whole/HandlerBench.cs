using System.Diagnostics;
using System.Globalization;
using System.Text;
using Millrace.Figures;
using Millrace.Log;
using Millrace.Messaging;

namespace Millrace.Whole;

/// <summary>
/// The pipeline read, handle, say one event: exactly once, durable, with deduplication, as a user would write it. First a backlog at full
/// speed, by wall clock and by processor time of the whole process; then a steady load of half that speed, for the latency from an event's
/// append to the moment when its output is readable.
/// </summary>
internal sealed class HandlerBench(BenchOptions options, Report report)
{
    private const int Partitions = 8, Events = 100_000, EventsPerCommit = 2_000;
    private static readonly TimeSpan LatencyRun = TimeSpan.FromSeconds(4), Pace = TimeSpan.FromMilliseconds(10);

    private static readonly EventRegistry Registry = EventRegistry.Create(events => events
        .Add("com.example.order.placed", "placed", BenchJson.Default.OrderPlaced, e => e.OrderId)
        .Add("com.example.order.paid", "paid", BenchJson.Default.OrderPaid, e => e.OrderId));

    private readonly List<double> _wall = [], _processor = [], _median = [], _high = [];

    public async Task RunAsync()
    {
        for (var round = -1; round < options.Rounds; round++)
        {
            var folder = Path.Combine(options.Data, "handlers");
            var (wall, processor) = await DrainAsync(folder);
            var latencies = await FollowAsync(folder, wall / 2);
            Directory.Delete(folder, recursive: true);
            if (round < 0) continue;
            _wall.Add(wall);
            _processor.Add(processor);
            _median.Add(latencies[latencies.Count / 2]);
            _high.Add(latencies[(int)(latencies.Count * 0.99)]);
        }

        report.Add("handler pipeline, exactly once, durable", _wall, "events/s");
        report.Add("handler pipeline by processor time", _processor, "events/cpu-s", "50,000 or more");
        report.Add("append to readable output at half load, median", _median, "ms");
        report.Add("append to readable output at half load, p99", _high, "ms");
    }

    private static Processor Define() => Handlers.Define("payments", Registry, handlers => handlers
        .From("placed").WithSource("/bench/payments")
        .Handle((OrderPlaced placed) => new OrderPaid(placed.OrderId, placed.Amount, "CREDIT_CARD")));

    private static async Task<(double Wall, double Processor)> DrainAsync(string folder)
    {
        await using var engine = await OpenAsync(folder);
        var publisher = new EventPublisher(Registry, "/bench/orders", TimeProvider.System);
        for (var number = 0; number < Events; number += EventsPerCommit) await PublishAsync(engine, publisher, number, EventsPerCommit);

        await using var runtime = new ProcessorRuntime(engine, [Define()], new ProcessorRuntimeOptions());
        using var process = Process.GetCurrentProcess();
        var (since, before) = (Stopwatch.GetTimestamp(), process.TotalProcessorTime);
        await runtime.StartAsync();
        await runtime.WaitUntilIdleAsync();
        var elapsed = Stopwatch.GetElapsedTime(since);
        process.Refresh();
        var used = process.TotalProcessorTime - before;

        var said = (await engine.FindTopicAsync("paid"))!.Partitions.Sum(partition => partition.EndOffset);
        if (said != Events) throw new InvalidOperationException($"{said} events were said for {Events}.");
        return (Events / elapsed.TotalSeconds, Events / used.TotalSeconds);
    }

    /// <summary>Latencies in milliseconds, ascending.</summary>
    private static async Task<IReadOnlyList<double>> FollowAsync(string folder, double rate)
    {
        await using var engine = await OpenAsync(folder);
        await using var runtime = new ProcessorRuntime(engine, [Define()], new ProcessorRuntimeOptions());
        await runtime.StartAsync();
        await runtime.WaitUntilIdleAsync();

        var perCommit = Math.Max(1, (int)(rate * Pace.TotalSeconds));
        var total = (int)(LatencyRun / Pace) * perCommit;
        var (begun, latencies) = (new long[total], new double[total]);
        var ends = (await engine.FindTopicAsync("paid"))!.Partitions;
        var left = total;
        var all = new TaskCompletionSource();
        using var stop = new CancellationTokenSource();
        var reading = ends.Select(end => Task.Run(async () =>
        {
            using var reader = engine.OpenReader(new TopicPartition("paid", end.Partition), end.EndOffset);
            while (true)
            {
                using var fetched = await reader.ReadAsync(1 << 20, stop.Token);
                var now = Stopwatch.GetTimestamp();
                foreach (var record in fetched)
                {
                    var number = int.Parse(Encoding.ASCII.GetString(record.Key.Span), CultureInfo.InvariantCulture) - Events;
                    latencies[number] = Stopwatch.GetElapsedTime(begun[number], now).TotalMilliseconds;
                    if (Interlocked.Decrement(ref left) == 0) all.SetResult();
                }
            }
        })).ToList();

        await PaceAsync(engine, perCommit, begun);
        await all.Task;
        await stop.CancelAsync();
        await Task.WhenAll(reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [.. latencies.Skip(total / 4).Order()];
    }

    /// <summary>Appends at an even pace, whether or not earlier appends are done: a system that falls behind shows it as latency.</summary>
    private static async Task PaceAsync(LogEngine engine, int perCommit, long[] begun)
    {
        var publisher = new EventPublisher(Registry, "/bench/orders", TimeProvider.System);
        var appending = new List<Task>();
        var since = Stopwatch.GetTimestamp();
        for (var number = 0; number < begun.Length; number += perCommit)
        {
            var due = Pace * (number / perCommit) - Stopwatch.GetElapsedTime(since);
            if (due > TimeSpan.Zero) await Task.Delay(due);
            begun.AsSpan(number, perCommit).Fill(Stopwatch.GetTimestamp());
            appending.Add(PublishAsync(engine, publisher, Events + number, perCommit));
        }

        await Task.WhenAll(appending);
    }

    private static async Task PublishAsync(LogEngine engine, EventPublisher publisher, int first, int count)
    {
        using var commit = new Commit();
        for (var number = first; number < first + count; number++)
        {
            var id = number.ToString(CultureInfo.InvariantCulture);
            await publisher.AddAsync(engine, commit, new OrderPlaced(id, "CUST-789", 109.97m), new PublishOptions { Id = id });
        }

        (await engine.CommitAsync(commit)).RequireCommitted();
    }

    private static async Task<LogEngine> OpenAsync(string folder)
    {
        var engine = await LogEngine.OpenAsync(folder);
        foreach (var topic in new[] { "placed", "paid" })
            await engine.EnsureTopicAsync(new TopicSpecification { Name = topic, Partitions = Partitions });
        return engine;
    }
}

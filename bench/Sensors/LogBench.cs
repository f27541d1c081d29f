using System.Diagnostics;
using System.Globalization;
using Millrace.Log;
using Millrace.Streams;
using Sensors;
using Sensors.Alerts;
using Sensors.Averages;
using Sensors.Readings;

namespace Millrace.SensorsBench;

/// <summary>
/// Fills <c>sensors.raw</c> with readings of many devices, as they come from MQTT, and then runs the system's streams over them: to validated
/// readings, minutes and alerts, exactly once, every commit synced. The filling is not measured.
/// </summary>
internal sealed class LogBench(BenchOptions options, string folder)
{
    /// <summary>How many readings an append takes while the log is filled.</summary>
    private const int FillBatch = 20_000;

    /// <summary>So many readings of a thousand are beyond a limit for a moment.</summary>
    private const int SpikesPerThousand = 1;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(0.05);

    /// <summary>Memory is looked at each so many times.</summary>
    private const int LooksPerSample = 10;

    /// <summary>About when the first commit was made.</summary>
    private double First { get; set; }

    public async Task<object> RunAsync()
    {
        await using var engine = await LogEngine.OpenAsync(Path.Combine(folder, "log"));
        foreach (var topic in Topology.Topics)
            await engine.EnsureTopicAsync(new TopicSpecification { Name = topic, Partitions = options.Partitions });
        if (await CountAsync(engine, ReadingTopics.Raw) == 0) await FillAsync(engine);

        var topology = new StreamTopology(Topology.Name);
        Topology.Define(topology, Topology.Events(), ClockBounds.Replay, isReplay: true, TimeProvider.System);
        using var streams = new RunningTopology(topology);
        await using var runtime = new ProcessorRuntime(engine, streams.Processors, EngineChoice.ForReadings(new ProcessorRuntimeOptions()));
        GC.Collect();
        foreach (var companion in streams.Processors.SelectMany(processor => processor.Companions))
            await engine.EnsureTopicAsync(new TopicSpecification { Name = companion.Name, Partitions = options.Partitions });
        var (pauses, allocated) = (GC.GetTotalPauseDuration(), GC.GetTotalAllocatedBytes(precise: true));
        var collections = Enumerable.Range(0, GC.MaxGeneration + 1).Select(GC.CollectionCount).ToArray();
        var (cpu, clock) = (Usage.CpuSeconds(), Stopwatch.StartNew());
        await runtime.StartAsync();
        var (half, rss, heap) = await WatchAsync(engine, runtime, clock);
        await runtime.WaitUntilIdleAsync();
        var (seconds, cpuSeconds) = (clock.Elapsed.TotalSeconds, Usage.CpuSeconds() - cpu);

        var accepted = await CountAsync(engine, ReadingTopics.Validated);
        if (accepted + await CountAsync(engine, ReadingTopics.Rejected) != options.Readings)
            throw new InvalidOperationException($"{accepted} of {options.Readings} readings came through.");
        return new
        {
            readings = options.Readings,
            devices = options.Devices,
            options.Partitions,
            eventSeconds = options.Readings / options.Devices * options.Every,
            wallSeconds = Math.Round(seconds, 2),
            cpuSeconds = Math.Round(cpuSeconds, 2),
            perSecond = (long)(options.Readings / seconds),
            firstCommitSeconds = Math.Round(First, 1),
            secondHalfPerSecond = (long)(options.Readings / 2 / (seconds - half)),
            perSecondPerCore = (long)(options.Readings / cpuSeconds),
            accepted,
            averages = await CountAsync(engine, AverageTopics.Enriched),
            alerts = await CountAsync(engine, AlertTopics.Triggered),
            gcPauseSeconds = Math.Round((GC.GetTotalPauseDuration() - pauses).TotalSeconds, 2),
            collections = Enumerable.Range(0, GC.MaxGeneration + 1).Select(generation => GC.CollectionCount(generation) - collections[generation]),
            allocatedBytesPerReading = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / options.Readings,
            rssMegabytes = rss,
            heapMegabytes = heap,
            durability = "every commit is synced",
        };
    }

    /// <summary>When half of the readings were done, and the process's memory on the way: all of it, and the heap after the last whole collection.</summary>
    private async Task<(double Half, List<long> Rss, List<long> Heap)> WatchAsync(Engine engine, ProcessorRuntime runtime, Stopwatch clock)
    {
        var (half, rss, heap) = (0.0, new List<long>(), new List<long>());
        First = 0;
        using var beats = new PeriodicTimer(LookEvery);
        for (var look = 0; await beats.WaitForNextTickAsync(); look++)
        {
            if (await CountAsync(engine, ReadingTopics.Validated) + await CountAsync(engine, ReadingTopics.Rejected) >= options.Readings) break;
            if (look % LooksPerSample != 0) continue;
            var done = options.Readings - runtime.Statuses.Sum(status => status.Partitions.Sum(partition => partition.Lag));
            if (First == 0 && done > 0) First = clock.Elapsed.TotalSeconds;
            if (half == 0 && done >= options.Readings / 2) half = clock.Elapsed.TotalSeconds;
            rss.Add(Usage.RssBytes() >> 20);
            heap.Add(GC.GetGCMemoryInfo(GCKind.FullBlocking).HeapSizeBytes >> 20);
        }

        return (half, rss, heap);
    }

    private async Task FillAsync(LogEngine engine)
    {
        var start = DateTimeOffset.Parse("2026-01-25T10:30:00Z", CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
        var random = new Random(17);
        var commit = new Commit();
        for (long number = 0; number < options.Readings; number++)
        {
            var device = (int)(number % options.Devices);
            var turn = number / options.Devices;
            var reading = Reading(device, turn, start + (long)(((turn * options.Devices) + device) * options.Every * 1_000 / options.Devices), random);
            var key = System.Text.Encoding.ASCII.GetBytes(reading.DeviceId);
            EventCodec.Write(
                ReadingCodec.ToEvent(reading), EventMode.Structured, key, reading.Time,
                commit.To(new TopicPartition(ReadingTopics.Raw, Partitioner.PartitionOf(key, options.Partitions))));
            if (number % FillBatch != FillBatch - 1 && number != options.Readings - 1) continue;
            (await engine.CommitAsync(commit)).RequireCommitted();
            commit.Dispose();
            commit = new Commit();
        }

        commit.Dispose();
    }

    private static SensorReading Reading(int device, long turn, long time, Random random) => new()
    {
        Id = string.Create(CultureInfo.InvariantCulture, $"sensor-reading-{device:x}-{turn:x}"),
        DeviceId = string.Create(CultureInfo.InvariantCulture, $"sensor-{device:000000}"),
        SensorType = "temperature",
        Value = random.Next(1_000) < SpikesPerThousand ? 40 : Math.Round(20 + (random.NextDouble() * 3), 2),
        Unit = "celsius",
        Location = new Place(47.6062, -122.3321),
        Zone = "warehouse-a",
        BatteryLevel = 87,
        SignalStrength = -65,
        Time = time,
    };

    private static async Task<long> CountAsync(Engine engine, string topic) =>
        (await engine.FindTopicAsync(topic))!.Partitions.Sum(partition => partition.EndOffset);
}

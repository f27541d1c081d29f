using System.Text;
using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>What streams promise when sources repeat themselves, or one key has most of the records: C19 and C20.</summary>
public abstract class LoadContract
{
    /// <summary>An engine for a test.</summary>
    protected abstract EngineHost CreateHost();

    /// <summary>What topologies keep of their state in memory; with a limit the engine has it on disk.</summary>
    protected virtual long? StateBytesMax => null;

    [Fact]
    public async Task C19_A_reading_that_a_source_delivers_again_is_said_once_also_after_a_restart_and_a_crash()
    {
        await using var rig = await OpenAsync(2, "in", "out");
        var random = new Random(19);
        var readings = Enumerable.Range(0, 60).Select(i => (Device: $"d{i % 5}", Number: (long)(i / 5), Time: 1_000L + 10 * i)).ToList();
        var delivered = readings.SelectMany(one => Enumerable.Repeat(one, random.Next(1, 4))).ToList();

        await AppendAsync(delivered[..40]);
        await rig.RunAsync(Define(crashAt: 0));
        // The source has not heard that some were taken, and sends its last ones once more, in another order.
        await AppendAsync(delivered[20..40].OrderBy(_ => random.Next()));
        await AppendAsync(delivered[40..]);
        using var running = new RunningTopology(Define(crashAt: 17));
        await using var runtime = await rig.StartAsync(running, options => options with
        {
            Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1), CommitRecordsMax = 5,
        });
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(readings.Select(one => $"{one.Device} {one.Number}").Order(StringComparer.Ordinal), await rig.ValuesAsync("out"));
        for (var partition = 0; partition < 2; partition++) await rig.AppendAsync("in", partition, ("end", 0, 1_000_000));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        Assert.All(running.Explain().Stages[0].Partitions, partition => Assert.True(
            partition.Operators.Sum(one => one.StateEntries) <= 2, "What was remembered is gone when its time is over."));

        async Task AppendAsync(IEnumerable<(string Device, long Number, long Time)> batch) =>
            await rig.AppendAsync("in", [.. batch.Select(one => (one.Device, one.Number, one.Time))]);

        StreamTopology Define(int crashAt)
        {
            var seen = 0;
            var topology = rig.Topology();
            topology.From<Reading>(rig.Name("in"), new SourceOptions<Reading> { OutOfOrderness = 10.Seconds() })
                .Where(_ => Interlocked.Increment(ref seen) == crashAt ? throw new OperationCanceledException("The process ends here.") : true)
                .KeyBy(reading => (reading.Key, reading.Value), Pairs)
                .Deduplicate(1.Minutes())
                .Select(reading => $"{reading.Key} {reading.Value}").To(rig.Name("out"), new OutputOptions<string> { Key = text => text });
            return topology;
        }
    }

    [Fact]
    public async Task C20_A_key_with_half_of_the_records_whose_partition_stands_still_does_not_hold_the_others_back()
    {
        await using var rig = await OpenAsync(4, "in", "out");
        var random = new Random(20);
        var hot = Partitioner.PartitionOf("hot"u8, 4);
        var keys = Enumerable.Range(0, 30).Select(i => $"k{i}").Where(key => Partitioner.PartitionOf(Encoding.UTF8.GetBytes(key), 4) != hot).ToList();
        (string Key, long Value, long Time)[] input =
        [
            .. Enumerable.Range(0, 400).Select(i => (i % 2 == 0 ? "hot" : keys[random.Next(keys.Count)], (long)i, 1_000L + 10 * i)),
        ];
        for (var partition = 0; partition < 4; partition++)
        {
            var own = input.Where(r => Partitioner.PartitionOf(Encoding.UTF8.GetBytes(r.Key), 4) == partition).ToArray();
            await rig.AppendAsync("in", partition, [.. own, ("end", 0, 100_000)]);
        }

        var isStopped = true;
        var topology = rig.Topology();
        topology.From<Reading>(rig.Name("in"))
            .Where(reading => isStopped && reading.Key == "hot" ? throw new OperationCanceledException("The hot key's work does not get on.") : true)
            .KeyBy(reading => reading.Key).Window(Tumbling.Of(1.Seconds())).Count()
            .Select(count => $"{count.Key} {count.Window.Start} {count.Value}").To(rig.Name("out"), new OutputOptions<string> { Key = text => text });
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilAsync(statuses => statuses[0].Partitions.Any(p => p.State == ProcessorState.BackingOff), rig.Cancellation);
        var others = Expected(input.Where(r => r.Key != "hot"));
        await runtime.WaitUntilAsync(_ => running.Explain().Stages[0].Partitions
            .Where(p => p.Partition != hot).Sum(p => p.Operators[^1].RecordsOut) == others.Count, rig.Cancellation);
        var watermarks = running.Explain().Stages[0].Partitions.Where(p => p.Partition != hot).Select(p => p.Operators[0].Watermark);

        Assert.All(watermarks, watermark => Assert.Equal(99_999, watermark));
        isStopped = false;
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        Assert.Equal(Expected(input), await rig.ValuesAsync("out"));

        static List<string> Expected(IEnumerable<(string Key, long Value, long Time)> records) =>
            [.. records.GroupBy(r => (r.Key, Start: r.Time / 1_000 * 1_000)).Select(g => $"{g.Key.Key} {g.Key.Start} {g.Count()}").Order(StringComparer.Ordinal)];
    }

    private static StateCodec<(string Device, long Number)> Pairs { get; } = new(
        1,
        (pair, output) => System.Buffers.BuffersExtensions.Write(output, Encoding.UTF8.GetBytes($"{pair.Device} {pair.Number}")),
        bytes =>
        {
            var parts = Encoding.UTF8.GetString(bytes).Split(' ');
            return (parts[0], long.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture));
        });

    private async Task<StreamsRig> OpenAsync(int partitions, params string[] topics)
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(5));
        return await StreamsRig.OpenAsync(CreateHost(), partitions, topics, deadline.Token, StateBytesMax);
    }
}

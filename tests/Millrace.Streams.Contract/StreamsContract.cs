using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>What streams promise on a runtime, whatever the engine.</summary>
public abstract class StreamsContract
{
    /// <summary>The most that a test may take.</summary>
    protected virtual TimeSpan TimeMax => TimeSpan.FromMinutes(5);

    /// <summary>Every so-manieth record is one that a crash comes at.</summary>
    protected virtual int CrashStep => 3;

    /// <summary>An engine for a test.</summary>
    protected abstract EngineHost CreateHost();

    /// <summary>What topologies keep of their state in memory; with a limit the engine has it on disk.</summary>
    protected virtual long? StateBytesMax => null;

    [Fact]
    public async Task Windows_of_several_partitions_say_what_they_held_under_their_keys()
    {
        await using var rig = await OpenAsync(3, "in", "out");
        await rig.AppendAsync("in", ("a", 1, 1_000), ("b", 10, 1_500), ("c", 100, 1_900), ("a", 2, 1_999), ("b", 20, 2_000), ("c", 200, 2_500));
        await rig.AppendAsync("in", ("a", 4, 9_000), ("b", 40, 9_000), ("c", 400, 9_000));
        var topology = rig.Topology();
        Sums(rig, topology, w => w).Select(Text).To(rig.Name("out"), ByText);

        await rig.RunAsync(topology);

        var seen = (await rig.ReadAsync("out")).SelectMany(records => records).ToList();
        Assert.Equal(
            ["a 3 [0, 2000)", "b 10 [0, 2000)", "b 20 [2000, 4000)", "c 100 [0, 2000)", "c 200 [2000, 4000)"],
            seen.Select(record => record.Value).Order(StringComparer.Ordinal));
        Assert.All(seen, record => Assert.Equal(record.Value[..1], record.Key));
        Assert.Equal(1_999, seen.First(record => record.Value.StartsWith('a')).Timestamp);
    }

    [Fact]
    public async Task A_windows_result_has_its_key_and_an_output_of_its_own_form_where_nothing_is_said()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", ("a", 1, 1_000), ("a", 2, 9_000));
        var topology = rig.Topology();
        Sums(rig, topology, w => w).To(rig.Name("out"));

        await rig.RunAsync(topology);

        var only = Assert.Single((await rig.ReadAsync("out"))[0]);
        Assert.Equal("a", only.Key);
        Assert.Equal("""{"key":"a","window":{"start":0,"end":2000,"maxTimestamp":1999},"value":1,"isRetraction":false}""", only.Value);
    }

    [Fact]
    public async Task Windows_go_on_after_a_restart_of_the_runtime_and_late_records_go_aside()
    {
        await using var rig = await OpenAsync(1, "in", "out", "late");
        StreamTopology Define()
        {
            var topology = rig.Topology();
            var late = new OutputTag<Reading>("late");
            Sums(rig, topology, w => w.AllowedLateness(500.Milliseconds()).LateTo(late)).Select(Text).To(rig.Name("out"), ByText);
            topology.SideOutput(late).Select(reading => $"{reading.Key} {reading.Value}").To(rig.Name("late"), ByText);
            return topology;
        }

        await rig.AppendAsync("in", ("a", 1, 1_000));
        await rig.RunAsync(Define());
        await rig.AppendAsync("in", ("a", 2, 1_500), ("a", 3, 2_000));
        await rig.RunAsync(Define());
        await rig.AppendAsync("in", ("a", 4, 1_600), ("a", 5, 2_500), ("a", 6, 1_700));
        await rig.RunAsync(Define());

        Assert.Equal(["a 3 [0, 2000)", "a 7 [0, 2000)"], (await rig.ReadAsync("out"))[0].Select(record => record.Value));
        Assert.Equal(["a 6"], await rig.ValuesAsync("late"));
    }

    [Fact]
    public async Task A_crash_anywhere_leads_to_the_output_of_a_run_without_one()
    {
        const int records = 40;
        await using var rig = await OpenAsync(2, "in", "out");
        var random = new Random(11);
        var input = Enumerable.Range(0, records)
            .Select(i => ($"k{random.Next(4)}", (long)i, 1_000L + 150 * i - random.Next(900))).ToArray();
        await rig.AppendAsync("in", input);
        var expected = Expected(rig, input, await PartitionsAsync(rig, "in"));

        for (var crash = 1; crash <= records; crash += CrashStep)
        {
            var (at, seen) = (crash, 0);
            var topology = rig.Topology($"crash-{crash}");
            await rig.Engine.EnsureTopicAsync(new TopicSpecification { Name = rig.Name($"out-{crash}"), Partitions = 2 }, rig.Cancellation);
            Sums(rig, topology, w => w.AllowedLateness(300.Milliseconds()).TriggeredBy(Trigger.OnTime), reading =>
            {
                if (Interlocked.Increment(ref seen) == at) throw new OperationCanceledException("The process ends here.");
            }).Select(Text).To(rig.Name($"out-{crash}"), ByText);
            using var running = new RunningTopology(topology);
            await using var runtime = await rig.StartAsync(running, options => options with
            {
                Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1), CommitRecordsMax = 3, FetchBytesMax = 1024,
            });
            await runtime.WaitUntilIdleAsync(rig.Cancellation);

            Assert.True(seen > records, $"The crash at record {crash} did not happen.");
            var got = await rig.ReadAsync($"out-{crash}");
            for (var partition = 0; partition < 2; partition++)
                Assert.Equal(expected[partition], got[partition].Select(record => record.Value));
        }
    }

    [Fact]
    public async Task Instances_that_come_and_go_share_the_partitions_and_say_what_one_would()
    {
        await using var rig = await OpenAsync(4, "in", "out");
        var random = new Random(5);
        var input = Enumerable.Range(0, 60).Select(i => ($"k{random.Next(12)}", (long)i, 1_000L + 150 * i - random.Next(900))).ToArray();
        var expected = Expected(rig, input, 4);
        var runtimes = new List<ProcessorRuntime>();

        for (var step = 0; step < 6; step++)
        {
            // One more, one more, one less, one more, one less, one less but for the last.
            if (step is 0 or 1 or 3) runtimes.Add(await StartAsync(step));
            if (step is 2 or 4)
            {
                await runtimes[0].DisposeAsync();
                runtimes.RemoveAt(0);
            }

            await rig.AppendAsync("in", input[(step * 10)..(step * 10 + 10)]);
            await SettledAsync(rig, runtimes);
        }

        var got = await rig.ReadAsync("out");
        for (var partition = 0; partition < 4; partition++)
            Assert.Equal(expected[partition], got[partition].Select(record => record.Value));

        async Task<ProcessorRuntime> StartAsync(int seed)
        {
            var topology = rig.Topology();
            Sums(rig, topology, w => w.AllowedLateness(300.Milliseconds())).Select(Text).To(rig.Name("out"), ByText);
            return await rig.StartAsync(new RunningTopology(topology), options => options with { Time = TimeProvider.System, Seed = seed });
        }
    }

    [Fact]
    public async Task Records_of_a_new_key_meet_in_its_partition_and_its_windows_wait_for_every_partition_before()
    {
        await using var rig = await OpenAsync(3, "in", "out");
        var topology = rig.Topology();
        Sums(rig, topology, w => w)
            .KeyBy(sum => sum.Value % 2 == 0 ? "even" : "odd", through: StateCodecs.Default<Windowed<string, long>>())
            .Window(Tumbling.Of(4.Seconds()))
            .Sum(sum => sum.Value).Select(Text).To(rig.Name("out"), ByText);
        (string, long, long)[] input =
        [
            .. Enumerable.Range(0, 30).Select(i => ($"k{i % 10}", (long)i, 1_000L + 100 * i)),
        ];
        await rig.AppendAsync("in", input);
        await rig.RunAsync(topology);
        var before = await rig.ValuesAsync("out");

        for (var partition = 0; partition < 3; partition++) await rig.AppendAsync("in", partition, ("end", 0, 60_000));
        await rig.RunAsync(topology);

        Assert.Empty(before);
        var sums = input.GroupBy(r => (r.Item1, Window: r.Item3 / 2_000)).Select(g => (g.Key.Window, Sum: g.Sum(r => r.Item2)));
        var expected = sums.GroupBy(s => (Key: s.Sum % 2 == 0 ? "even" : "odd", Window: s.Window / 2))
            .Select(g => $"{g.Key.Key} {g.Sum(s => s.Sum)} [{g.Key.Window * 4_000}, {g.Key.Window * 4_000 + 4_000})").Order(StringComparer.Ordinal);
        Assert.Equal(expected, await rig.ValuesAsync("out"));
    }

    [Fact]
    public async Task A_partition_that_stays_silent_is_not_waited_for_behind_a_topic_in_between()
    {
        await using var rig = await OpenAsync(2, "in", "out");
        var topology = rig.Topology();
        topology.From(rig.Name("in"), new SourceOptions<Reading> { IdleAfter = TimeSpan.FromSeconds(5) })
            .KeyBy(reading => reading.Key, partitioning: Partitioning.ThroughTopic)
            .Window(Tumbling.Of(2.Seconds()))
            .Sum(reading => reading.Value).Select(Text).To(rig.Name("out"), ByText);
        await rig.AppendAsync("in", 0, ("a", 1, 1_000), ("a", 2, 5_000));
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        var before = await rig.ValuesAsync("out");

        rig.Time.Advance(TimeSpan.FromSeconds(4));
        await rig.AppendAsync("in", 0, ("a", 4, 6_000));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Empty(before);
        Assert.Equal(["a 1 [0, 2000)", "a 2 [4000, 6000)"], await rig.ValuesAsync("out"));
        var source = running.Explain().Stages[1].Partitions[0].Operators[0];
        Assert.True(source.Channels[1].IsIdle);
        Assert.Equal("partition before 0", source.HeldBackBy?.Name);
    }

    [Fact]
    public async Task A_source_is_not_idle_because_the_work_on_its_records_takes_long()
    {
        await using var rig = await OpenAsync(1, "slow", "fast", "out");
        var topology = rig.Topology();
        topology.From(rig.Name("slow"), new SourceOptions<Reading> { IdleAfter = TimeSpan.FromSeconds(2) })
            .Select(reading =>
            {
                rig.Time.Advance(TimeSpan.FromSeconds(1));
                return reading;
            })
            .Union(topology.From<Reading>(rig.Name("fast")))
            .KeyBy(reading => reading.Key)
            .Window(Tumbling.Of(2.Seconds()))
            .Sum(reading => reading.Value).Select(Text).To(rig.Name("out"), ByText);
        await rig.AppendAsync("fast", 0, ("a", 10, 50_000));
        await rig.AppendAsync("slow", 0, ("a", 1, 1_000), ("a", 1, 1_000), ("a", 1, 1_000), ("a", 1, 1_000), ("a", 1, 1_000));
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        await rig.AppendAsync("slow", 0, ("a", 3, 1_500));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        Assert.Empty(await rig.ValuesAsync("out"));
        await rig.AppendAsync("slow", 0, ("a", 0, 60_000));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["a 8 [0, 2000)"], await rig.ValuesAsync("out"));
    }

    [Fact]
    public async Task What_cannot_be_read_or_worked_on_is_a_dead_letter_and_nothing_of_it_is_left()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var topology = rig.Topology();
        topology.From<Reading>(rig.Name("in"))
            .Select(reading => reading.Value == 3 ? throw new InvalidOperationException("Three cannot be selected.") : reading)
            .KeyBy(reading => reading.Key)
            .Window(Tumbling.Of(2.Seconds()))
            .Aggregate(new Squeamish())
            .Select(Text).To(rig.Name("out"), ByText);
        await rig.AppendAsync("in", 0, ("a", 1, 1_000), ("a", 3, 1_100), ("a", 5, 1_200));
        await rig.Engine.AppendAsync(
            new TopicPartition(rig.Name("in"), 0), batch => batch.Add(1_300, "a"u8, "nothing"u8), null, rig.Cancellation);
        await rig.AppendAsync("in", 0, ("a", 7, 1_400), ("a", 0, 9_000));
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running, options => options with
        {
            Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1),
        });

        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["a 8 [0, 2000)"], await rig.ValuesAsync("out"));
        var dead = (await rig.ReadAsync("in.dlq"))[0];
        Assert.Equal([1_100L, 1_200L, 1_300L], dead.Select(record => record.Timestamp));
        Assert.Equal("1", dead[0].Headers[DeadLetters.Offset]);
        Assert.Equal("System.InvalidOperationException: Three cannot be selected.", dead[0].Headers[DeadLetters.Reason]);
        Assert.Equal("System.InvalidOperationException: Five cannot be added.", dead[1].Headers[DeadLetters.Reason]);
        Assert.StartsWith("the value is no Reading in JSON", dead[2].Headers[DeadLetters.Reason]);
        Assert.Equal(rig.Name("topology"), dead[2].Headers[DeadLetters.Group]);
        Assert.Equal(1, runtime.Statuses[0].Partitions[0].Restarts);
    }

    [Fact]
    public async Task State_of_a_version_that_nobody_reads_stops_the_partition_and_says_why()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", ("a", 1, 1_000));
        await rig.RunAsync(Define(2));
        await rig.AppendAsync("in", ("a", 2, 9_000));
        using var running = new RunningTopology(Define(1));
        await using var runtime = await rig.StartAsync(running);

        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);

        Assert.Contains("version 2", runtime.Statuses[0].Failure, StringComparison.Ordinal);
        Assert.Empty(await rig.ValuesAsync("out"));

        StreamTopology Define(int version)
        {
            var topology = rig.Topology();
            topology.From<Reading>(rig.Name("in")).KeyBy(reading => reading.Key).Window(Tumbling.Of(2.Seconds()))
                .Aggregate(new Squeamish(), new StateCodec<long>(
                    version, (value, output) => StateCodecs.Longs.Write(value, output), bytes => BitConverter.ToInt64(bytes)))
                .Select(Text).To(rig.Name("out"), ByText);
            return topology;
        }
    }

    [Fact]
    public async Task Events_are_read_by_their_data_and_time_and_written_with_ids_that_a_restart_does_not_change()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var registry = EventRegistry.Create(events => events
            .Add("test.measured", rig.Name("in"), StreamsJson.Default.Measured, key: m => m.Device)
            .Add("test.summed", rig.Name("out"), StreamsJson.Default.Summed, key: s => s.Device));
        var publisher = new EventPublisher(registry, "/test", rig.Time);
        var seen = 0;

        await PublishAsync(("a", 1, 1_000), ("a", 2, 1_500), ("a", 3, 3_000));
        await RunAsync(failAt: 2);
        await PublishAsync(("a", 4, 5_000), ("a", 5, 9_000));
        await RunAsync(failAt: 0);

        var events = (await rig.ReadAsync("out"))[0].Select(record =>
        {
            Assert.True(EventCodec.TryReadJson(System.Text.Encoding.UTF8.GetBytes(record.Value), out var view, out var reason), reason);
            return view.ToEvent();
        }).ToList();
        Assert.Equal([3m, 3m, 4m], events.Select(e => System.Text.Json.JsonSerializer.Deserialize(e.Data.Span, StreamsJson.Default.Summed)!.Sum));
        Assert.Equal(Enumerable.Range(0, 3).Select(number => $"{rig.Name("topology")}-4-0-{number}"), events.Select(e => e.Id));
        Assert.All(events, e => Assert.Equal(("/streams/sums", "test.summed"), (e.Source, e.Type)));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_999), events[0].Time);

        async Task PublishAsync(params (string Device, decimal Value, long Time)[] readings)
        {
            foreach (var (device, value, time) in readings)
            {
                await publisher.PublishAsync(
                    rig.Engine, new Measured(device, value),
                    new PublishOptions { Id = $"{device}-{time}", Time = DateTimeOffset.FromUnixTimeMilliseconds(time) }, rig.Cancellation);
            }
        }

        async Task RunAsync(int failAt)
        {
            var topology = rig.Topology();
            topology.From(rig.Name("in"), new SourceOptions<Measured> { Codec = RecordCodecs.Events<Measured>(registry) })
                .Where(_ => ++seen == failAt ? throw new OperationCanceledException("The process ends here.") : true)
                .KeyBy(measured => measured.Device).Window(Tumbling.Of(2.Seconds()))
                .Aggregate(new Total())
                .Select(total => new Summed(total.Key, total.Value))
                .To(rig.Name("out"), new OutputOptions<Summed> { Key = s => s.Device, Codec = RecordCodecs.Events<Summed>(registry, "/streams/sums") });
            using var running = new RunningTopology(topology);
            await using var runtime = await rig.StartAsync(running, options => options with
            {
                Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1),
            });
            await runtime.WaitUntilIdleAsync(rig.Cancellation);
        }
    }

    [Fact]
    public async Task A_running_topology_tells_what_it_did_and_what_it_waits_for()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var topology = rig.Topology();
        Sums(rig, topology, w => w).Select(Text).To(rig.Name("out"), ByText);
        await rig.AppendAsync("in", ("a", 1, 1_000), ("b", 1, 1_100), ("a", 1, 3_000), ("a", 1, 1_200));
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        var operators = running.Explain().Stages[0].Partitions[0].Operators;
        var text = running.Explain().ToString();

        Assert.Equal([4L, 4L, 2L], operators.Select(one => one.RecordsIn));
        Assert.Equal([4L, 2L, 2L], operators.Select(one => one.RecordsOut));
        Assert.Equal((1L, 1, 3_999L, 2_999L), (operators[1].RecordsLate, operators[1].StateEntries, operators[1].WaitsFor, operators[1].Watermark));
        Assert.Contains("window tumbling 2000 ms", text, StringComparison.Ordinal);
        Assert.Contains("watermark 1970-01-01T00:00:02.999Z; waits for 1970-01-01T00:00:03.999Z", text, StringComparison.Ordinal);
    }

    private sealed class Total : IAggregate<Measured, decimal, decimal>
    {
        public decimal Create() => 0;

        public decimal Add(decimal accumulator, Measured value) => accumulator + value.Value;

        public decimal Merge(decimal left, decimal right) => left + right;

        public decimal Result(decimal accumulator) => accumulator;
    }

    /// <summary>Adds numbers, but for the five; by the time it says so it has added it.</summary>
    private sealed class Squeamish : IAggregate<Reading, long, long>
    {
        public long Create() => 0;

        public long Add(long accumulator, Reading value) =>
            value.Value == 5 ? throw new InvalidOperationException("Five cannot be added.") : accumulator + value.Value;

        public long Merge(long left, long right) => left + right;

        public long Result(long accumulator) => accumulator;
    }

    private static OutputOptions<string> ByText { get; } = new() { Key = text => text.Split(' ')[0] };

    private static string Text(Windowed<string, long> sum) => $"{sum.Key} {sum.Value} {sum.Window}";

    private static DataStream<Windowed<string, long>> Sums(
        StreamsRig rig, StreamTopology topology, Func<WindowedStream<string, Reading>, WindowedStream<string, Reading>> settings,
        Action<Reading>? onRecord = null)
    {
        var windowed = topology.From<Reading>(rig.Name("in"))
            .Where(reading =>
            {
                onRecord?.Invoke(reading);
                return true;
            })
            .KeyBy(reading => reading.Key).Window(Tumbling.Of(2.Seconds()));
        return settings(windowed).Sum(reading => reading.Value);
    }

    /// <summary>What the same windows say in the driver, partition by partition.</summary>
    private static List<List<string>> Expected(StreamsRig rig, (string Key, long Value, long Time)[] input, int partitions)
    {
        var expected = new List<List<string>>();
        for (var partition = 0; partition < partitions; partition++)
        {
            var topology = rig.Topology();
            Sums(rig, topology, w => w.AllowedLateness(300.Milliseconds())).Select(Text).To("out");
            var driver = new TopologyTestDriver(topology);
            foreach (var (key, value, time) in input)
            {
                if (Partitioner.PartitionOf(System.Text.Encoding.UTF8.GetBytes(key), partitions) != partition) continue;
                driver.Pipe(rig.Name("in"), new Reading(key, value), time);
            }

            expected.Add([.. driver.Read<string>("out").Select(result => result.Value)]);
        }

        Assert.True(expected.Sum(results => results.Count) > 10, "The input has too few results to prove anything.");
        return expected;
    }

    /// <summary>Waits until the group has read everything, whoever owns what.</summary>
    private static async Task SettledAsync(StreamsRig rig, List<ProcessorRuntime> runtimes)
    {
        while (true)
        {
            foreach (var runtime in runtimes) await runtime.WaitUntilIdleAsync(rig.Cancellation);
            var lags = await rig.Engine.DescribeLagAsync(rig.Name("topology"), rig.Cancellation);
            if (lags.Count > 0 && lags.All(lag => lag.Lag == 0)) return;
        }
    }

    private static async Task<int> PartitionsAsync(StreamsRig rig, string topic) =>
        (await rig.Engine.FindTopicAsync(rig.Name(topic), rig.Cancellation))!.Partitions.Count;

    private async Task<StreamsRig> OpenAsync(int partitions, params string[] topics)
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeMax);
        return await StreamsRig.OpenAsync(CreateHost(), partitions, topics, deadline.Token, StateBytesMax);
    }
}

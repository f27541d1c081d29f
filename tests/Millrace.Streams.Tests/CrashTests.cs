namespace Millrace.Streams.Tests;

/// <summary>A crash at every step, over all operators: C14's stronger form; and that a topology that hides state is found out.</summary>
public sealed class CrashTests
{
    private const int Seeds = 3;

    /// <summary>Of state in memory: all of it; none; the last used of it.</summary>
    private static readonly long?[] Limits = [null, 0, 400];

    private static readonly OutputTag<Event> Aside = new("aside");
    private static readonly OutputTag<Event> Late = new("late");

    private static readonly Dictionary<string, Action<DataStream<Event>, StreamTopology>> Kinds = new()
    {
        ["stateless"] = (stream, _) => stream.Where(e => e.Value % 3 != 0).SelectMany<string>((e, say) =>
        {
            say(e.Key);
            say($"{e.Value}");
        }).To("out"),
        ["tumbling"] = (stream, _) => Windowed(stream, Tumbling.Of(1.Seconds())).AllowedLateness(500.Milliseconds()).LateTo(Late).Sum(e => e.Value).To("out"),
        ["hopping, final"] = (stream, _) => Windowed(stream, Hopping.Of(2.Seconds(), 500.Milliseconds())).AllowedLateness(1.Seconds())
            .TriggeredBy(Trigger.OnClose).Aggregate(new Listing()).To("out"),
        ["calendar"] = (stream, _) => Windowed(stream, CalendarDay.In(TimeZoneInfo.Utc)).TriggeredBy(Trigger.OnUpdate).Sum(e => e.Value).To("out"),
        ["session"] = (stream, _) => Windowed(stream, Session.WithGap(400.Milliseconds())).AllowedLateness(300.Milliseconds()).LateTo(Late)
            .TriggeredBy(Trigger.OnUpdate).Retracting().Aggregate(new Listing()).To("out"),
        ["session, on time"] = (stream, _) => Windowed(stream, Session.WithGap(200.Milliseconds())).AllowedLateness(600.Milliseconds())
            .Aggregate(new Listing()).To("out"),
        ["sliding"] = (stream, _) => Windowed(stream, Sliding.Of(700.Milliseconds())).AllowedLateness(300.Milliseconds()).LateTo(Late).Aggregate(new Listing()).To("out"),
        ["count"] = (stream, _) => Windowed(stream, GlobalWindow.All).TriggeredBy(Trigger.Count(4, isPurging: true)).Sum(e => e.Value).To("out"),
        ["process"] = (stream, _) => stream.KeyBy(e => e.Key).Process(() => new Everything(), sides => sides.Add(Aside)).To("out"),
        ["clearing"] = (stream, _) => stream.KeyBy(e => e.Key).Process(() => new Clearing()).To("out"),
        ["interval join"] = (stream, topology) => Odd(stream, topology, (left, right) => left.IntervalJoin(
            right, Interval.Between(-300.Milliseconds(), 500.Milliseconds()), (l, r) => $"{l.Value}+{r.Value}").To("out")),
        ["window join"] = (stream, topology) => Odd(stream, topology, (left, right) => left.Join(
            right, Tumbling.Of(1.Seconds()), (l, r) => $"{l.Value}+{r.Value}").To("out")),
        ["table join"] = (stream, topology) => Odd(stream, topology, (left, right) => left.LeftJoinTable(right, (l, r) => $"{l.Value}+{r.Value}").To("out")),
        ["tables join"] = (stream, topology) => Odd(stream, topology, (left, right) => left.JoinTables(right, (l, r) => $"{l.Value}+{r.Value}").To("out")),
        ["deduplicate"] = (stream, _) => stream.KeyBy(e => e.Value % 7).Deduplicate(800.Milliseconds()).To("out"),
        ["top"] = (stream, _) => stream.KeyBy(e => e.Key).Top(3, (one, other) => one.Value.CompareTo(other.Value)).To("out"),
        ["global table"] = (stream, topology) => stream.LeftJoinTable(
            topology.GlobalTable<string, string>("names"), e => e.Key, (e, name) => $"{name ?? "?"} {e.Value}").To("out"),
        ["lookup"] = (stream, _) => stream.Lookup((e, _) => ValueTask.FromResult(e with { Value = e.Value + 1 })).KeyBy(e => e.Key)
            .Window(Tumbling.Of(1.Seconds())).Sum(e => e.Value).To("out"),
        ["moved"] = (stream, _) => Windowed(stream, Tumbling.Of(500.Milliseconds())).Sum(e => e.Value)
            .KeyBy(sum => sum.Value % 2).Window(Tumbling.Of(2.Seconds())).Count().To("out"),
        ["union"] = (stream, _) => stream.Union(stream.Where(e => e.Value % 2 == 0)).KeyBy(e => e.Key).Window(Tumbling.Of(1.Seconds())).Count().To("out"),
    };

    public static TheoryData<string> AllKinds => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(AllKinds))]
    public void A_crash_at_any_step_changes_neither_outputs_nor_state(string kind)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = new Random(seed);
            var partitions = 1 + seed % 2;
            var steps = Draw(random, kind, partitions);
            var options = new TopologyCrashOptions { Partitions = partitions, CommitSteps = random.Next(1, 6) };

            foreach (var limit in Limits) TopologyCrashes.Check(() => Define(kind, limit), steps, options);
        }
    }

    /// <summary>
    /// Another limit at each start, or none: what a start finds in the store was left by whoever ran before. Results of one moment may come in
    /// another order.
    /// </summary>
    [Theory]
    [MemberData(nameof(AllKinds))]
    public void The_outputs_are_the_same_whatever_part_of_the_state_is_in_memory(string kind)
    {
        for (var seed = 0; seed < 10; seed++)
        {
            var random = new Random(seed);
            var steps = Draw(random, kind, 1);
            var expected = Run(kind, steps, _ => (false, null));

            Assert.NotEmpty(expected);
            Assert.Equal(expected, Run(kind, steps, _ => (false, 0)));
            Assert.Equal(expected, Run(kind, steps, _ => (false, 400)));
            Assert.Equal(expected, Run(kind, steps, _ => (random.Next(5) == 0, Limits[random.Next(Limits.Length)])));
        }
    }

    private static List<string> Run(string kind, List<TopologyStep> steps, Func<int, (bool IsStart, long? Limit)> starts)
    {
        var driver = new TopologyTestDriver(Define(kind, starts(-1).Limit));
        var all = new List<string>();
        for (var i = 0; i < steps.Count; i++)
        {
            if (starts(i) is { IsStart: true } start)
            {
                var next = new TopologyTestDriver(Define(kind, start.Limit), 1, driver.Snapshot(), null, driver.Now);
                foreach (var step in steps.Take(i).Where(step => step.IsTable)) step.Apply(next);
                driver = next;
            }

            steps[i].Apply(driver);
            var texts = new SortedDictionary<string, List<string>>();
            driver.TakeTexts(texts);
            all.AddRange(texts.SelectMany(output => output.Value.Select(text => $"{i}, {output.Key}: {text}")).Order(StringComparer.Ordinal));
        }

        return all;
    }

    [Fact]
    public void A_topology_that_keeps_something_beside_its_state_is_found_out_in_words()
    {
        var failure = Assert.Throws<TopologyCrashException>(() => TopologyCrashes.Check(
            () =>
            {
                var count = 0;
                var topology = new StreamTopology("hiding");
                topology.From<Event>("in").Select(_ => ++count).To("out");
                return topology;
            },
            [.. Enumerable.Range(1, 5).Select(i => TopologyStep.Record("in", new Event("k", i), 10 * i))], new TopologyCrashOptions { CommitSteps = 2 }));

        Assert.Equal(
            "After a crash behind step 2 of 5 (record Event { Key = k, Value = 2 } of 'in' at 20) and its commit, output 'out' has another result 3: "
            + "3 at 30 without a crash, 1 at 30 with it.", failure.Message);
    }

    [Fact]
    public void State_that_differs_at_the_end_is_found_out_when_outputs_do_not()
    {
        var failure = Assert.Throws<TopologyCrashException>(() => TopologyCrashes.Check(
            () =>
            {
                var count = 0;
                var topology = new StreamTopology("hiding");
                topology.From<Event>("in").Select(e => e with { Value = ++count }).KeyBy(e => e.Key).Window(Tumbling.Of(1.Seconds())).Sum(e => e.Value).To("out");
                return topology;
            },
            [.. Enumerable.Range(1, 4).Select(i => TopologyStep.Record("in", new Event("k", i), 10 * i))]));

        Assert.Contains("the state has another entry", failure.Message, StringComparison.Ordinal);
        Assert.Contains("2-window", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_to_try_and_options_out_of_their_limits_are_refused()
    {
        Assert.Throws<ArgumentException>(() => TopologyCrashes.Check(() => Define("top"), []));
        var failure = Assert.Throws<ArgumentException>(() => TopologyCrashes.Check(
            () => Define("top"), [TopologyStep.Idle("in")], new TopologyCrashOptions { CommitSteps = 0 }));
        Assert.Contains("CommitSteps is 0", failure.Message, StringComparison.Ordinal);
    }

    private static WindowedStream<string, Event> Windowed(DataStream<Event> stream, WindowAssigner windows) => stream.KeyBy(e => e.Key).Window(windows);

    private static void Odd(
        DataStream<Event> stream, StreamTopology topology, Action<KeyedStream<string, Event>, KeyedStream<string, Event>> join) =>
        join(stream.Split(Aside, e => e.Value % 2 == 1).KeyBy(e => e.Key), topology.SideOutput(Aside).KeyBy(e => e.Key));

    private static StreamTopology Define(string kind, long? limit = null)
    {
        var topology = new StreamTopology("crashes") { StateBytesMax = limit };
        Kinds[kind](topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = 200.Milliseconds(), IdleAfter = null }), topology);
        return topology;
    }

    private static List<TopologyStep> Draw(Random random, string kind, int partitions)
    {
        var steps = new List<TopologyStep>();
        var now = 1_000L;
        for (var i = 0; i < 40; i++)
        {
            now += random.Next(0, 150);
            if (i % 9 == 8) steps.Add(TopologyStep.Time(TimeSpan.FromMilliseconds(random.Next(1, 3_000))));
            if (kind == "global table" && i % 4 == 0) steps.Add(TopologyStep.SetInTable("names", $"k{random.Next(3)}", $"n{i}"));
            steps.Add(TopologyStep.Record("in", new Event($"k{random.Next(3)}", i), now - random.Next(0, 600), i % partitions));
        }

        steps.Add(TopologyStep.Watermark("in", now + 100));
        steps.Add(TopologyStep.Record("in", new Event("k0", 100), now + 200));
        return steps;
    }

    /// <summary>Takes away what an earlier call left, and looks again within the same one.</summary>
    private sealed class Clearing : ProcessFunction<string, Event, string>
    {
        private ValueState<long> _value = null!;
        private ListState<long> _list = null!;
        private MapState<long, long> _map = null!;

        public override void Open(StateDeclarations states) =>
            (_value, _list, _map) = (states.Value<long>("value"), states.List<long>("list"), states.Map<long, long>("map"));

        public override void OnRecord(Event value, ProcessContext<string, string> context)
        {
            switch (value.Value % 5)
            {
                case 0:
                    _value.Clear();
                    _list.Clear();
                    _map.Clear();
                    break;
                case 1:
                    _map.Remove(value.Value % 3);
                    break;
                case 2:
                    _value.Clear();
                    _value.Value = -value.Value;
                    _map.Clear();
                    _map.Set(7, value.Value);
                    break;
            }

            context.Say($"{context.Key} {_value.HasValue} {_value.Value} [{string.Join(',', _list.Items)}] {_map.Count} "
                + $"{_map.TryGet(1, out var one)} {one} {string.Join(',', _map.Entries.Select(entry => $"{entry.Key}:{entry.Value}"))}");
            if (value.Value % 5 == 3) return;
            _value.Value += value.Value;
            _list.Add(value.Value);
            _map.Set(value.Value % 3, value.Value);
        }
    }

    /// <summary>A function with each kind of state and of timer.</summary>
    private sealed class Everything : ProcessFunction<string, Event, string>
    {
        private ValueState<long> _sum = null!;
        private ListState<long> _last = null!;
        private MapState<long, long> _counts = null!;

        public override void Open(StateDeclarations states)
        {
            _sum = states.Value("sum", new StateOptions<long> { TimeToLive = 4.Seconds() });
            _last = states.List<long>("last");
            _counts = states.Map<long, long>("counts");
        }

        public override void OnRecord(Event value, ProcessContext<string, string> context)
        {
            _sum.Value += value.Value;
            _last.Set([.. _last.Items.TakeLast(2), value.Value]);
            _counts.Set(value.Value % 4, _counts.TryGet(value.Value % 4, out var count) ? count + 1 : 1);
            context.SetTimer(TimerKind.EventTime, "event", context.Timestamp + 300);
            context.SetTimer(TimerKind.ProcessingTime, "clock", context.Now + 500);
            if (value.Value % 5 == 0) context.RepeatTimer(TimerKind.EventTime, "again", 250.Milliseconds(), context.Timestamp);
            if (value.Value % 11 == 0) context.CancelRepeating(TimerKind.EventTime, "again");
            if (value.Value % 6 == 0) context.Say(Aside, value);
        }

        public override void OnTimer(StreamTimer timer, ProcessContext<string, string> context)
        {
            if (timer.Name == "clock") _counts.Remove(timer.Time % 4);
            context.Say($"{context.Key} {timer.Name}@{timer.Time} {_sum.Value} [{string.Join(',', _last.Items)}] "
                + string.Join(',', _counts.Entries.Select(entry => $"{entry.Key}:{entry.Value}")));
        }
    }
}

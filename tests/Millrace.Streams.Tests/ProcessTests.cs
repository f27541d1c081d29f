namespace Millrace.Streams.Tests;

/// <summary>Process functions, their states and timers: C13 and what goes with it.</summary>
public sealed class ProcessTests
{
    private static readonly OutputTag<string> Aside = new("aside");
    private static readonly string[] s_names = ["hello", "ciao"];

    [Fact]
    public void C13_A_timer_set_twice_fires_once_and_keys_and_names_do_not_leak()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) =>
            {
                foreach (var name in s_names)
                {
                    context.SetTimer(TimerKind.EventTime, name, 10);
                    context.SetTimer(TimerKind.EventTime, name, 10);
                }
            },
            Timer = (timer, context) => context.Say($"{context.Key} {timer.Name}@{timer.Time}"),
        });

        driver.Put("k1", 1, 0);
        driver.Put("k2", 1, 0);
        driver.Watermark(10);

        Assert.Equal(["k1 hello@10", "k1 ciao@10", "k2 hello@10", "k2 ciao@10"], driver.Said());
    }

    [Fact]
    public void C13_A_timer_that_was_cancelled_does_not_fire()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) =>
            {
                if (e.Value == 0)
                {
                    context.SetTimer(TimerKind.EventTime, "hello", 10);
                    context.SetTimer(TimerKind.EventTime, "ciao", 10);
                }
                else
                {
                    context.CancelTimer(TimerKind.EventTime, e.Key == "k1" ? "hello" : "ciao", 10);
                }
            },
            Timer = (timer, context) => context.Say($"{context.Key} {timer.Name}"),
        });

        driver.Put("k1", 0, 0);
        driver.Put("k2", 0, 0);
        driver.Put("k1", 1, 0);
        driver.Put("k2", 1, 0);
        driver.Watermark(10);

        Assert.Equal(["k1 ciao", "k2 hello"], driver.Said());
    }

    [Fact]
    public void C13_A_watermark_that_jumps_fires_timers_in_order_of_time_and_those_that_they_set()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) => context.SetTimer(TimerKind.EventTime, "", e.Value),
            Timer = (timer, context) =>
            {
                context.Say($"{timer.Time} at {context.Timestamp}, watermark {context.Watermark}");
                if (timer.Time == 20) context.SetTimer(TimerKind.EventTime, "", 25);
                if (timer.Time == 25) context.SetTimer(TimerKind.EventTime, "", 200);
            },
        });

        driver.Put("k", 30, 0);
        driver.Put("k", 20, 0);
        driver.Watermark(100);
        var first = driver.Said();
        driver.Watermark(199);
        Assert.Empty(driver.Said());
        driver.Watermark(200);

        Assert.Equal(["20 at 20, watermark 100", "25 at 25, watermark 100", "30 at 30, watermark 100"], first);
        Assert.Equal(["200 at 200, watermark 200"], driver.Said());
    }

    [Fact]
    public void C13_A_timer_for_a_time_that_has_come_fires_after_the_call_that_sets_it()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) =>
            {
                context.SetTimer(TimerKind.EventTime, "", e.Value);
                context.Say("set");
            },
            Timer = (timer, context) => context.Say($"fired {timer.Time}"),
        });

        driver.Watermark(100);
        driver.Put("k", 50, 150);

        Assert.Equal(["set", "fired 50"], driver.Said());
    }

    [Fact]
    public void The_end_of_a_stream_fires_what_is_left_also_a_timer_for_the_end_of_time()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) => context.SetTimer(TimerKind.EventTime, "", e.Value),
            Timer = (timer, context) => context.Say($"{timer.Time}"),
        });
        driver.Put("k", 7, 0);
        driver.Put("k", long.MaxValue, 0);

        driver.Watermark(long.MaxValue);
        driver.Watermark(long.MaxValue);

        Assert.Equal(["7", $"{long.MaxValue}"], driver.Said());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C13_A_processing_timer_arms_the_next_one()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) => context.SetTimer(TimerKind.ProcessingTime, "", 10),
            Timer = (timer, context) =>
            {
                context.Say($"{timer.Kind} {timer.Time}");
                if (timer.Time < 30) context.SetTimer(TimerKind.ProcessingTime, "", timer.Time + 10);
            },
        });

        driver.Put("k", 1, 0);
        driver.AdvanceProcessingTime(9.Milliseconds());
        Assert.Empty(driver.Said());
        foreach (var _ in Enumerable.Range(0, 4)) driver.AdvanceProcessingTime(10.Milliseconds());

        Assert.Equal(["ProcessingTime 10", "ProcessingTime 20", "ProcessingTime 30"], driver.Said());
    }

    [Theory]
    [InlineData(TimerKind.EventTime)]
    [InlineData(TimerKind.ProcessingTime)]
    public void C13_A_timer_that_repeats_fires_once_after_a_gap_and_keeps_its_schedule(TimerKind kind)
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) => context.RepeatTimer(kind, "every", 100.Milliseconds(), e.Value),
            Timer = (timer, context) => context.Say($"{context.Key}@{timer.Time}"),
        });
        driver.Put("a", 100, 0);
        driver.Put("b", 50, 0);
        var now = 0L;

        Assert.Empty(To(49));
        Assert.Equal(["b@50"], To(99));
        Assert.Equal(["a@100"], To(100));
        Assert.Equal(["b@150", "a@200"], To(200));
        Assert.Equal(["b@250", "a@300"], To(1_001));
        Assert.Empty(To(1_049));
        Assert.Equal(["b@1050"], To(1_051));
        Assert.Equal(["a@1100"], To(1_100));

        string[] To(long time)
        {
            if (kind == TimerKind.EventTime) driver.Watermark(time);
            else driver.AdvanceProcessingTime(TimeSpan.FromMilliseconds(time - now));
            now = time;
            return driver.Said();
        }
    }

    [Fact]
    public void C13_A_timer_that_repeats_is_cancelled_from_inside_and_never_fires_again()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) => context.RepeatTimer(TimerKind.EventTime, "every", 100.Milliseconds(), 100),
            Timer = (timer, context) =>
            {
                context.Say($"{timer.Time}");
                if (timer.Time == 200) context.CancelRepeating(TimerKind.EventTime, "every");
            },
        });

        driver.Put("k", 1, 0);
        foreach (var time in new[] { 100, 200, 300, 1_000 }) driver.Watermark(time);

        Assert.Equal(["100", "200"], driver.Said());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C13_A_snapshot_keeps_timers_their_order_and_their_periods()
    {
        Func<Scripted> create = () => new Scripted
        {
            Record = (e, context) =>
            {
                context.SetTimer(TimerKind.EventTime, "b", 10);
                context.SetTimer(TimerKind.EventTime, "a", 10);
                context.RepeatTimer(TimerKind.ProcessingTime, "every", 5.Milliseconds(), 5);
            },
            Timer = (timer, context) => context.Say($"{context.Key} {timer.Name}@{timer.Time}"),
        };
        var driver = Start(create);
        driver.Put("z", 1, 0);
        driver.Put("k", 1, 0);
        driver.AdvanceProcessingTime(5.Milliseconds());
        Assert.Equal(["z every@5", "k every@5"], driver.Said());

        driver = new TopologyTestDriver(Topology(create), snapshot: driver.Snapshot());
        driver.Watermark(10);
        driver.AdvanceProcessingTime(10.Milliseconds());

        Assert.Equal(["z b@10", "z a@10", "k b@10", "k a@10", "z every@10", "k every@10"], driver.Said());
    }

    [Fact]
    public void States_are_per_key_and_come_back_in_their_order()
    {
        ValueState<long> value = null!;
        ListState<string> list = null!;
        MapState<string, long> map = null!;
        Func<Scripted> create = () => new Scripted
        {
            Opened = states => (value, list, map) =
                (states.Value<long>("value"), states.List<string>("list"), states.Map<string, long>("map")),
            Record = (e, context) =>
            {
                if (e.Value < 0)
                {
                    value.Clear();
                    list.Clear();
                    map.Remove("2");
                }
                else if (e.Value > 0)
                {
                    value.Value += e.Value;
                    list.Add($"i{e.Value}");
                    map.Set($"{e.Value}", e.Value * 10);
                }

                context.Say(
                    $"{context.Key}: {(value.HasValue ? value.Value : "none")} [{string.Join(' ', list.Items)}] "
                    + string.Join(' ', map.Entries.Select(entry => $"{entry.Key}={entry.Value}")));
            },
        };
        var driver = Start(create);
        foreach (var number in new[] { 3, 2, 1 }) driver.Put("a", number, 0);
        driver.Put("b", 7, 0);
        driver.Read<string>("out");

        driver = new TopologyTestDriver(Topology(create), snapshot: driver.Snapshot());
        driver.Put("a", 0, 0);
        driver.Put("b", 0, 0);
        driver.Put("a", -1, 0);
        driver = new TopologyTestDriver(Topology(create), snapshot: Drain(driver, out var before));
        driver.Put("a", 2, 0);

        Assert.Equal(["a: 6 [i3 i2 i1] 3=30 2=20 1=10", "b: 7 [i7] 7=70", "a: none [] 3=30 1=10"], before);
        Assert.Equal(["a: 2 [i2] 3=30 1=10 2=20"], driver.Said());
    }

    [Fact]
    public void A_value_is_gone_when_its_time_has_passed_and_lives_on_when_it_is_written()
    {
        ValueState<long> value = null!;
        MapState<string, long> map = null!;
        Func<Scripted> create = () => new Scripted
        {
            Opened = states =>
            {
                var options = new StateOptions<long> { TimeToLive = 100.Milliseconds() };
                (value, map) = (states.Value("value", options), states.Map<string, long>("map", options));
            },
            Record = (e, context) =>
            {
                if (e.Value > 0)
                {
                    value.Value = e.Value;
                    map.Set($"{e.Value}", e.Value);
                }

                context.Say($"{value.HasValue} {value.Value} {map.Count} {map.TryGet("1", out _)}");
            },
        };
        var driver = Start(create);
        driver.Put("k", 1, 0);
        driver.AdvanceProcessingTime(60.Milliseconds());
        driver.Put("k", 2, 0);
        driver.AdvanceProcessingTime(60.Milliseconds());
        driver.Put("k", 0, 0);
        driver.AdvanceProcessingTime(40.Milliseconds());
        driver.Put("k", 0, 0);
        var said = driver.Said();
        driver.Snapshot();

        Assert.Equal(["True 1 1 True", "True 2 2 True", "True 2 1 False", "False 0 0 False"], said);
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void A_function_says_to_side_outputs_that_were_named_and_to_no_others()
    {
        var driver = Start(() => new Scripted
        {
            Record = (e, context) =>
            {
                if (e.Value == 1) context.Say(Aside, $"aside {e.Key}");
                else context.Say(new OutputTag<string>("unknown"), "");
            },
        });

        driver.Put("k", 1, 0);
        var refused = Assert.Throws<ArgumentException>(() => driver.Put("k", 2, 0));

        Assert.Equal(["aside k"], driver.Read(Aside).Select(said => said.Value));
        Assert.StartsWith("Side output 'unknown' was not named with the function.", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "State name '' is not")]
    [InlineData("a b", "State name 'a b' is not")]
    [InlineData("twice", "The function has a state 'twice' already.")]
    public void A_state_with_an_impossible_name_is_refused(string name, string message)
    {
        var refused = Assert.Throws<ArgumentException>(() => Start(() => new Scripted
        {
            Opened = states =>
            {
                states.Value<long>("twice");
                states.Map<string, long>(name);
            },
        }));

        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Duplicates_are_left_out_until_their_time_has_passed_also_after_a_restart()
    {
        StreamTopology Define()
        {
            var topology = new StreamTopology("process");
            topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = null })
                .KeyBy(e => e.Key).Deduplicate(100.Milliseconds()).Select(e => $"{e.Key}{e.Value}").To("out");
            return topology;
        }

        var driver = new TopologyTestDriver(Define());
        driver.Put("a", 1, 10);
        driver.Put("b", 2, 20);
        driver.Put("a", 3, 90);
        driver = new TopologyTestDriver(Define(), snapshot: Drain(driver, out var first));
        driver.Watermark(109);
        driver.Put("a", 4, 110);
        driver.Watermark(110);
        driver.Put("a", 5, 120);
        driver.Put("b", 6, 120);

        Assert.Equal(["a1", "b2"], first);
        Assert.Equal(["a5"], driver.Said());
    }

    [Fact]
    public void The_greatest_of_a_key_are_said_with_their_ranks_when_they_take_them()
    {
        var topology = new StreamTopology("process");
        topology.From<Event>("in").KeyBy(e => e.Key).Top(2, (left, right) => left.Value.CompareTo(right.Value))
            .Select(top => $"{top.Key}{top.Rank}={top.Value.Value}").To("out");
        var driver = new TopologyTestDriver(topology);

        foreach (var value in new[] { 5, 3, 4, 3, 9 }) driver.Put("a", value, 0);
        driver.Put("b", 1, 0);

        Assert.Equal(["a1=5", "a2=3", "a2=4", "a1=9", "a2=5", "b1=1"], driver.Said());
    }

    private static byte[] Drain(TopologyTestDriver driver, out string[] said)
    {
        said = driver.Said();
        return driver.Snapshot();
    }

    private static StreamTopology Topology(Func<Scripted> create)
    {
        var topology = new StreamTopology("process");
        topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = null })
            .KeyBy(e => e.Key).Process(create, sides => sides.Add(Aside)).To("out");
        return topology;
    }

    private static TopologyTestDriver Start(Func<Scripted> create) => new(Topology(create));

    private sealed class Scripted : ProcessFunction<string, Event, string>
    {
        public Action<StateDeclarations> Opened { get; init; } = _ => { };

        public Action<Event, ProcessContext<string, string>> Record { get; init; } = (_, _) => { };

        public Action<StreamTimer, ProcessContext<string, string>> Timer { get; init; } = (_, _) => { };

        public override void Open(StateDeclarations states) => Opened(states);

        public override void OnRecord(Event value, ProcessContext<string, string> context) => Record(value, context);

        public override void OnTimer(StreamTimer timer, ProcessContext<string, string> context) => Timer(timer, context);
    }
}

internal static class ProcessCases
{
    public static string[] Said(this TopologyTestDriver driver) => [.. driver.Read<string>("out").Select(said => said.Value)];
}

namespace Millrace.Streams.Tests;

/// <summary>Joins of streams and tables: C12 and what goes with it.</summary>
public sealed class JoinTests
{
    private static readonly OutputTag<Event> LateLeft = new("late-left"), LateRight = new("late-right");

    [Theory]
    [InlineData(-1, 1, false, "1,1 1,2 2,1 2,2 2,3 3,2 3,3 3,4 4,3 4,4")]
    [InlineData(-1, 1, true, "1,1 2,2 3,3 4,4")]
    [InlineData(1, 2, false, "1,2 1,3 2,3 2,4 3,4")]
    [InlineData(1, 3, true, "1,3 2,4")]
    public void C12_Pairs_lie_within_the_bounds_and_have_the_later_time(int lower, int upper, bool isExclusive, string expected)
    {
        var driver = new TopologyTestDriver(Intervals(lower, upper, isExclusive));

        for (var time = 1; time <= 4; time++) Both(driver, time);
        var pairs = driver.Read<string>("out");

        Assert.Equal(expected.Split(' '), pairs.Select(pair => pair.Value).Order(StringComparer.Ordinal));
        Assert.All(pairs, pair => Assert.Equal(pair.Value.Split(',').Max(long.Parse), pair.Timestamp));
    }

    [Fact]
    public void C12_Records_are_kept_until_nothing_can_meet_them_any_more()
    {
        var driver = new TopologyTestDriver(Intervals(-1, 0, false));
        for (var time = 1; time <= 5; time++) Both(driver, time);
        const int number = 1;
        // Each record has a timer that removes it.
        Assert.Equal((2 * (5 + 5)) + number, driver.StateEntries);

        Watermarks(driver, 1);
        var one = driver.StateEntries;
        Watermarks(driver, 4);
        var four = driver.StateEntries;
        Watermarks(driver, 6);

        Assert.Equal((2 * (4 + 5)) + number, one);
        Assert.Equal((2 * (1 + 2)) + number, four);
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C12_What_was_kept_meets_what_comes_after_a_restart()
    {
        var driver = new TopologyTestDriver(Intervals(-1, 1, false));
        for (var time = 1; time <= 3; time++) Both(driver, time);

        driver = new TopologyTestDriver(Intervals(-1, 1, false), snapshot: driver.Snapshot());
        Both(driver, 4);

        Assert.Equal(["3,4", "4,3", "4,4"], driver.Said().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void C12_Within_a_hundred_milliseconds_either_way()
    {
        var driver = new TopologyTestDriver(Intervals(-100, 100, false));
        for (var number = 0; number < 4; number++) driver.Pipe("right", new Event("k", number), 1_000 + number);

        foreach (var (value, time) in new[] { (11, 1_100), (12, 1_101), (13, 1_102), (14, 1_104), (15, 900), (16, 899) })
            driver.Pipe("left", new Event("k", value), time);

        Assert.Equal(
            ["11,0", "11,1", "11,2", "11,3", "12,1", "12,2", "12,3", "13,2", "13,3", "15,0"], driver.Said());
    }

    [Fact]
    public void Late_records_of_a_join_meet_nobody_and_go_to_the_side_of_their_stream()
    {
        var driver = new TopologyTestDriver(Intervals(-10, 10, false));
        Watermarks(driver, 100);

        driver.Pipe("left", new Event("k", 1), 99);
        driver.Pipe("right", new Event("k", 2), 98);
        driver.Pipe("left", new Event("k", 3), 100);
        driver.Pipe("right", new Event("k", 4), 101);

        Assert.Equal(["3,4"], driver.Said());
        Assert.Equal([1L], driver.Read(LateLeft).Select(late => late.Value.Value));
        Assert.Equal([2L], driver.Read(LateRight).Select(late => late.Value.Value));
    }

    [Fact]
    public void A_window_joins_each_with_each_when_it_ends_also_after_a_restart()
    {
        StreamTopology Define()
        {
            var topology = new StreamTopology("join");
            var (left, right) = Sources(topology);
            left.Join(right, Tumbling.Of(10.Milliseconds()), (l, r) => $"{l.Key}: {l.Value},{r.Value}").To("out");
            return topology;
        }

        var driver = new TopologyTestDriver(Define());
        foreach (var (value, time) in new[] { (1, 1), (2, 9), (3, 10) }) driver.Pipe("left", new Event("k", value), time);
        driver.Pipe("left", new Event("other", 9), 5);
        driver = new TopologyTestDriver(Define(), snapshot: driver.Snapshot());
        foreach (var (value, time) in new[] { (7, 0), (8, 2), (9, 11) }) driver.Pipe("right", new Event("k", value), time);
        Watermarks(driver, 8);
        Assert.Empty(driver.Said());
        Watermarks(driver, 19);

        Assert.Equal(["k: 1,7", "k: 1,8", "k: 2,7", "k: 2,8", "k: 3,9"], driver.Said());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void A_stream_meets_the_value_that_its_table_has_at_that_moment()
    {
        var inner = new StreamTopology("join");
        var (stream, table) = Sources(inner);
        stream.JoinTable(table, (l, r) => $"{l.Value},{r.Value}").To("out");
        stream.LeftJoinTable(table, (l, r) => r.Key is null ? $"{l.Value},none" : $"{l.Value},{r.Value}").To("outer");
        var driver = new TopologyTestDriver(inner);

        driver.Pipe("left", new Event("k", 1), 5);
        driver.Pipe("right", new Event("k", 7), 900);
        driver.Pipe("left", new Event("k", 2), 6);
        driver.Pipe("right", new Event("k", 8), 1);
        driver.Pipe("left", new Event("k", 3), 7);
        driver.Pipe("left", new Event("other", 4), 7);

        Assert.Equal(["2,7", "3,8"], driver.Said());
        Assert.Equal(["1,none", "2,7", "3,8", "4,none"], driver.Read<string>("outer").Select(said => said.Value));
    }

    [Fact]
    public void Two_tables_are_joined_whenever_one_of_them_changes_also_after_a_restart()
    {
        StreamTopology Define()
        {
            var topology = new StreamTopology("join");
            var (left, right) = Sources(topology);
            left.JoinTables(right, (l, r) => $"{l.Value},{r.Value}").To("out");
            return topology;
        }

        var driver = new TopologyTestDriver(Define());
        driver.Pipe("left", new Event("k", 1), 5);
        driver.Pipe("right", new Event("k", 7), 5);
        var first = driver.Said();
        driver = new TopologyTestDriver(Define(), snapshot: driver.Snapshot());
        driver.Pipe("left", new Event("k", 2), 5);
        driver.Pipe("right", new Event("k", 8), 5);
        driver.Pipe("right", new Event("other", 9), 5);

        Assert.Equal(["1,7"], first);
        Assert.Equal(["2,7", "2,8"], driver.Said());
    }

    [Fact]
    public void An_interval_whose_bounds_are_the_wrong_way_round_is_refused()
    {
        var refused = Assert.Throws<ArgumentOutOfRangeException>(() => Interval.Between(2.Seconds(), 1.Seconds()));

        Assert.StartsWith("An interval's upper bound is not below its lower one, 00:00:02.", refused.Message, StringComparison.Ordinal);
    }

    private static void Both(TopologyTestDriver driver, long time)
    {
        driver.Pipe("left", new Event("k", time), time);
        driver.Pipe("right", new Event("k", time), time);
    }

    private static void Watermarks(TopologyTestDriver driver, long watermark)
    {
        driver.Watermark("left", watermark);
        driver.Watermark("right", watermark);
    }

    private static StreamTopology Intervals(int lower, int upper, bool isExclusive)
    {
        var topology = new StreamTopology("join");
        var (left, right) = Sources(topology);
        var interval = Interval.Between(lower.Milliseconds(), upper.Milliseconds());
        if (isExclusive) interval = interval.ExcludingLower().ExcludingUpper();
        left.IntervalJoin(
            right, interval, (l, r) => $"{l.Value},{r.Value}", new JoinOptions<Event, Event> { LateLeft = LateLeft, LateRight = LateRight }).To("out");
        return topology;
    }

    private static (KeyedStream<string, Event> Left, KeyedStream<string, Event> Right) Sources(StreamTopology topology)
    {
        var options = new SourceOptions<Event> { OutOfOrderness = null };
        return (topology.From("left", options).KeyBy(e => e.Key), topology.From("right", options).KeyBy(e => e.Key));
    }
}

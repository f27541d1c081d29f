namespace Millrace.Streams.Tests;

/// <summary>Windows that slide over a key's records: C11, and against plain lists.</summary>
public sealed class SlidingTests
{
    private const int Seeds = 300, Records = 60;

    /// <summary>Of state in memory: none; the last used of it.</summary>
    private static readonly long?[] Limits = [0, 300];

    private static readonly OutputTag<Event> Late = new("late");

    [Fact]
    public void C11_Final_results_are_those_of_each_combination_of_records_that_fit_together()
    {
        var driver = Start(Trigger.OnClose);

        Pipe(driver, (1, 10), (2, 10), (3, 14), (4, 15), (5, 20), (6, 22), (7, 30));
        var finals = Results(driver);
        var waits = driver.Operators[1].WaitsFor;
        driver.Watermark(long.MaxValue);

        Assert.Equal(
            ["[0, 11) +1+2", "[4, 15) +1+2+3", "[5, 16) +1+2+3+4", "[10, 21) +1+2+3+4+5", "[11, 22) +3+4+5", "[12, 23) +3+4+5+6"], finals);
        Assert.Equal(30, waits);
        Assert.Equal(["[15, 26) +4+5+6", "[16, 27) +5+6", "[20, 31) +5+6+7", "[21, 32) +6+7", "[23, 34) +7"], Results(driver));
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void A_record_is_said_with_every_window_that_it_changes_or_makes_when_updates_are_wanted()
    {
        var driver = Start(Trigger.OnUpdate);

        Pipe(driver, (1, 10));
        var first = Results(driver);
        Pipe(driver, (2, 14));
        var second = Results(driver);
        Pipe(driver, (3, 12));

        Assert.Equal(["[0, 11) +1"], first);
        Assert.Equal(["[4, 15) +1+2", "[11, 22) +2"], second);
        Assert.Equal(["[2, 13) +1+3", "[4, 15) +1+3+2", "[11, 22) +3+2", "[13, 24) +2"], Results(driver));
    }

    [Fact]
    public void A_late_record_is_said_at_once_with_the_windows_that_have_ended_and_are_still_open()
    {
        var driver = Start(Trigger.OnTime);
        Pipe(driver, (1, 10), (2, 14));
        driver.Watermark(16);
        var onTime = Results(driver);

        Pipe(driver, (3, 12));
        var late = Results(driver);
        driver.Watermark(40);

        Assert.Equal(["[0, 11) +1", "[4, 15) +1+2"], onTime);
        Assert.Equal(["[2, 13) +1+3", "[4, 15) +1+3+2"], late);
        Assert.Equal(["[11, 22) +3+2", "[13, 24) +2"], Results(driver));
    }

    [Fact]
    public void An_aggregate_that_changes_what_it_merges_does_not_change_other_windows()
    {
        var topology = new StreamTopology("sliding");
        topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = null }).KeyBy(e => e.Key)
            .Window(Sliding.Of(10.Milliseconds())).Aggregate(new Changing()).To("out");
        var driver = new TopologyTestDriver(topology);

        Pipe(driver, (1, 10), (2, 14), (3, 18), (4, 22));
        driver.Watermark(long.MaxValue);

        Assert.Equal(
            ["1", "1,2", "1,2,3", "2,3", "2,3,4", "3,4", "4"],
            driver.Read<Windowed<string, string>>("out").OrderBy(r => r.Value.Window.Start).Select(r => r.Value.Value).Distinct());
    }

    [Fact]
    public void Results_are_those_of_a_recomputation_whatever_comes_and_whenever_it_restarts()
    {
        var (results, late) = (0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var random = new Random(seed);
            var (difference, lateness) = (random.Next(0, 15), random.Next(0, 12));
            var inputs = new List<(string Key, long Value, long Time)>();
            var now = -30L;
            for (var number = 0; number < Records; number++)
            {
                now += random.Next(0, 5);
                inputs.Add(($"k{random.Next(3)}", number, now - random.Next(random.Next(1, 40))));
            }

            inputs.Add(("end", 0, 10_000));
            var expected = Recompute(inputs, difference, lateness, isByKey: false);
            var byKey = Recompute(inputs, difference, lateness, isByKey: true);
            foreach (var restartsEvery in new[] { 0, 1, 4 })
            {
                Compare(expected, inputs, _ => null, "no limit");
                foreach (var limit in Limits) Compare(byKey, inputs, _ => limit, $"limit {limit}");
                if (restartsEvery > 0) Compare(expected, inputs, start => start % 2 == seed % 2 ? null : Limits[start / 2 % 2], "changing limits");

                void Compare(List<string> wanted, List<(string Key, long Value, long Time)> given, Func<int, long?> limitOf, string limits)
                {
                    var actual = Run(given, difference, lateness, restartsEvery, limitOf);
                    var isEqual = limits.StartsWith("changing", StringComparison.Ordinal)
                        ? wanted.Order(StringComparer.Ordinal).SequenceEqual(actual.Order(StringComparer.Ordinal))
                        : wanted.SequenceEqual(actual);
                    Assert.True(isEqual, $"Seed {seed}, difference {difference}, lateness {lateness}, restarts {restartsEvery}, {limits}:\n"
                        + $"expected {string.Join("; ", wanted)}\nactual   {string.Join("; ", actual)}");
                }
            }

            results += expected.Count;
            late += expected.Count(line => line.StartsWith("late", StringComparison.Ordinal));
        }

        Assert.True(results > 10_000 && late > 300, $"{results} results, {late} late prove too little.");
    }

    [Fact]
    public void What_sliding_windows_cannot_do_is_refused()
    {
        var windowed = new StreamTopology("t").From<Event>("in").KeyBy(e => e.Key).Window(Sliding.Of(0.Seconds()));

        Assert.Throws<ArgumentOutOfRangeException>("difference", () => Sliding.Of((-1).Milliseconds()));
        Assert.Throws<InvalidOperationException>(() => windowed.TriggeredBy(Trigger.Count(2)));
        Assert.Throws<InvalidOperationException>(() => windowed.Retracting());
        Assert.Equal("sliding 5 ms", Sliding.Of(5.Milliseconds()).ToString());
    }

    private static TopologyTestDriver Start(Trigger trigger)
    {
        var topology = new StreamTopology("sliding");
        topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = trigger == Trigger.OnClose ? TimeSpan.Zero : null })
            .KeyBy(e => e.Key).Window(Sliding.Of(10.Milliseconds())).AllowedLateness(5.Milliseconds())
            .TriggeredBy(trigger).Aggregate(new Listing()).To("out");
        return new TopologyTestDriver(topology);
    }

    private static void Pipe(TopologyTestDriver driver, params (long Value, long Time)[] records)
    {
        foreach (var (value, time) in records) driver.Pipe("in", new Event("A", value), time);
    }

    private static string[] Results(TopologyTestDriver driver) =>
        [.. driver.Read<Windowed<string, string>>("out").Select(r => $"{r.Value.Window} {r.Value.Value}")];

    private static List<string> Run(
        List<(string Key, long Value, long Time)> inputs, int difference, int lateness, int restartsEvery, Func<int, long?> limitOf)
    {
        var starts = 0;
        var driver = new TopologyTestDriver(Define());
        var lines = new List<string>();
        for (var i = 0; i < inputs.Count; i++)
        {
            if (restartsEvery > 0 && i % restartsEvery == 0) driver = new TopologyTestDriver(Define(), 1, driver.Snapshot());
            driver.Pipe("in", new Event(inputs[i].Key, inputs[i].Value), inputs[i].Time);
            lines.AddRange(driver.Read(Late).Select(one => $"late {one.Value.Value}"));
            lines.AddRange(driver.Read<Windowed<string, string>>("out").Select(r => $"{r.Value.Key} {r.Value.Window} {r.Value.Value}"));
        }

        return lines;

        StreamTopology Define()
        {
            var topology = new StreamTopology("sliding") { StateBytesMax = limitOf(starts++) };
            topology.From<Event>("in").KeyBy(e => e.Key).Window(Sliding.Of(difference.Milliseconds()))
                .AllowedLateness(lateness.Milliseconds()).LateTo(Late).TriggeredBy(Trigger.OnClose).Aggregate(new Listing()).To("out");
            return topology;
        }
    }

    /// <summary>By the definition: all windows that the records kept make, those that close now in order of their end, and then of their first
    /// record or by key.</summary>
    private static List<string> Recompute(List<(string Key, long Value, long Time)> inputs, int difference, int lateness, bool isByKey)
    {
        var lines = new List<string>();
        var kept = new List<(string Key, long Value, long Time)>();
        var (watermark, greatest) = (long.MinValue, long.MinValue);
        foreach (var input in inputs)
        {
            if (watermark != long.MinValue && input.Time + difference + lateness <= watermark) lines.Add($"late {input.Value}");
            else kept.Add(input);
            greatest = Math.Max(greatest, input.Time);
            var (before, after) = (watermark, greatest - 1);
            watermark = after;
            var starts = kept.SelectMany((one, number) => new[]
            {
                (one.Key, Start: one.Time - difference, Number: kept.FindIndex(r => r.Key == one.Key && r.Time == one.Time)),
                (one.Key, Start: one.Time + 1, Number: kept.FindIndex(r => r.Key == one.Key && r.Time == one.Time)),
            });
            lines.AddRange(starts.GroupBy(window => (window.Key, window.Start))
                .Select(group => (group.Key.Key, group.Key.Start, Close: group.Key.Start + difference + lateness, Number: group.Min(g => g.Number)))
                .Where(window => window.Close <= after && (before == long.MinValue || window.Close > before))
                .OrderBy(window => window.Close).ThenBy(window => isByKey ? window.Key : "", StringComparer.Ordinal)
                .ThenBy(window => isByKey ? 0 : window.Number).ThenBy(window => window.Start)
                .Select(window => (window.Key, window.Start, Held: kept.Where(r =>
                    r.Key == window.Key && r.Time >= window.Start && r.Time <= window.Start + difference).OrderBy(r => r.Time).ToList()))
                .Where(window => window.Held.Count > 0)
                .Select(window => $"{window.Key} [{window.Start}, {window.Start + difference + 1}) {string.Concat(window.Held.Select(r => $"+{r.Value}"))}"));
        }

        return lines;
    }

    /// <summary>Numbers in a list, which a merge changes and returns.</summary>
    private sealed class Changing : IAggregate<Event, List<long>, string>
    {
        public List<long> Create() => [];

        public List<long> Add(List<long> accumulator, Event value)
        {
            accumulator.Add(value.Value);
            return accumulator;
        }

        public List<long> Merge(List<long> left, List<long> right)
        {
            left.AddRange(right);
            return left;
        }

        public string Result(List<long> accumulator) => string.Join(',', accumulator);
    }
}

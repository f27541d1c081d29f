using System.Globalization;

namespace Millrace.Streams.Tests;

/// <summary>More state than one page of a store, and limits: what is in memory, and that nothing of the rest is missed.</summary>
public sealed class StateLimitTests
{
    private const int Keys = 2_500;

    [Theory]
    [InlineData(0)]
    [InlineData(20_000)]
    public void Windows_states_and_timers_of_many_keys_say_what_they_do_in_memory(long limit)
    {
        var expected = Run(null, out _);
        var seen = Run(limit, out var largest);

        Assert.Equal((6 * Keys) + (Keys / 2), expected.Count);
        Assert.Equal(expected, seen);
        Assert.True(largest <= limit, $"{largest} bytes were in memory.");
    }

    [Fact]
    public void What_has_ended_is_swept_out_of_the_store_and_of_memory()
    {
        var topology = new StreamTopology("living") { StateBytesMax = 5_000 };
        topology.From<Event>("in").KeyBy(e => e.Key).Process(() => new Living()).To("out");
        var driver = new TopologyTestDriver(topology);
        for (var i = 0; i < 400; i++) driver.Pipe("in", new Event($"k{i}", i), i);
        var before = driver.StateEntries;

        driver.AdvanceProcessingTime(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 20; i++) driver.Pipe("in", new Event("k0", 0), 1_000 + i);

        var after = driver.StateEntries;
        driver.Pipe("in", new Event("k399", 0), 2_000);

        Assert.Equal((800, 2, 4), (before, after, driver.StateEntries));
        Assert.True(driver.SavedEntries < 20, $"The store has {driver.SavedEntries} entries.");
    }

    [Fact]
    public void A_limit_is_between_its_bounds()
    {
        var topology = new StreamTopology("t");

        var failure = Assert.Throws<ArgumentOutOfRangeException>(() => topology.StateBytesMax = -1);

        Assert.Contains("StateBytesMax is 0 to 1 TiB", failure.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => topology.StateBytesMax = (1L << 40) + 1);
        topology.StateBytesMax = 1L << 40;
        topology.StateBytesMax = null;
    }

    private static List<string> Run(long? limit, out long largest)
    {
        var topology = new StreamTopology("many") { StateBytesMax = limit };
        var keyed = topology.From<Event>("in", new SourceOptions<Event> { IdleAfter = null }).KeyBy(e => e.Key);
        keyed.Window(Tumbling.Of(1.Hours())).Sum(e => e.Value).To("sums");
        keyed.Window(Session.WithGap(30.Minutes())).Count().To("sessions");
        keyed.Window(Sliding.Of(20.Minutes())).AllowedLateness(2.Minutes()).Sum(e => e.Value).To("slides");
        keyed.Process(() => new Late()).To("timers");
        var driver = new TopologyTestDriver(topology);
        var random = new Random(3);
        var order = Enumerable.Range(0, Keys).ToArray();
        largest = 0;
        for (var round = 0; round < 2; round++)
        {
            random.Shuffle(order);
            for (var i = 0; i < Keys; i++)
            {
                driver.Pipe("in", new Event($"k{order[i]}", round + 1), (round * 10 * 60_000) + random.Next(60_000));
                if (i % 50 == 0) largest = Math.Max(largest, driver.Operators.Sum(one => one.StateBytesInMemory));
            }
        }

        driver.Watermark("in", 10 * 3_600_000L);
        return
        [
            .. driver.Read<Windowed<string, long>>("sums").Select(r => $"sum {r.Value.Key} {r.Value.Value} {r.Timestamp}")
                .Concat(driver.Read<Windowed<string, long>>("sessions").Select(r => $"session {r.Value.Key} {r.Value.Value} {r.Timestamp}"))
                .Concat(driver.Read<Windowed<string, long>>("slides").Select(r => $"slide {r.Value.Key} {r.Value.Value} {r.Timestamp}"))
                .Concat(driver.Read<string>("timers").Select(r => $"{r.Value} {r.Timestamp}")).Order(StringComparer.Ordinal),
        ];
    }

    /// <summary>A timer per key, taken back for half of the keys, and one that is in time before those that were set earlier.</summary>
    private sealed class Late : ProcessFunction<string, Event, string>
    {
        private ValueState<long> _sum = null!;
        private MapState<long, long> _rounds = null!;

        public override void Open(StateDeclarations states) =>
            (_sum, _rounds) = (states.Value<long>("sum"), states.Map<long, long>("rounds"));

        public override void OnRecord(Event value, ProcessContext<string, string> context)
        {
            var number = int.Parse(context.Key[1..], CultureInfo.InvariantCulture);
            _sum.Value += value.Value;
            _rounds.Set(value.Value, context.Timestamp);
            if (value.Value == 1)
            {
                context.SetTimer(TimerKind.EventTime, "end", 7_200_000 - number);
                if (number % 2 == 0) context.SetTimer(TimerKind.EventTime, "again", 9_000_000 + number);
            }
            else if (number % 2 == 1)
            {
                context.CancelTimer(TimerKind.EventTime, "end", 7_200_000 - number);
                context.SetTimer(TimerKind.EventTime, "end", 7_200_000 - number - Keys);
            }
        }

        public override void OnTimer(StreamTimer timer, ProcessContext<string, string> context)
        {
            context.Say($"{context.Key} {timer.Name} {_sum.Value} {string.Join(',', _rounds.Entries.Select(entry => entry.Key))}");
            if (timer.Name != "again") return;
            _sum.Clear();
            _rounds.Clear();
        }
    }

    private sealed class Living : ProcessFunction<string, Event, string>
    {
        private ValueState<long> _value = null!;
        private MapState<string, long> _map = null!;

        public override void Open(StateDeclarations states)
        {
            _value = states.Value("value", new StateOptions<long> { TimeToLive = 5.Seconds() });
            _map = states.Map<string, long>("map", new StateOptions<long> { TimeToLive = 5.Seconds() });
        }

        public override void OnRecord(Event value, ProcessContext<string, string> context)
        {
            _value.Value = value.Value;
            _map.Set("one", value.Value);
        }
    }
}

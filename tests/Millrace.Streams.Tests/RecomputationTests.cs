namespace Millrace.Streams.Tests;

/// <summary>
/// Windows over random input, with late, duplicate and out-of-order records and restarts, against plain lists that are looked through anew
/// for each record.
/// </summary>
public sealed class RecomputationTests
{
    private const int Seeds = 500, Records = 80;

    private static readonly OutputTag<Event> Late = new("late");

    [Fact]
    public void Results_are_those_of_a_recomputation_whatever_comes_and_whenever_it_restarts()
    {
        var (results, late, restarts) = (0, 0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var plan = Plan.Draw(new Random(seed));
            var expected = plan.Recompute();

            var straight = plan.Run(_ => false);
            var random = new Random(seed + 10_000);
            var restarted = plan.Run(_ =>
            {
                var isNow = random.Next(6) == 0;
                restarts += isNow ? 1 : 0;
                return isNow;
            });

            Assert.True(expected.Results.SequenceEqual(straight.Results), Tell(seed, plan, expected.Results, straight.Results));
            Assert.True(expected.Late.SequenceEqual(straight.Late), Tell(seed, plan, expected.Late, straight.Late));
            Assert.True(straight.Results.SequenceEqual(restarted.Results), Tell(seed, plan, straight.Results, restarted.Results));
            Assert.True(straight.Late.SequenceEqual(restarted.Late), Tell(seed, plan, straight.Late, restarted.Late));
            results += expected.Results.Count;
            late += expected.Late.Count;
        }

        Assert.True(results > 10_000 && late > 500 && restarts > 5_000, $"{results} results, {late} late, {restarts} restarts prove too little.");
    }

    [Fact]
    public void Results_are_those_of_a_recomputation_whatever_part_of_the_state_is_in_memory_after_each_restart()
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var plan = Plan.Draw(new Random(seed));
            var expected = plan.Recompute();
            var random = new Random(seed + 20_000);

            var got = plan.Run(_ => random.Next(6) == 0, () => random.Next(3) switch { 0 => null, 1 => 0, _ => 300 });

            // Within a window the order is that of keys where there is a limit.
            var (results, seen) = (expected.Results.Order(StringComparer.Ordinal), got.Results.Order(StringComparer.Ordinal));
            Assert.True(results.SequenceEqual(seen), Tell(seed, plan, results, seen));
            Assert.True(expected.Late.SequenceEqual(got.Late), Tell(seed, plan, expected.Late, got.Late));
        }
    }

    private static string Tell(int seed, Plan plan, IEnumerable<string> expected, IEnumerable<string> actual) =>
        $"Seed {seed}, {plan.Windows}, lateness {plan.Lateness}:\nexpected {string.Join("; ", expected)}\nactual   {string.Join("; ", actual)}";

    private sealed record Input(int Partition, string Key, long Value, long Time);

    private sealed record Outcome(List<string> Results, List<string> Late);

    private sealed record Plan(WindowAssigner Windows, long Size, long Slide, long Gap, long Lateness, long Bound, int Partitions, List<Input> Inputs)
    {
        public static Plan Draw(Random random)
        {
            var (size, slide, gap) = (10L * random.Next(1, 6), 10L * random.Next(1, 4), 0L);
            WindowAssigner windows;
            switch (random.Next(3))
            {
                case 0:
                    slide = size;
                    windows = Tumbling.Of(TimeSpan.FromMilliseconds(size));
                    break;
                case 1:
                    windows = Hopping.Of(TimeSpan.FromMilliseconds(size), TimeSpan.FromMilliseconds(slide));
                    break;
                default:
                    gap = random.Next(1, 25);
                    windows = Session.WithGap(TimeSpan.FromMilliseconds(gap));
                    break;
            }

            var partitions = random.Next(1, 4);
            var inputs = new List<Input>();
            var now = -50L;
            for (var number = 0; number < Records; number++)
            {
                now += random.Next(0, 8);
                var one = new Input(random.Next(partitions), $"k{random.Next(3)}", number, now - random.Next(random.Next(1, 60)));
                inputs.Add(one);
                if (random.Next(10) == 0) inputs.Add(one);
            }

            for (var partition = 0; partition < partitions; partition++) inputs.Add(new Input(partition, "end", 0, 100_000));
            return new Plan(windows, size, slide, gap, 10L * random.Next(0, 4), random.Next(0, 30), partitions, inputs);
        }

        public Outcome Run(Func<int, bool> restarts, Func<long?>? limit = null)
        {
            var outcome = new Outcome([], []);
            var driver = new TopologyTestDriver(Topology(limit), Partitions);
            for (var i = 0; i < Inputs.Count; i++)
            {
                if (restarts(i)) driver = new TopologyTestDriver(Topology(limit), Partitions, driver.Snapshot());
                var (partition, key, value, time) = Inputs[i];
                driver.Pipe("in", new Event(key, value), time, partition);
                outcome.Results.AddRange(driver.Read<Windowed<string, string>>("out")
                    .Select(r => $"{r.Value.Key} {r.Value.Window} {r.Value.Value}"));
                outcome.Late.AddRange(driver.Read(Late).Select(l => $"{l.Value.Key} {l.Value.Value}"));
            }

            return outcome;
        }

        public Outcome Recompute()
        {
            var outcome = new Outcome([], []);
            var greatest = Enumerable.Repeat(long.MinValue, Partitions).ToArray();
            var open = new List<Pane>();
            var watermark = long.MinValue;
            foreach (var input in Inputs)
            {
                if (!(Gap > 0 ? TakeInSession(open, input, watermark) : TakeInPlaces(open, input, watermark)))
                    outcome.Late.Add($"{input.Key} {input.Value}");

                greatest[input.Partition] = Math.Max(greatest[input.Partition], input.Time);
                watermark = greatest.Min() == long.MinValue ? long.MinValue : greatest.Min() - Bound - 1;
                foreach (var closed in open.Where(pane => pane.End - 1 + Lateness <= watermark)
                    .OrderBy(pane => pane.End).ThenBy(pane => Gap > 0 ? 0 : pane.Start).ThenBy(pane => pane.Number).ToList())
                {
                    outcome.Results.Add($"{closed.Key} [{closed.Start}, {closed.End}) {string.Concat(closed.Values.Select(v => $"+{v}"))}");
                    open.Remove(closed);
                }
            }

            return outcome;
        }

        private StreamTopology Topology(Func<long?>? limit)
        {
            var topology = new StreamTopology("windows") { StateBytesMax = limit?.Invoke() };
            topology.From<Event>("in", new SourceOptions<Event> { OutOfOrderness = TimeSpan.FromMilliseconds(Bound) })
                .KeyBy(e => e.Key).Window(Windows).AllowedLateness(TimeSpan.FromMilliseconds(Lateness)).LateTo(Late)
                .TriggeredBy(Trigger.OnClose).Aggregate(new Listing()).To("out");
            return topology;
        }

        private int _number;

        private bool TakeInPlaces(List<Pane> open, Input input, long watermark)
        {
            var isIn = false;
            var isAny = false;
            var first = (long)Math.Floor((double)(input.Time - Size) / Slide) * Slide;
            for (var start = first; start <= input.Time; start += Slide)
            {
                if (input.Time < start || input.Time >= start + Size) continue;
                isAny = true;
                if (start + Size - 1 + Lateness <= watermark) continue;
                isIn = true;
                var pane = open.Find(p => p.Key == input.Key && p.Start == start);
                if (pane is null) open.Add(pane = new Pane(input.Key, _number++) { Start = start, End = start + Size });
                pane.Values.Add(input.Value);
            }

            return isIn || !isAny;
        }

        private bool TakeInSession(List<Pane> open, Input input, long watermark)
        {
            var touched = open.Where(p => p.Key == input.Key && p.Start <= input.Time + Gap && p.End >= input.Time)
                .OrderBy(p => p.Start).ToList();
            if (touched.Count == 0)
            {
                if (input.Time + Gap - 1 + Lateness <= watermark) return false;
                open.Add(new Pane(input.Key, _number++) { Start = input.Time, End = input.Time + Gap, Values = { input.Value } });
                return true;
            }

            var kept = touched[0];
            foreach (var other in touched.Skip(1))
            {
                kept.Values.AddRange(other.Values);
                kept.End = Math.Max(kept.End, other.End);
                open.Remove(other);
            }

            kept.Start = Math.Min(kept.Start, input.Time);
            kept.End = Math.Max(kept.End, input.Time + Gap);
            kept.Values.Add(input.Value);
            return true;
        }
    }

    private sealed class Pane(string key, int number)
    {
        public string Key => key;

        public int Number => number;

        public long Start { get; set; }

        public long End { get; set; }

        public List<long> Values { get; } = [];
    }
}

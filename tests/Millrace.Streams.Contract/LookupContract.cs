using System.Collections.Concurrent;
using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>What lookups promise on a runtime, and what happens when the outside world stands still: C18.</summary>
public abstract class LookupContract
{
    private static readonly OutputOptions<string> ByText = new() { Key = text => text.Split(' ')[0] };

    /// <summary>Every so-manieth lookup is one that a crash comes at.</summary>
    protected virtual int CrashStep => 3;

    /// <summary>An engine for a test.</summary>
    protected abstract EngineHost CreateHost();

    [Fact]
    public async Task C18_A_world_that_stands_still_for_a_minute_holds_up_reading_loses_nothing_and_shows_as_lag()
    {
        const int records = 4_000, capacity = 10, fetchBytes = 2_048;
        await using var rig = await OpenAsync(2, "in", "out");
        for (var partition = 0; partition < 2; partition++)
        {
            for (var first = 0; first < records; first += 20)
            {
                await rig.AppendAsync(
                    "in", partition, [.. Enumerable.Range(first, 20).Select(i => ($"p{partition}", (long)i, 1_000L + i))]);
            }
        }

        var (read, underWay, most) = (0, 0, 0);
        var (stopped, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var topology = rig.Topology();
        topology.From<Reading>(rig.Name("in"))
            .Where(_ => Interlocked.Increment(ref read) > 0)
            .Lookup(async (reading, cancellation) =>
            {
                var now = Interlocked.Increment(ref underWay);
                InterlockedMax(ref most, now);
                if (now == 2 * capacity) stopped.TrySetResult();
                await goOn.Task.WaitAsync(cancellation);
                Interlocked.Decrement(ref underWay);
                return $"{reading.Key} {reading.Value}";
            }, new LookupOptions { Capacity = capacity, Timeout = 10.Minutes() })
            .To(rig.Name("out"), ByText);
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running, options => options with { FetchBytesMax = fetchBytes });
        await stopped.Task.WaitAsync(rig.Cancellation);

        rig.Time.Advance(TimeSpan.FromSeconds(60));
        var (readMeanwhile, lags, said) = (read, await rig.Engine.DescribeLagAsync(rig.Name("topology"), rig.Cancellation), await rig.ValuesAsync("out"));
        goOn.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Empty(said);
        Assert.True(lags.Sum(lag => lag.Lag) >= 2 * records, "Kafka counts the ends of transactions as well.");
        // One fetch of each partition is in memory, and a fetch has at least one batch: of 20 records here.
        Assert.True(readMeanwhile <= 2 * Math.Max(20, fetchBytes / 20), $"{readMeanwhile} records were read while the world stood still.");
        Assert.Equal(2 * capacity, most);
        var got = await rig.ReadAsync("out");
        for (var partition = 0; partition < 2; partition++)
        {
            var expected = Enumerable.Range(0, records).Select(i => $"p{partition} {i}");
            Assert.Equal(expected, got.SelectMany(seen => seen).Select(seen => seen.Value).Where(value => value.StartsWith($"p{partition} ", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task A_crash_at_any_lookup_leads_to_the_outputs_of_a_run_without_one_in_their_order()
    {
        const int records = 24;
        await using var rig = await OpenAsync(1, "in");
        // One batch, so that every fetch has both of a pair.
        await rig.AppendAsync("in", 0, [.. Enumerable.Range(0, records).Select(i => ($"k{i % 3}", (long)i, 1_000L + 100 * i))]);
        for (var crash = 1; crash <= records; crash += CrashStep)
        {
            var (at, seen) = (crash, 0);
            await rig.Engine.EnsureTopicAsync(new TopicSpecification { Name = rig.Name($"out-{crash}"), Partitions = 1 }, rig.Cancellation);
            var topology = rig.Topology($"crash-{crash}");
            var answers = new ConcurrentDictionary<long, TaskCompletionSource>();
            topology.From<Reading>(rig.Name("in")).Lookup(async (reading, cancellation) =>
            {
                // Pairs of answers come in the wrong order.
                var (own, other) = (answers.GetOrAdd(reading.Value, _ => new()), answers.GetOrAdd(reading.Value ^ 1, _ => new()));
                if (reading.Value % 2 == 0) await other.Task.WaitAsync(cancellation);
                own.TrySetResult();
                if (Interlocked.Increment(ref seen) == at) throw new OperationCanceledException("The process ends here.");
                return $"{reading.Key} {reading.Value}";
            }, new LookupOptions { AttemptsMax = 1, Capacity = 6, Timeout = 1.Hours() }).To(rig.Name($"out-{crash}"), ByText);
            using var running = new RunningTopology(topology);
            await using var runtime = await rig.StartAsync(running, options => options with
            {
                Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1), CommitRecordsMax = 3,
            });
            await runtime.WaitUntilIdleAsync(rig.Cancellation);

            Assert.True(seen > records, $"The crash at lookup {crash} did not happen.");
            Assert.Equal(Enumerable.Range(0, records).Select(i => $"k{i % 3} {i}"), (await rig.ReadAsync($"out-{crash}"))[0].Select(one => one.Value));
        }
    }

    [Fact]
    public async Task Records_whose_lookups_fail_become_dead_letters_with_one_restart_and_the_others_go_on_in_order()
    {
        await using var rig = await OpenAsync(1, "in", "out", "sums");
        await rig.AppendAsync("in", 0, [.. Enumerable.Range(0, 20).Select(i => ("k", (long)i, 1_000L + 100 * i))]);
        var topology = rig.Topology();
        var readings = topology.From<Reading>(rig.Name("in"));
        readings.KeyBy(reading => reading.Key).Window(Tumbling.Of(1.Hours())).TriggeredBy(Trigger.OnUpdate).Count()
            .Select(count => $"{count.Value}").To(rig.Name("sums"), ByText);
        readings.Lookup(
            (reading, _) => reading.Value % 7 == 3 ? throw new InvalidOperationException("There is no such thing.") : ValueTask.FromResult($"k {reading.Value}"),
            new LookupOptions { OnFailure = LookupFailure.DeadLetter, AttemptsMax = 2, RetryPause = TimeSpan.Zero })
            .To(rig.Name("out"), ByText);
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running, options => options with
        {
            Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1),
        });
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(
            Enumerable.Range(0, 20).Where(i => i % 7 != 3).Select(i => $"k {i}"), (await rig.ReadAsync("out"))[0].Select(one => one.Value));
        var dead = (await rig.ReadAsync($"in{DeadLetters.TopicSuffix}"))[0];
        Assert.Equal([3, 10, 17], dead.Select(one => int.Parse(one.Headers[DeadLetters.Offset], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.All(dead, one => Assert.Contains("There is no such thing.", one.Headers[DeadLetters.Reason], StringComparison.Ordinal));
        // Nothing of them is left: neither in the count, nor twice.
        Assert.Equal(Enumerable.Range(1, 17).Select(i => $"{i}"), (await rig.ReadAsync("sums"))[0].Select(one => one.Value));
        Assert.Equal(1, runtime.Statuses[0].Partitions[0].Restarts);
    }

    [Fact]
    public async Task A_record_that_another_branch_cannot_work_on_is_a_dead_letter_and_its_answer_is_not_said()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", 0, ("k", 1, 1_000), ("k", 5, 1_100), ("k", 2, 1_200));
        var topology = rig.Topology();
        var readings = topology.From<Reading>(rig.Name("in"));
        readings.Lookup((reading, _) => ValueTask.FromResult($"k {reading.Value}")).To(rig.Name("out"), ByText);
        readings.Where(reading => reading.Value == 5 ? throw new InvalidOperationException("Five is refused.") : false);
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running, options => options with
        {
            Time = TimeProvider.System, RestartBackoffMin = TimeSpan.FromMilliseconds(1),
        });
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["k 1", "k 2"], (await rig.ReadAsync("out"))[0].Select(one => one.Value));
        Assert.Single(await rig.ValuesAsync($"in{DeadLetters.TopicSuffix}"));
    }

    [Fact]
    public async Task A_lookup_that_fails_restarts_its_partition_until_the_world_is_back_and_nothing_is_left_out()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", 0, [.. Enumerable.Range(0, 10).Select(i => ("k", (long)i, 1_000L + 100 * i))]);
        var isAway = true;
        var topology = rig.Topology();
        topology.From<Reading>(rig.Name("in")).Lookup((reading, _) => isAway && reading.Value == 5
            ? throw new InvalidOperationException("The world is away.")
            : ValueTask.FromResult($"k {reading.Value}"), new LookupOptions { AttemptsMax = 1 }).To(rig.Name("out"), ByText);
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        var failure = runtime.Statuses[0].Failure;
        isAway = false;
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Contains("The lookup of operator '1: lookup 100 at a time' failed in 1 attempts: The world is away.", failure, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"k {i}"), (await rig.ReadAsync("out"))[0].Select(one => one.Value));
        Assert.Empty(await rig.ValuesAsync($"in{DeadLetters.TopicSuffix}"));
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
        {
            if (Interlocked.CompareExchange(ref most, value, seen) == seen) return;
        }
    }

    private async Task<StreamsRig> OpenAsync(int partitions, params string[] topics)
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(5));
        return await StreamsRig.OpenAsync(CreateHost(), partitions, topics, deadline.Token);
    }
}

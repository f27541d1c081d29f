using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>Durable timers.</summary>
public sealed class TimerTests
{
    [Fact]
    public async Task Timers_fire_in_the_order_of_time_then_name_then_key()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await using var runtime = await rig.StartAsync(Timers());

        await rig.AppendAsync("in", 0, "k2=set b 5", "k1=set b 5", "k9=set a 5", "k1=set z 4", "k1=set c 60");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["z k1", "a k9", "b k1", "b k2"], await rig.ReadAsync("out", 0));
        Assert.Equal(1, runtime.Statuses[0].Partitions[0].Timers);
    }

    [Fact]
    public async Task A_timer_set_again_is_replaced_and_a_cancelled_one_does_not_fire()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await using var runtime = await rig.StartAsync(Timers());

        await rig.AppendAsync("in", 0, "k=set moved 5", "k=set gone 5", "k=set moved 20", "k=cancel gone 0", "k=cancel unknown 0");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromSeconds(19));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        var early = await rig.ReadAsync("out", 0);
        rig.Time.Advance(TimeSpan.FromSeconds(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Empty(early);
        Assert.Equal(["moved k"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_timer_survives_a_restart_of_the_engine_and_fires_once()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await rig.AppendAsync("in", 0, "k=set t 5", "k=set never 5", "k=set later 90");
        await rig.RunUntilIdleAsync(Timers());
        await rig.AppendAsync("in", 0, "k=cancel never 0");
        await rig.RunUntilIdleAsync(Timers());
        await rig.ReopenEngineAsync();

        rig.Time.Advance(TimeSpan.FromSeconds(30));
        await rig.RunUntilIdleAsync(Timers());
        await rig.RunUntilIdleAsync(Timers());

        Assert.Equal(["t k"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_timer_whose_firing_fails_fires_again_and_its_output_is_there_once()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var failures = 2;
        await using var runtime = await rig.StartAsync(Timers(onFire: () =>
        {
            if (failures-- > 0) throw new InvalidOperationException("The firing fails.");
        }));
        await rig.AppendAsync("in", 0, "k=set t 5");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        rig.Time.Advance(TimeSpan.FromSeconds(5));
        for (var restart = 1; restart <= 2; restart++)
        {
            await runtime.WaitUntilAsync(
                statuses => statuses[0].State == ProcessorState.BackingOff && statuses[0].Partitions[0].Restarts == restart, rig.Cancellation);
            rig.Time.Advance(TimeSpan.FromMinutes(1));
        }

        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["t k"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_timer_set_while_firing_for_a_time_already_past_fires_in_the_same_round_without_starving_records()
    {
        await using var rig = await OpenAsync(1, "in");
        var seen = new List<string>();
        var processor = Scripted.Define("chain", "in", scope => new Scripted
        {
            OnRecords = (fetched, _) =>
            {
                foreach (var text in Texts(fetched))
                {
                    seen.Add(text);
                    if (text.StartsWith("begin", StringComparison.Ordinal)) scope.SetTimer("tick", "k"u8, scope.Time.GetUtcNow());
                    else scope.CancelTimer("tick", "k"u8);
                }

                return ValueTask.CompletedTask;
            },
            OnTimer = timer =>
            {
                seen.Add("tick");
                scope.SetTimer("tick", timer.Key.Span, scope.Time.GetUtcNow() - TimeSpan.FromSeconds(1));
            },
        });
        await rig.AppendAsync("in", 0, $"begin={new string('x', 1024)}");
        await rig.AppendAsync("in", 0, $"stop={new string('x', 1024)}");
        await using var runtime = rig.Runtime(rig.Options with { FetchBytesMax = 1024, TimersPerRoundMax = 3, CommitRecordsMax = 2 }, processor);

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.StartsWith("begin", seen[0], StringComparison.Ordinal);
        Assert.StartsWith("stop", seen[^1], StringComparison.Ordinal);
        Assert.InRange(seen.Count(text => text == "tick"), 1, 3);
    }

    [Fact]
    public async Task A_timer_far_away_is_waited_for_in_steps()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        await using var runtime = await rig.StartAsync(Timers());
        await rig.AppendAsync("in", 0, $"k=set far {TimeSpan.FromDays(100).TotalSeconds}");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        rig.Time.Advance(TimeSpan.FromDays(100) - TimeSpan.FromSeconds(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        var early = await rig.ReadAsync("out", 0);
        rig.Time.Advance(TimeSpan.FromHours(2));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Empty(early);
        Assert.Equal(["far k"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task One_timer_more_than_the_limit_is_refused()
    {
        await using var rig = await OpenAsync(1, "in");
        MillraceException? refusal = null;
        var processor = Scripted.ForEach("limited", "in", (scope, text) =>
        {
            scope.SetTimer("t", "1"u8, scope.Time.GetUtcNow().AddDays(1));
            scope.SetTimer("t", "2"u8, scope.Time.GetUtcNow().AddDays(1));
            scope.SetTimer("t", "2"u8, scope.Time.GetUtcNow().AddDays(2));
            refusal = Assert.Throws<MillraceException>(() => scope.SetTimer("t", "3"u8, scope.Time.GetUtcNow().AddDays(1)));
        });
        await rig.AppendAsync("in", 0, "go");
        await using var runtime = rig.Runtime(rig.Options with { TimersMax = 2 }, processor);

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(FailureCodes.TooLarge, refusal?.Code);
    }

    [Fact]
    public void The_queue_agrees_with_a_sorted_list_over_random_changes()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var queue = new TimerQueue();
        var expected = new Dictionary<string, long>();
        for (var step = 0; step < 20_000; step++)
        {
            var key = $"k{random.Next(200)}";
            var id = (byte[])[1, (byte)'t', .. Bytes(key)];
            if (random.Next(3) > 0)
            {
                queue.Set(id, expected[key] = random.Next(50));
                continue;
            }

            Assert.Equal(expected.Remove(key), queue.Remove(id));
        }

        var drained = new List<string>();
        while (queue.First is { } first)
        {
            drained.Add($"{first.Due} {Text(first.Key)}");
            queue.Remove(first.Id);
        }

        Assert.Equal(expected.OrderBy(e => e.Value).ThenBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Value} {e.Key}"), drained);
    }

    /// <summary>Records say "set NAME SECONDS" or "cancel NAME 0"; a timer that fires says its name and key.</summary>
    private static Processor Timers(Action? onFire = null) => Scripted.Define("timers", "in", scope => new Scripted
    {
        OnRecords = (fetched, _) =>
        {
            foreach (var text in Texts(fetched))
            {
                var (key, words) = (Bytes(text.Split('=')[0]), text.Split('=')[1].Split(' '));
                var due = scope.Time.GetUtcNow().AddSeconds(double.Parse(words[2], null));
                if (words[0] == "set") scope.SetTimer(words[1], key, due);
                else scope.CancelTimer(words[1], key);
            }

            return ValueTask.CompletedTask;
        },
        OnTimer = timer =>
        {
            scope.To("out", timer.Key.Span).Add(0, timer.Key.Span, Bytes($"{timer.Name} {Text(timer.Key)}"));
            onFire?.Invoke();
        },
    });
}

using System.Collections.Concurrent;
using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>Partitions that move between runtimes, stops and their deadline, and what idle means.</summary>
public sealed class MembershipTests
{
    [Fact]
    public async Task When_a_second_runtime_joins_and_leaves_nothing_is_lost_or_done_twice()
    {
        await using var rig = await OpenAsync(4, "in", "out");
        var options = rig.Options with { Time = TimeProvider.System, FetchBytesMax = 1024, CommitRecordsMax = 3 };
        var feeding = FeedAsync(rig, 1200);
        await using var first = rig.Runtime(options, Scripted.Counter("counter", "in", "out"));
        await first.StartAsync(rig.Cancellation);
        await first.WaitUntilAsync(statuses => statuses[0].Partitions.Count == 4, rig.Cancellation);

        for (var round = 0; round < 3; round++)
        {
            await using var second = rig.Runtime(options, Scripted.Counter("counter", "in", "out"));
            await second.StartAsync(rig.Cancellation);
            await second.WaitUntilAsync(statuses => statuses[0].Partitions.Count == 2, rig.Cancellation);
            await second.WaitUntilAsync(statuses => statuses[0].Partitions.All(p => p.Positions.Any(q => q.NextOffset > 0)), rig.Cancellation);
            await second.StopAsync(rig.Cancellation);
            await first.WaitUntilAsync(statuses => statuses[0].Partitions.Count == 4, rig.Cancellation);
        }

        await feeding;
        await first.WaitUntilIdleAsync(rig.Cancellation);

        for (var partition = 0; partition < 4; partition++)
            Assert.Equal(Enumerable.Range(1, 300).Select(i => $"p{partition}#{i}").ToList(), await CountsAsync(rig, partition));
    }

    [Fact]
    public async Task A_partition_taken_away_from_a_processor_that_does_not_let_go_is_thrown_away_and_done_by_the_other()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var (isStuck, entered) = (true, new TaskCompletionSource());
        var stubborn = Scripted.Define("counter", "in", scope => new Scripted
        {
            OnRecords = async (fetched, cancellation) =>
            {
                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
                if (!isStuck) return;
                entered.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
            },
        });
        await rig.AppendAsync("in", 0, "a");
        await using var first = await rig.StartAsync(stubborn);
        await entered.Task.WaitAsync(rig.Cancellation);

        isStuck = false;
        await using var second = await rig.StartAsync(stubborn);
        var stopping = first.StopAsync(rig.Cancellation).AsTask();
        rig.Time.Advance(TimeSpan.FromSeconds(10));
        await stopping;
        await second.WaitUntilAsync(statuses => statuses[0].Partitions is [{ Positions: [{ NextOffset: 1 }] }], rig.Cancellation);

        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_stop_finishes_the_batch_in_hand_and_commits_it()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var (entered, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var processor = Scripted.Define("slow", "in", scope => new Scripted
        {
            OnRecords = async (fetched, _) =>
            {
                entered.TrySetResult();
                await release.Task;
                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
            },
        });
        await rig.AppendAsync("in", 0, "a");
        var runtime = await rig.StartAsync(processor);
        await entered.Task.WaitAsync(rig.Cancellation);

        var stopping = runtime.StopAsync(rig.Cancellation).AsTask();
        var isStoppedEarly = stopping.IsCompleted;
        release.SetResult();
        await stopping;
        await runtime.StopAsync(rig.Cancellation);

        Assert.False(isStoppedEarly);
        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
        Assert.Equal(ProcessorState.Stopped, runtime.Statuses[0].State);
    }

    [Fact]
    public async Task After_its_deadline_a_stop_cancels_and_commits_nothing()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var entered = new TaskCompletionSource();
        var processor = Scripted.Define("endless", "in", scope => new Scripted
        {
            OnRecords = async (fetched, cancellation) =>
            {
                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
                entered.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
            },
        });
        await rig.AppendAsync("in", 0, "a");
        var runtime = await rig.StartAsync(processor);
        await entered.Task.WaitAsync(rig.Cancellation);

        var stopping = runtime.StopAsync(rig.Cancellation).AsTask();
        rig.Time.Advance(TimeSpan.FromSeconds(9.9));
        var isStoppedEarly = stopping.IsCompleted;
        rig.Time.Advance(TimeSpan.FromSeconds(0.1));
        await stopping;
        await rig.RunUntilIdleAsync(Scripted.Counter("endless", "in", "out"));

        Assert.False(isStoppedEarly);
        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_stop_whose_token_is_cancelled_does_not_wait_for_the_deadline()
    {
        await using var rig = await OpenAsync(1, "in");
        var entered = new TaskCompletionSource();
        var processor = Scripted.Define("endless", "in", _ => new Scripted
        {
            OnRecords = async (_, cancellation) =>
            {
                entered.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
            },
        });
        await rig.AppendAsync("in", 0, "a");
        var runtime = await rig.StartAsync(processor);
        await entered.Task.WaitAsync(rig.Cancellation);

        await runtime.StopAsync(new CancellationToken(canceled: true));

        Assert.Equal(ProcessorState.Stopped, runtime.Statuses[0].State);
    }

    [Fact]
    public async Task A_processor_that_ignores_its_cancellation_is_left_behind_fenced()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var (entered, release, tried) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource<Exception?>());
        var processor = Scripted.Define("deaf", "in", scope => new Scripted
        {
            OnRecords = async (fetched, _) =>
            {
                entered.TrySetResult();
                await release.Task;
                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
                tried.SetResult(null);
            },
        });
        await rig.AppendAsync("in", 0, "a");
        var runtime = rig.Runtime(rig.Options with { StopDeadline = TimeSpan.Zero, CancelGrace = TimeSpan.Zero }, processor);
        await runtime.StartAsync(rig.Cancellation);
        await entered.Task.WaitAsync(rig.Cancellation);

        await runtime.StopAsync(rig.Cancellation);
        await rig.RunUntilIdleAsync(Scripted.Counter("deaf", "in", "out"));
        release.SetResult();
        await tried.Task;

        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_stop_during_a_pause_does_not_wait_for_its_end()
    {
        await using var rig = await OpenAsync(1, "in");
        await rig.AppendAsync("in", 0, "a");
        var runtime = await rig.StartAsync(Scripted.ForEach("failing", "in", (_, _) => throw new InvalidOperationException("Always.")));
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);

        await runtime.StopAsync(rig.Cancellation);

        Assert.Equal(ProcessorState.Stopped, runtime.Statuses[0].State);
    }

    [Fact]
    public async Task Idle_waits_for_what_processors_said_to_one_another_in_a_ring()
    {
        await using var rig = await OpenAsync(4, "ring-a", "ring-b", "out");
        var processors = new[] { ("a", "ring-a", "ring-b"), ("b", "ring-b", "ring-a") }.Select(edge => Scripted.ForEach(
            edge.Item1, edge.Item2, (scope, text) =>
            {
                var left = int.Parse(text.Split('=')[1], null);
                var key = Bytes($"{text}");
                if (left > 0) scope.To(edge.Item3, key).Add(0, Bytes("hop"), Bytes($"{text.Split('=')[0]}={left - 1}"));
                else scope.To("out", key).Add(0, key, key);
            })).ToArray();
        await using var runtime = await rig.StartAsync(processors);

        for (var number = 0; number < 20; number++) await rig.AppendAsync("ring-a", number % 4, $"n{number}=25");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        var arrived = new List<string>();
        for (var partition = 0; partition < 4; partition++) arrived.AddRange(await rig.ReadAsync("out", partition));
        Assert.Equal(20, arrived.Count);
    }

    [Fact]
    public async Task Idle_does_not_wait_for_timers_that_are_due_later()
    {
        await using var rig = await OpenAsync(1, "in");
        await using var runtime = await rig.StartAsync(Scripted.ForEach("later", "in", (scope, _) =>
            scope.SetTimer("t", "k"u8, scope.Time.GetUtcNow().AddMinutes(1))));
        await rig.AppendAsync("in", 0, "a");

        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(1, runtime.Statuses[0].Partitions[0].Timers);
    }

    [Fact]
    public async Task Idle_of_a_stopped_runtime_or_one_that_was_not_started_is_an_error()
    {
        await using var rig = await OpenAsync(1, "in");
        var runtime = rig.Runtime(Scripted.ForEach("p", "in", (_, _) => { }));

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await runtime.WaitUntilIdleAsync(rig.Cancellation));
        await runtime.StartAsync(rig.Cancellation);
        await runtime.StopAsync(rig.Cancellation);
        var stopped = await Assert.ThrowsAsync<MillraceException>(async () => await runtime.WaitUntilIdleAsync(rig.Cancellation));

        Assert.Equal(FailureCodes.Stopped, stopped.Code);
    }

    [Fact]
    public async Task A_start_that_fails_leaves_nothing_running()
    {
        await using var rig = await OpenAsync(1, "in");
        var runtime = rig.Runtime(Scripted.ForEach("good", "in", (_, _) => { }), Scripted.ForEach("bad", "missing", (_, _) => { }));

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await runtime.StartAsync(rig.Cancellation));

        Assert.Equal(FailureCodes.TopicNotFound, failure.Code);
        Assert.All(runtime.Statuses, status => Assert.Equal(ProcessorState.Stopped, status.State));
        await rig.RunUntilIdleAsync(Scripted.ForEach("good", "in", (_, _) => { }));
    }

    [Fact]
    public async Task Companion_topics_are_made_like_the_topics_they_go_with()
    {
        await using var rig = await OpenAsync(3, "in");
        var processor = Scripted.ForEach("letters", "in", (_, _) => { }) with { Companions = [new CompanionTopic("in.dlq", "in")] };

        await rig.RunUntilIdleAsync(processor);
        await rig.RunUntilIdleAsync(processor);

        Assert.Equal(3, (await rig.Engine.FindTopicAsync("in.dlq", rig.Cancellation))?.Partitions.Count);
    }

    [Fact]
    public async Task Everything_runs_on_the_scheduler_of_the_options()
    {
        await using var rig = await OpenAsync(2, "in", "out");
        using var pump = new PumpScheduler();
        var others = new ConcurrentBag<string>();
        var processor = Scripted.Define("pumped", "in", scope => new Scripted
        {
            OnRecords = async (fetched, _) =>
            {
                if (TaskScheduler.Current != pump) others.Add("call");
                await Task.Yield();
                if (TaskScheduler.Current != pump) others.Add("continuation");
                foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
            },
            OnCommit = () =>
            {
                if (TaskScheduler.Current != pump) others.Add("commit");
            },
        });
        for (var number = 0; number < 50; number++) await rig.AppendAsync("in", number % 2, $"k{number}");

        await using var runtime = rig.Runtime(rig.Options with { Scheduler = pump, FetchBytesMax = 1024, CommitRecordsMax = 2 }, processor);
        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        await runtime.StopAsync(rig.Cancellation);

        Assert.Empty(others);
        Assert.Equal(50, (await rig.ReadAsync("out", 0)).Count + (await rig.ReadAsync("out", 1)).Count);
    }

    private static async Task FeedAsync(RuntimeRig rig, int records)
    {
        for (var number = 0; number < records; number++) await rig.AppendAsync("in", number % 4, $"p{number % 4}");
    }

    /// <summary>What was counted for an input partition's key, in order, wherever its key lies in the output.</summary>
    private static async Task<List<string>> CountsAsync(RuntimeRig rig, int partition) =>
        [.. (await rig.ReadAsync("out", Partitioner.PartitionOf(Bytes($"p{partition}"), 4)))
            .Where(text => text.StartsWith($"p{partition}#", StringComparison.Ordinal))];
}

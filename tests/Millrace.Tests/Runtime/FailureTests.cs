using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>Failures of processors, of commits and of the engine.</summary>
public sealed class FailureTests
{
    [Fact]
    public async Task While_one_partition_backs_off_others_and_other_processors_go_on()
    {
        await using var rig = await OpenAsync(2, "in", "out");
        var isPoisonous = true;
        var poisoned = Scripted.ForEach("poisoned", "in", (scope, text) =>
        {
            if (isPoisonous && text == "poison") throw new InvalidOperationException("It is poison.");
            Scripted.Count(scope, "out", text);
        });
        await using var runtime = await rig.StartAsync(poisoned, Scripted.Counter("healthy", "in", "out"));

        await rig.AppendAsync("in", 0, "poison");
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        await rig.AppendAsync("in", 1, "fine");
        await runtime.WaitUntilAsync(
            statuses => statuses[0].Partitions[1].Positions[0].NextOffset == 1 && statuses[1].Partitions[1].Positions[0].NextOffset == 1, rig.Cancellation);
        var during = runtime.Statuses[0];
        isPoisonous = false;
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(ProcessorState.BackingOff, during.Partitions[0].State);
        Assert.Equal(ProcessorState.Running, during.Partitions[1].State);
        Assert.Equal("It is poison.", during.Failure);
        Assert.Equal(0, during.Partitions[0].Positions[0].NextOffset);
        Assert.Equal(1, runtime.Statuses[0].Partitions[0].Restarts);
        Assert.Equal(ProcessorState.Running, runtime.Statuses[0].State);
    }

    [Fact]
    public async Task A_processor_that_cannot_be_made_is_made_again_after_a_pause()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var attempts = 0;
        var processor = Scripted.Define("stillborn", "in", scope => ++attempts <= 2
            ? throw new InvalidOperationException("It cannot be made.")
            : new Scripted
            {
                OnRecords = (fetched, _) =>
                {
                    foreach (var text in Texts(fetched)) Scripted.Count(scope, "out", text);
                    return ValueTask.CompletedTask;
                },
            });
        await rig.AppendAsync("in", 0, "a");
        await using var runtime = await rig.StartAsync(processor);

        for (var restart = 1; restart <= 2; restart++)
        {
            await runtime.WaitUntilAsync(
                statuses => statuses[0].State == ProcessorState.BackingOff && statuses[0].Partitions[0].Restarts == restart, rig.Cancellation);
            rig.Time.Advance(TimeSpan.FromMinutes(1));
        }

        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(3, attempts);
        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task Pauses_double_up_to_the_limit_are_jittered_by_the_seed_and_begin_anew_after_a_success()
    {
        var options = new ProcessorRuntimeOptions { RestartBackoffMin = TimeSpan.FromMilliseconds(100), RestartBackoffMax = TimeSpan.FromSeconds(1), Seed = 3 };
        var (one, same, other) = (new Backoff(options, "p", 0), new Backoff(options, "p", 0), new Backoff(options, "p", 1));

        var pauses = Enumerable.Range(0, 40).Select(_ => one.Next().TotalMilliseconds).ToList();
        var repeated = Enumerable.Range(0, 40).Select(_ => same.Next().TotalMilliseconds).ToList();
        var others = Enumerable.Range(0, 40).Select(_ => other.Next().TotalMilliseconds).ToList();
        one.Reset();
        await Task.CompletedTask;

        Assert.InRange(pauses[0], 50, 100);
        Assert.InRange(pauses[1], 100, 200);
        Assert.InRange(pauses[2], 200, 400);
        Assert.All(pauses[4..], pause => Assert.InRange(pause, 500, 1000));
        Assert.Equal(pauses, repeated);
        Assert.NotEqual(pauses, others);
        Assert.InRange(one.Next().TotalMilliseconds, 50, 100);
    }

    [Theory]
    [InlineData(FailureCodes.DiskFull)]
    [InlineData(FailureCodes.Throttled)]
    public async Task A_refused_commit_is_made_again_after_a_pause(string code)
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var isRefusing = true;
        rig.Engine.BeforeCommit = (_, _) => isRefusing ? throw new MillraceException(code, "Not now.") : ValueTask.CompletedTask;
        await using var runtime = await rig.StartAsync(Scripted.Counter("counter", "in", "out"));
        await rig.AppendAsync("in", 0, "a");

        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        isRefusing = false;
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["a#1"], await rig.ReadAsync("out", 0));
        Assert.Equal("Not now.", runtime.Statuses[0].Failure);
    }

    [Theory]
    [InlineData(FailureCodes.StorageFailed)]
    [InlineData(FailureCodes.Stopped)]
    public async Task A_processor_on_an_engine_that_failed_is_failed_and_says_why(string code)
    {
        await using var rig = await OpenAsync(2, "in", "out");
        rig.Engine.BeforeCommit = (_, _) => throw new MillraceException(code, "The disk is gone.");
        await using var runtime = await rig.StartAsync(Scripted.Counter("counter", "in", "out"));

        await rig.AppendAsync("in", 0, "a");
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Failed, rig.Cancellation);
        var idle = await Assert.ThrowsAsync<MillraceException>(async () => await runtime.WaitUntilIdleAsync(rig.Cancellation));
        await runtime.StopAsync(rig.Cancellation);

        Assert.Contains("The disk is gone.", idle.Message, StringComparison.Ordinal);
        Assert.Equal("The disk is gone.", runtime.Statuses[0].Failure);
        Assert.Equal(ProcessorState.Failed, runtime.Statuses[0].State);
    }

    [Fact]
    public async Task A_stopped_engine_fails_processors_that_wait_for_records()
    {
        await using var rig = await OpenAsync(1, "in");
        await using var runtime = await rig.StartAsync(Scripted.ForEach("waiting", "in", (_, _) => { }));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        await rig.Engine.DisposeAsync();
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Failed, rig.Cancellation);

        Assert.NotNull(runtime.Statuses[0].Failure);
    }

    [Fact]
    public async Task A_fenced_partition_is_let_go_without_a_restart()
    {
        await using var rig = await OpenAsync(2, "in", "out");
        rig.Engine.BeforeCommit = (_, commit) => commit.Batches[0].Target.Partition == 0
            ? throw new MillraceException(FailureCodes.Fenced, "Another has it.")
            : ValueTask.CompletedTask;
        var processor = Scripted.ForEach("fenced", "in", (scope, text) => scope.To("out", KeyOf(scope.Partition)).Add(0, Bytes(text), Bytes(text)));
        await using var runtime = await rig.StartAsync(processor);

        await rig.AppendAsync("in", 0, "a");
        await runtime.WaitUntilAsync(statuses => statuses[0].Partitions[0].State == ProcessorState.Stopped, rig.Cancellation);
        await rig.AppendAsync("in", 1, "b");
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(0, runtime.Statuses[0].Partitions[0].Restarts);
        Assert.Equal(["b"], await rig.ReadAsync("out", 1));
        Assert.Empty(await rig.ReadAsync("out", 0));
    }

    [Fact]
    public async Task A_commit_that_succeeds_after_an_earlier_one_failed_stops_the_processor_with_a_loud_reason()
    {
        await using var rig = await OpenAsync(1, "in", "out");
        var engine = new FaultyEngine(rig.Engine) { KeepsOrder = false };
        var held = new TaskCompletionSource();
        await using var letGo = rig.Cancellation.Register(() => held.TrySetCanceled()); // a test that fails here must not hang
        engine.BeforeCommit = async (number, _) =>
        {
            await held.Task;
            if (number == 1) throw new MillraceException(FailureCodes.Throttled, "Only the first is refused.");
        };
        await using var runtime = new ProcessorRuntime(engine, [Scripted.Counter("counter", "in", "out")], rig.Options with { FetchBytesMax = 1024 });
        await runtime.StartAsync(rig.Cancellation);

        for (var number = 1; number <= 2; number++)
        {
            await rig.AppendAsync("in", 0, $"k={number}");
            await runtime.WaitUntilAsync(statuses => statuses[0].Partitions[0].CommitsInFlight == number, rig.Cancellation);
        }

        held.SetResult();
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.Failed, rig.Cancellation);

        Assert.Contains("although an earlier one had failed", runtime.Statuses[0].Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_topic_made_after_the_start_is_found_when_the_partition_restarts()
    {
        await using var rig = await OpenAsync(1, "in");
        await using var runtime = await rig.StartAsync(Scripted.Counter("counter", "in", "late"));
        await rig.AppendAsync("in", 0, "a");

        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        await rig.Engine.CreateTopicAsync(new TopicSpecification { Name = "late", Partitions = 1 }, rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["a#1"], await rig.ReadAsync("late", 0));
    }

    [Fact]
    public async Task An_instance_is_disposed_after_a_failure_and_at_the_end()
    {
        await using var rig = await OpenAsync(1, "in");
        var (made, disposed) = (0, 0);
        var processor = Scripted.Define("disposed", "in", _ => new Scripted
        {
            OnRecords = (_, _) => Interlocked.Increment(ref made) == 1 ? throw new InvalidOperationException("Once.") : ValueTask.CompletedTask,
            OnDispose = () => Interlocked.Increment(ref disposed),
        });
        await rig.AppendAsync("in", 0, "a");
        await using var runtime = await rig.StartAsync(processor);

        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);
        var afterFailure = disposed;
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        await runtime.StopAsync(rig.Cancellation);

        Assert.Equal(1, afterFailure);
        Assert.Equal(2, disposed);
    }

    /// <summary>A key that Kafka places on that partition of two.</summary>
    private static byte[] KeyOf(int partition)
    {
        for (var number = 0; ; number++)
        {
            var key = Bytes($"key{number}");
            if (Partitioner.PartitionOf(key, 2) == partition) return key;
        }
    }
}

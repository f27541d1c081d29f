using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>What watermark alignment promises on a runtime.</summary>
public abstract class AlignmentContract
{
    private const int Seconds = 100, BatchSeconds = 5, DriftSeconds = 20;

    /// <summary>An engine for a test.</summary>
    protected abstract EngineHost CreateHost();

    [Fact]
    public async Task A_partition_that_runs_ahead_is_held_within_the_drift_and_goes_on_when_the_others_have_come_closer()
    {
        await using var rig = await OpenAsync();
        var (stopped, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var running = new RunningTopology(Define(rig, async reading =>
        {
            if (reading.Key != "p1" || reading.Value < Seconds * 2 / 5) return;
            stopped.TrySetResult();
            await goOn.Task.WaitAsync(rig.Cancellation);
        }));
        await using var runtime = await StartAsync(rig, running);
        await FillAsync(rig, partition: 0);
        await FillAsync(rig, partition: 1);
        await stopped.Task.WaitAsync(rig.Cancellation);
        TopologyStatus? status = null;
        await runtime.WaitUntilAsync(
            _ =>
            {
                // All is judged by one look: partitions go on meanwhile.
                status = running.Explain();
                return SourceOf(status, 0) is { IsHeld: true } one && SourceOf(status, 1) is { } other
                    && one.Watermark - DriftSeconds * 1_000 > other.Watermark;
            },
            rig.Cancellation);
        var (fast, slow, text) = (SourceOf(status!, 0)!, SourceOf(status!, 1)!, status!.ToString());
        goOn.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        // A fetch has more than one batch where batches are small; beyond the drift there is at most one fetch.
        var ahead = fast.Watermark - slow.Watermark;
        Assert.InRange(ahead, DriftSeconds * 1_000, (DriftSeconds + 5 * BatchSeconds) * 1_000);
        Assert.True(fast.RecordsIn < Seconds, "The fast partition was read to its end.");

        // The slow one may have been held before and be seen so still: a partition is shown as of its last call, and it is in one.
        Assert.Contains(" partitions held as they run ahead", text, StringComparison.Ordinal);
        Assert.Equal(2 * Seconds, (await rig.ValuesAsync("out")).Count);
    }

    [Fact]
    public async Task A_partition_that_is_idle_holds_nobody_and_a_held_one_does_not_become_idle()
    {
        await using var rig = await OpenAsync();
        using var running = new RunningTopology(Define(rig, _ => Task.CompletedTask));
        await using var runtime = await StartAsync(rig, running);
        await FillAsync(rig, partition: 0);
        OperatorStatus? held = null;
        await runtime.WaitUntilAsync(_ => (held = SourceOf(running.Explain(), 0))?.IsHeld == true, rig.Cancellation);

        rig.Time.Advance(TimeSpan.FromSeconds(10));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.True(held!.RecordsIn < Seconds);
        Assert.False(held.Channels[0].IsIdle);
        Assert.True(SourceOf(running.Explain(), 1)!.Channels[0].IsIdle);
        Assert.Equal(Seconds, (await rig.ValuesAsync("out")).Count);
    }

    /// <summary>
    /// Both partitions are there before the first record: else one might have read all of its before there was another to be aligned with.
    /// </summary>
    private static async Task<ProcessorRuntime> StartAsync(StreamsRig rig, RunningTopology running)
    {
        var runtime = await rig.StartAsync(running, options => options with { FetchBytesMax = 1_024 });
        await runtime.WaitUntilAsync(
            _ => SourceOf(running.Explain(), 0) is not null && SourceOf(running.Explain(), 1) is not null, rig.Cancellation);
        return runtime;
    }

    private static OperatorStatus? SourceOf(TopologyStatus status, int partition) =>
        status.Stages[0].Partitions.FirstOrDefault(one => one.Partition == partition)?.Operators[0];

    private static StreamTopology Define(StreamsRig rig, Func<Reading, Task> before)
    {
        var topology = rig.Topology();
        topology.From<Reading>(rig.Name("in"), new SourceOptions<Reading>
        {
            IdleAfter = 10.Seconds(), Alignment = new WatermarkAlignment("readings", DriftSeconds.Seconds()),
        }).Lookup(async (reading, _) =>
        {
            await before(reading);
            return $"{reading.Key} {reading.Value}";
        }, new LookupOptions { Timeout = 1.Hours() }).To(rig.Name("out"));
        return topology;
    }

    /// <summary>A record per second, in batches.</summary>
    private static async Task FillAsync(StreamsRig rig, int partition)
    {
        for (var first = 0; first < Seconds; first += BatchSeconds)
        {
            await rig.AppendAsync("in", partition, [.. Enumerable.Range(first, BatchSeconds)
                .Select(second => ($"p{partition}", (long)second, 1_000L * (second + 1)))]);
        }
    }

    private async Task<StreamsRig> OpenAsync()
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(5));
        return await StreamsRig.OpenAsync(CreateHost(), 2, ["in", "out"], deadline.Token);
    }
}

using Millrace.Contract;
using static Millrace.Tests.Runtime.RuntimeRig;

namespace Millrace.Tests.Runtime;

/// <summary>What all partitions of a processor have done that is not durable: above the limit none begins another commit.</summary>
public sealed class UncommittedBytesTests
{
    private readonly UncommittedBytes _all = new(100);
    private readonly List<string> _woken = [];

    [Fact]
    public void Who_has_no_room_is_called_in_turn_and_calls_the_next_one_when_it_goes_on()
    {
        var (a, b, c, d) = (Join("a"), Join("b"), Join("c"), Join("d"));
        Assert.True(a.MayBegin());
        a.Hold(100);
        Assert.Equal([false, false, false], new[] { b, c, d }.Select(share => share.MayBegin()));
        Assert.False(b.MayBegin());

        a.Hold(99);
        var first = Woken();
        Assert.True(b.MayBegin());
        var second = Woken();
        b.Hold(50);
        Assert.False(c.MayBegin());
        b.Hold(0);

        Assert.Equal(("b", "c", "d"), (first, second, Woken()));
        Assert.True(d.MayBegin());
        Assert.Equal("c", Woken());
        Assert.True(c.MayBegin());
        Assert.Equal("", Woken());
    }

    [Fact]
    public void Who_has_ended_is_passed_over_and_gives_back_what_it_had()
    {
        var (a, b, c) = (Join("a"), Join("b"), Join("c"));
        a.Hold(200);
        Assert.False(b.MayBegin() || c.MayBegin());

        b.Dispose();
        Assert.Equal("", Woken());
        a.Dispose();

        Assert.Equal("c", Woken());
        Assert.True(c.MayBegin());
    }

    [Fact]
    public void Who_was_called_and_ends_before_it_went_on_calls_the_next_one()
    {
        var (a, b, c) = (Join("a"), Join("b"), Join("c"));
        a.Hold(200);
        Assert.False(b.MayBegin() || c.MayBegin());

        a.Hold(0);
        Assert.Equal("b", Woken());
        b.Dispose();

        Assert.Equal("c", Woken());
    }

    [Theory]
    [InlineData(1023)]
    [InlineData((1L << 40) + 1)]
    public void A_bound_out_of_its_limits_is_refused_by_name(long bytes)
    {
        var options = new ProcessorRuntimeOptions { ProcessorUncommittedBytesMax = bytes };

        var failure = Assert.Throws<ArgumentException>(options.Validate);

        Assert.Equal($"ProcessorUncommittedBytesMax is {bytes}; it must be from 1024 to {1L << 40}.", failure.Message);
        new ProcessorRuntimeOptions { ProcessorUncommittedBytesMax = 1024 }.Validate();
        new ProcessorRuntimeOptions { ProcessorUncommittedBytesMax = 1L << 40 }.Validate();
    }

    [Fact]
    public async Task All_partitions_together_begin_no_more_than_may_be_under_way()
    {
        const int partitions = 6;
        await using var rig = await OpenAsync(partitions, "in");
        using var pump = new PumpScheduler();
        var held = new TaskCompletionSource();
        await using var letGo = rig.Cancellation.Register(() => held.TrySetCanceled()); // a test that fails here must not hang
        rig.Engine.BeforeCommit = async (_, _) => await held.Task;
        for (var number = 0; number < partitions * 8; number++)
            await rig.AppendAsync("in", number % partitions, $"k={new string('x', 1024)}");
        var options = rig.Options with
        {
            Scheduler = pump, FetchBytesMax = 1024, CommitRecordsMax = 1, CommitsInFlightMax = 64, ProcessorUncommittedBytesMax = 8 * 1024,
        };
        var seen = 0;
        await using var runtime = rig.Runtime(options, Scripted.ForEach("reader", "in", (_, _) => Interlocked.Increment(ref seen)));

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilAsync(statuses => statuses[0].Partitions.Sum(partition => partition.CommitsInFlight) >= 7, rig.Cancellation);
        await pump.QuietAsync();
        var seenWhileHeld = Volatile.Read(ref seen);
        held.SetResult();
        await runtime.WaitUntilIdleAsync(rig.Cancellation);
        await runtime.StopAsync(rig.Cancellation);

        Assert.InRange(seenWhileHeld, 7, 8);
        Assert.Equal(partitions * 8, seen);
    }

    /// <summary>Hundreds of times more than may be under way, on partitions of which some fail: nothing is left standing.</summary>
    [Fact]
    public async Task Partitions_that_wait_for_room_get_on_whatever_becomes_of_others()
    {
        const int partitions = 6, records = 40;
        await using var rig = await OpenAsync(partitions, "in", "out");
        for (var number = 0; number < partitions * records; number++)
            await rig.AppendAsync("in", number % partitions, $"k={new string('x', 1024)}");
        var calls = 0;
        await using var runtime = rig.Runtime(
            rig.Options with
            {
                Time = TimeProvider.System, FetchBytesMax = 1024, CommitRecordsMax = 1, ProcessorUncommittedBytesMax = 3 * 1024,
                RestartBackoffMin = TimeSpan.FromMilliseconds(1), RestartBackoffMax = TimeSpan.FromMilliseconds(1),
            },
            Scripted.ForEach("reader", "in", (scope, _) =>
            {
                if (Interlocked.Increment(ref calls) % 7 == 0) throw new InvalidOperationException("the seventh");
                scope.To("out", "k"u8).Add(0, "k"u8, "v"u8);
            }));

        await runtime.StartAsync(rig.Cancellation);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.True(calls > partitions * records);
        Assert.Equal(partitions * records, (await rig.ReadAsync("out", Partitioner.PartitionOf("k"u8, partitions))).Count);
    }

    private UncommittedBytes.Share Join(string name) => _all.Join(() => _woken.Add(name));

    /// <summary>Who has been woken since the last time.</summary>
    private string Woken()
    {
        var woken = string.Concat(_woken);
        _woken.Clear();
        return woken;
    }
}

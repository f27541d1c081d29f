using System.Text;

namespace Millrace.Tests.Runtime;

/// <summary>Following a partition outside of any group.</summary>
public sealed class FollowerTests
{
    private static readonly TopicPartition Source = new("orders", 0);

    private readonly List<string> _taken = [];

    [Fact]
    public async Task It_takes_what_is_there_and_what_comes_in_the_order_of_the_log()
    {
        await using var rig = await RuntimeRig.OpenAsync(1, "orders");
        await rig.AppendAsync("orders", 0, "a", "b", "c");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(rig.Cancellation);
        var follower = new PartitionFollower(Source, 1, Take);
        var running = follower.RunAsync(rig.Engine, stop.Token);

        await follower.WaitAsync(3, rig.Cancellation);
        Assert.Equal(["b", "c"], _taken);
        await rig.AppendAsync("orders", 0, "d");
        await follower.WaitAsync(4, rig.Cancellation);
        Assert.Equal(["b", "c", "d"], _taken);
        await stop.CancelAsync();

        Assert.Null(await running);
    }

    [Fact]
    public async Task When_it_is_cancelled_whoever_waits_is_told_and_nothing_has_failed()
    {
        await using var rig = await RuntimeRig.OpenAsync(1, "orders");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(rig.Cancellation);
        var follower = new PartitionFollower(Source, 0, Take);
        var running = follower.RunAsync(rig.Engine, stop.Token);
        var waiting = follower.WaitAsync(1, rig.Cancellation);

        await stop.CancelAsync();

        Assert.Null(await running);
        var ended = await Assert.ThrowsAsync<MillraceException>(() => waiting);
        Assert.Equal(FailureCodes.Stopped, ended.Code);
        await Assert.ThrowsAsync<MillraceException>(() => follower.WaitAsync(1, rig.Cancellation));
    }

    [Fact]
    public async Task What_fails_while_it_takes_is_its_result_and_that_of_whoever_waits()
    {
        await using var rig = await RuntimeRig.OpenAsync(1, "orders");
        var follower = new PartitionFollower(Source, 0, _ => throw new InvalidOperationException("full"));
        var running = follower.RunAsync(rig.Engine, rig.Cancellation);
        var waiting = follower.WaitAsync(1, rig.Cancellation);

        await rig.AppendAsync("orders", 0, "a");

        Assert.Equal("full", Assert.IsType<InvalidOperationException>(await running).Message);
        await Assert.ThrowsAsync<InvalidOperationException>(() => waiting);
    }

    private void Take(FetchedRecords records)
    {
        foreach (var record in records) _taken.Add(Encoding.UTF8.GetString(record.Key.Span));
    }
}

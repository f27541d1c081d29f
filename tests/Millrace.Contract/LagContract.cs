namespace Millrace.Contract;

/// <summary>What is known of groups from outside: which there are and how far each is behind.</summary>
public abstract class LagContract : EngineContract
{
    [Fact]
    public async Task Lag_counts_from_the_committed_position_to_the_end()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await AppendAsync(new TopicPartition(topic, 1), "a", "b", "c", "d", "e");
        await using var group = Group("payments", topic);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(2);
        await CommitPositionAsync(member.Owned[1], topic, 2);

        var lag = await LagOfAsync("payments");

        Assert.Equal([new TopicPartition(topic, 0), new TopicPartition(topic, 1)], lag.Select(partition => partition.Source));
        Assert.Equal([0L, 2L], lag.Select(partition => partition.Position));
        Assert.Equal(0, lag[0].Lag);
        AssertPast(5, lag[1].EndOffset);
        AssertPast(3, lag[1].Lag);
    }

    [Fact]
    public async Task A_partition_without_a_position_counts_from_its_start()
    {
        var topic = await CreateTopicAsync();
        await AppendAsync(new TopicPartition(topic, 0), "a", "b", "c");
        await using var group = Group("payments", topic);
        await group.JoinAsync();
        await group.UntilOwnedAsync(1);

        var lag = Assert.Single(await LagOfAsync("payments"));

        Assert.Equal(0, lag.Position);
        AssertPast(3, lag.Lag);
    }

    [Fact]
    public async Task Lag_grows_with_appends_and_shrinks_with_commits()
    {
        var partition = await CreatePartitionAsync();
        await using var group = Group("payments", partition.Topic);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);

        var lags = new List<long>();
        await AppendAsync(partition, "a", "b");
        lags.Add(Assert.Single(await LagOfAsync("payments")).Lag);
        await AppendAsync(partition, "c");
        lags.Add(Assert.Single(await LagOfAsync("payments")).Lag);
        await CommitPositionAsync(member.Owned[0], partition.Topic, (await DescribeAsync(partition)).EndOffset);
        lags.Add(Assert.Single(await LagOfAsync("payments")).Lag);

        AssertPast(2, lags[0]);
        Assert.True(lags[1] > lags[0], $"{lags[1]} must be greater than {lags[0]}.");
        Assert.Equal(0, lags[2]);
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Lag_is_known_without_members_and_after_a_restart(Ending ending)
    {
        var topic = await CreateTopicAsync();
        await AppendAsync(new TopicPartition(topic, 0), "a", "b", "c");
        var group = Group("payments", topic);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        await CommitPositionAsync(member.Owned[0], topic, 1);
        await group.DisposeAsync();

        var before = Assert.Single(await LagOfAsync("payments"));
        await ReopenAsync(ending);
        var after = Assert.Single(await LagOfAsync("payments"));

        Assert.Equal(1, before.Position);
        AssertPast(2, before.Lag);
        Assert.Equal(before, after);
    }

    [Fact]
    public async Task A_group_that_nobody_knows_has_no_lag()
    {
        Assert.Empty(await LagOfAsync("nobody"));
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Groups_with_members_or_positions_are_listed_by_id(Ending ending)
    {
        var topic = await CreateTopicAsync();
        await using var members = Group("b-members", topic);
        await members.JoinAsync();
        var committed = Group("a-committed", topic);
        var member = await committed.JoinAsync();
        await committed.UntilOwnedAsync(1);
        await CommitPositionAsync(member.Owned[0], topic, 0);
        await committed.DisposeAsync();

        var before = await Engine.ListGroupsAsync(Cancellation);
        await ReopenAsync(ending);
        var after = await Engine.ListGroupsAsync(Cancellation);

        Assert.Equal(before.Order(StringComparer.Ordinal), before);
        Assert.Contains(Named("a-committed"), before);
        Assert.Contains(Named("b-members"), before);
        Assert.Contains(Named("a-committed"), after);
    }

    private GroupDriver Group(string name, string topic) => new(
        Engine, new GroupSubscription { Group = Named(name), Topics = [topic] }, Cancellation);

    private async ValueTask<IReadOnlyList<PartitionLag>> LagOfAsync(string name) =>
        [.. (await Engine.DescribeLagAsync(Named(name), Cancellation)).OrderBy(lag => lag.Source.Partition)];

    private async ValueTask CommitPositionAsync(OwnedPartition owned, string topic, long next)
    {
        using var commit = new Commit();
        commit.SetPosition(topic, next);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    }
}

namespace Millrace.Contract;

/// <summary>Consumer groups: who owns what as members come and go, where they begin, and what they find.</summary>
public abstract class GroupContract : EngineContract
{
    [Fact]
    public async Task A_single_member_gets_every_partition()
    {
        var topic = await CreateTopicAsync(partitions: 4);
        await using var group = Group(topic);

        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(4);

        Assert.Equal([0, 1, 2, 3], member.Owned.Keys.Order());
        Assert.All(member.Owned.Values, owned => Assert.Equal(Named("payments"), owned.Group));
        Assert.All(member.Owned, owned => Assert.Equal(owned.Key, owned.Value.Partition));
    }

    [Fact]
    public async Task Two_members_share_evenly_and_have_ids_of_their_own()
    {
        var topic = await CreateTopicAsync(partitions: 4);
        await using var group = Group(topic);
        var first = await group.JoinAsync();
        await group.UntilOwnedAsync(4);

        var second = await group.JoinAsync();
        await group.UntilOwnedAsync(2, 2);

        Assert.NotEqual(first.Member.MemberId, second.Member.MemberId);
        Assert.Equal([0, 1, 2, 3], first.Owned.Keys.Concat(second.Owned.Keys).Order());
    }

    [Fact]
    public async Task A_member_for_which_there_is_nothing_is_told_so()
    {
        var topic = await CreateTopicAsync(partitions: 1);
        await using var group = Group(topic);
        await group.JoinAsync();
        await group.UntilOwnedAsync(1);

        await using var second = await Engine.JoinAsync(
            new GroupSubscription { Group = Named("payments"), Topics = [topic] }, Cancellation);
        var change = await second.NextChangeAsync(Cancellation);

        Assert.Empty(Assert.IsType<AssignmentChange.Assigned>(change).Partitions);
        await group.UntilOwnedAsync(1);
    }

    [Fact]
    public async Task A_revoked_partition_is_nobody_elses_until_it_is_released()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await using var group = Group(topic);
        var first = await group.JoinAsync(isHolding: true);
        await group.UntilOwnedAsync(2);
        var second = await group.JoinAsync();
        await group.UntilAsync(() => first.Revoked.Count == 1);
        var revoked = first.Revoked.Values.Single();

        for (var number = 0; number < 5; number++)
        {
            using var commit = Position(topic, number);
            (await revoked.CommitAsync(commit, Cancellation)).RequireCommitted();
        }

        Assert.Empty(second.Owned);
        await first.ReleaseAsync(revoked, Cancellation);
        await group.UntilOwnedAsync(1, 1);
        Assert.Equal(4, PositionOf(second.Owned[revoked.Partition], topic));
    }

    [Fact]
    public async Task A_partition_that_was_released_is_fenced_and_the_next_owner_has_a_greater_epoch()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await using var group = Group(topic);
        var first = await group.JoinAsync(isHolding: true);
        await group.UntilOwnedAsync(2);
        await group.JoinAsync();
        await group.UntilAsync(() => first.Revoked.Count == 1);
        var old = first.Revoked.Values.Single();
        await first.ReleaseAsync(old, Cancellation);
        await group.UntilOwnedAsync(1, 1);

        using var late = Position(topic, 1);
        await AssertFailsAsync(FailureCodes.Fenced, () => old.CommitAsync(late, Cancellation));

        var next = group.Members[1].Owned[old.Partition];
        Assert.True(next.Epoch > old.Epoch, $"Epoch {next.Epoch} must be greater than {old.Epoch}.");
        Assert.Equal(0, PositionOf(next, topic));
    }

    [Fact]
    public async Task What_a_member_owned_goes_to_the_others_when_it_leaves()
    {
        var topic = await CreateTopicAsync(partitions: 5);
        await using var group = Group(topic);
        await group.JoinAsync();
        await group.JoinAsync();
        var third = await group.JoinAsync();
        await group.UntilOwnedAsync(1, 2, 2);

        await group.LeaveAsync(third);

        await group.UntilOwnedAsync(2, 3);
    }

    [Fact]
    public async Task A_member_without_a_partition_gets_one_when_another_leaves()
    {
        var topic = await CreateTopicAsync(partitions: 1);
        await using var group = Group(topic);
        var first = await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        await group.JoinAsync();
        await group.UntilOwnedAsync(0, 1);

        await group.LeaveAsync(first);

        await group.UntilOwnedAsync(1);
    }

    [Fact]
    public async Task Groups_do_not_share_with_each_other()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await using var payments = Group(topic);
        await using var inventory = Group(topic, name: "inventory");

        var one = await payments.JoinAsync();
        var other = await inventory.JoinAsync();
        await payments.UntilOwnedAsync(2);
        await inventory.UntilOwnedAsync(2);
        await CommitPositionAsync(one.Owned[0], topic, 7);
        await CommitPositionAsync(other.Owned[0], topic, 3);
        await payments.LeaveAsync(one);
        await inventory.LeaveAsync(other);

        Assert.Equal(7, PositionOf((await JoinAloneAsync(payments, 2)).Owned[0], topic));
        Assert.Equal(3, PositionOf((await JoinAloneAsync(inventory, 2)).Owned[0], topic));
    }

    [Fact]
    public async Task A_partition_number_is_owned_across_all_topics()
    {
        string[] topics = [await CreateTopicAsync("a", 3), await CreateTopicAsync("b", 3)];
        await using var group = new GroupDriver(Engine, new GroupSubscription { Group = Named("payments"), Topics = topics }, Cancellation);
        var member = await group.JoinAsync();
        await group.JoinAsync();
        await group.UntilOwnedAsync(1, 2);
        var owned = member.Owned.Values.First();

        using var commit = Position(topics[0], 4);
        commit.SetPosition(topics[1], 9);
        await owned.CommitAsync(commit, Cancellation);
        await AppendAsync(new TopicPartition(topics[1], owned.Partition), "b");
        using var reader = owned.OpenReader(topics[1], 0);
        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);

        Assert.Equal(topics, owned.Positions.Select(position => position.Topic).Order(StringComparer.Ordinal));
        Assert.Equal(["b"], SeenRecord.AllOf(fetched).Select(record => record.Text));
        await group.LeaveAsync(member);
        await group.UntilOwnedAsync(3);
        var next = group.Members[0].Owned[owned.Partition];
        Assert.Equal((4L, 9L), (PositionOf(next, topics[0]), PositionOf(next, topics[1])));
    }

    [Fact]
    public async Task Topics_of_unequal_partitions_are_refused_to_a_group_with_state()
    {
        string[] topics = [await CreateTopicAsync("two", 2), await CreateTopicAsync("three", 3)];

        var failure = await Assert.ThrowsAsync<ArgumentException>(async () =>
            await Engine.JoinAsync(new GroupSubscription { Group = Named("payments"), Topics = topics, HasState = true }, Cancellation));

        Assert.Contains(topics[0], failure.Message, StringComparison.Ordinal);
        Assert.Contains(topics[1], failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Topics_of_unequal_partitions_are_read_by_a_group_without_state()
    {
        string[] topics = [await CreateTopicAsync("two", 2), await CreateTopicAsync("three", 3)];
        await using var group = new GroupDriver(
            Engine, new GroupSubscription { Group = Named("payments"), Topics = topics, HasState = false }, Cancellation);

        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(3);

        Assert.Equal(topics.Order(StringComparer.Ordinal), member.Owned[1].Positions.Select(p => p.Topic).Order(StringComparer.Ordinal));
        Assert.Equal([topics[1]], member.Owned[2].Positions.Select(p => p.Topic));
    }

    [Fact]
    public async Task Joining_for_a_topic_that_does_not_exist_is_refused()
    {
        var failure = await AssertFailsAsync(FailureCodes.TopicNotFound, () => Engine.JoinAsync(
            new GroupSubscription { Group = Named("payments"), Topics = [Named("nowhere")] }, Cancellation));

        Assert.Contains(Named("nowhere"), failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a/b")]
    public async Task A_group_id_that_breaks_the_rule_is_refused(string id)
    {
        var topic = await CreateTopicAsync();

        var failure = await Assert.ThrowsAsync<ArgumentException>(
            async () => await Engine.JoinAsync(new GroupSubscription { Group = id, Topics = [topic] }, Cancellation));

        Assert.Contains($"'{id}'", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_position_a_group_begins_at_the_first_record_by_default()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "old");
        await using var group = Group(partition.Topic);

        var member = await JoinAloneAsync(group, 1);

        Assert.Equal(0, PositionOf(member.Owned[0], partition.Topic));
    }

    [Fact]
    public async Task Without_a_position_a_group_that_wants_the_latest_begins_after_the_last_record()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "old", "older");
        await using var group = Group(partition.Topic, reset: OffsetReset.Latest);

        var member = await JoinAloneAsync(group, 1);
        var begin = PositionOf(member.Owned[0], partition.Topic);
        await AppendAsync(partition, "new");
        using var reader = member.Owned[0].OpenReader(partition.Topic, begin);
        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);

        AssertPast(2, begin);
        Assert.Equal(["new"], SeenRecord.AllOf(fetched).Select(record => record.Text));
    }

    [Theory]
    [InlineData(OffsetReset.Earliest)]
    [InlineData(OffsetReset.Latest)]
    public async Task A_committed_position_counts_and_not_the_reset(OffsetReset reset)
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a", "b", "c");
        await using var group = Group(partition.Topic, reset: reset);
        var member = await JoinAloneAsync(group, 1);
        await CommitPositionAsync(member.Owned[0], partition.Topic, 1);

        await group.LeaveAsync(member);
        var next = await JoinAloneAsync(group, 1);

        Assert.Equal(1, PositionOf(next.Owned[0], partition.Topic));
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Positions_survive_a_restart_and_epochs_go_on_growing(Ending ending)
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await AppendAsync(new TopicPartition(topic, 1), "a", "b", "c");
        var before = Group(topic);
        var owned = (await JoinAloneAsync(before, 2)).Owned[1];
        await CommitPositionAsync(owned, topic, 1);
        await CommitPositionAsync(owned, topic, 2);
        if (ending == Ending.Graceful) await before.DisposeAsync();

        await ReopenAsync(ending);
        await using var after = Group(topic);
        var next = await JoinAloneAsync(after, 2);

        Assert.Equal((0L, 2L), (PositionOf(next.Owned[0], topic), PositionOf(next.Owned[1], topic)));
        Assert.True(next.Owned[1].Epoch > owned.Epoch, $"Epoch {next.Owned[1].Epoch} must be greater than {owned.Epoch}.");
    }

    private GroupDriver Group(string topic, string name = "payments", OffsetReset reset = OffsetReset.Earliest) => new(
        Engine, new GroupSubscription { Group = Named(name), Topics = [topic], OffsetReset = reset }, Cancellation);

    private static async ValueTask<DrivenMember> JoinAloneAsync(GroupDriver group, int partitions)
    {
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(partitions);
        return member;
    }

    private static Commit Position(string topic, long next)
    {
        var commit = new Commit();
        commit.SetPosition(topic, next);
        return commit;
    }

    private async ValueTask CommitPositionAsync(OwnedPartition owned, string topic, long next)
    {
        using var commit = Position(topic, next);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    private static long PositionOf(OwnedPartition owned, string topic) =>
        owned.Positions.Single(position => position.Topic == topic).NextOffset;
}

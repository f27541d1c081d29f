using System.Globalization;

namespace Millrace.Contract;

/// <summary>
/// The one kind of commit: positions, keyed state and records together or not at all, in the order of the calls, fenced by the epoch.
/// </summary>
public abstract class OwnedCommitContract : EngineContract
{
    private const int FencedTimes = 100;

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Positions_state_and_records_of_a_commit_are_all_there_after_a_restart(Ending ending)
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        var before = Group(input);
        var owned = await OwnAsync(before);
        using var commit = new Commit();
        commit.SetPosition(input.Topic, 5);
        commit.Put("totals", Bytes("key"), Bytes("value"));
        Fill(commit.To(output), "said");
        var offsets = (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
        if (ending == Ending.Graceful) await before.DisposeAsync();

        await ReopenAsync(ending);
        await using var after = Group(input);
        var next = await OwnAsync(after);

        Assert.Equal([0L], offsets);
        Assert.Equal(5, next.Positions.Single().NextOffset);
        Assert.Equal("value", TextOf(next, "totals", "key"));
        await AssertHoldsAsync(output, "said");
    }

    [Fact]
    public async Task A_refused_commit_changes_neither_position_nor_state_nor_records()
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        using var commit = new Commit();
        commit.SetPosition(input.Topic, 5);
        commit.Put("totals", Bytes("key"), Bytes("value"));
        Fill(commit.To(output), "must not appear");
        Fill(commit.To(new TopicPartition(Named("nowhere"), 0)), "nor this");

        await AssertFailsAsync(FailureCodes.TopicNotFound, () => owned.CommitAsync(commit, Cancellation));

        await AssertUnchangedAsync(group, output);
    }

    [Fact]
    public async Task A_failing_expectation_changes_neither_position_nor_state_nor_records()
    {
        Assert.SkipUnless(Engine.Capabilities.HasConditionalAppend, "This engine has no conditional appends.");
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        using var commit = new Commit();
        commit.SetPosition(input.Topic, 5);
        commit.Put("totals", Bytes("key"), Bytes("value"));
        Fill(commit.To(output), "must not appear");
        commit.Expect(output.Topic, "stream", 3, 1);

        var result = await owned.CommitAsync(commit, Cancellation);

        Assert.Equal(0, Assert.IsType<CommitResult.Conflicted>(result).ActualVersion);
        await AssertUnchangedAsync(group, output);
    }

    [Fact]
    public async Task Commits_after_a_failed_one_fail_too_until_the_owner_restores()
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        using var first = Reading(input, 1);
        using var refused = Reading(input, 2);
        Fill(refused.To(new TopicPartition(Named("nowhere"), 0)), "must not appear");
        using var later = Reading(input, 3);
        Fill(later.To(output), "nor this");
        using var again = Reading(input, 2);

        var answers = new[] { first, refused, later }.Select(commit => owned.CommitAsync(commit, Cancellation).AsTask()).ToList();
        await answers[0];
        await AssertFailsAsync(FailureCodes.TopicNotFound, () => new ValueTask(answers[1]));
        await AssertFailsAsync(FailureCodes.CommitAborted, () => new ValueTask(answers[2]));
        await owned.RestoreAsync(Cancellation);
        var restored = owned.Positions.Single().NextOffset;
        (await owned.CommitAsync(again, Cancellation)).RequireCommitted();

        Assert.Equal(1, restored);
        Assert.Equal(2, owned.Positions.Single().NextOffset);
        await AssertHoldsAsync(output);
    }

    [Fact]
    public async Task Commits_under_way_together_are_applied_in_the_order_of_the_calls()
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        var commits = Enumerable.Range(0, 60).Select(number =>
        {
            var commit = new Commit();
            commit.SetPosition(input.Topic, number + 1);
            commit.Put("totals", Bytes("last"), Bytes($"{number}"));
            commit.Put("totals", Bytes($"{number:000}"), Bytes("seen"));
            Fill(commit.To(output), $"{number}");
            return commit;
        }).ToList();

        var results = await Task.WhenAll(commits.Select(commit => owned.CommitAsync(commit, Cancellation).AsTask()).ToList());
        commits.ForEach(commit => commit.Dispose());

        Assert.Equal("59", TextOf(owned, "totals", "last"));
        Assert.Equal(61, owned.Scan("totals").Count);
        var offsets = results.Select(result => result.RequireCommitted()[0]).ToList();
        Assert.Equal(offsets.Order(), offsets);
        await AssertHoldsAsync(output, [.. Enumerable.Range(0, 60).Select(number => $"{number}")]);
        await group.LeaveAsync(group.Members[0]);
        Assert.Equal(60, (await OwnAsync(group)).Positions.Single().NextOffset);
    }

    [Fact]
    public async Task A_commit_without_positions_leaves_those_of_the_commits_that_it_came_together_with()
    {
        const int Rounds = 20;
        var input = await CreatePartitionAsync("input");
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        for (var round = 1; round <= Rounds; round++)
        {
            // The first keeps the engine busy while the other two arrive.
            using Commit first = new(), moving = new(), remembering = new();
            first.Put("totals", Bytes("first"), Bytes($"{round}"));
            moving.SetPosition(input.Topic, round);
            remembering.Put("totals", Bytes("last"), Bytes($"{round}"));
            await Task.WhenAll(
                owned.CommitAsync(first, Cancellation).AsTask(),
                owned.CommitAsync(moving, Cancellation).AsTask(),
                owned.CommitAsync(remembering, Cancellation).AsTask());

            await owned.RestoreAsync(Cancellation);

            Assert.Equal(round, owned.Positions.Single().NextOffset);
            Assert.Equal($"{round}", TextOf(owned, "totals", "last"));
        }
    }

    [Fact]
    public async Task An_owner_that_left_without_release_is_fenced_100_of_100_times()
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        var written = new List<string>();

        for (var round = 0; round < FencedTimes; round++)
        {
            await CommitAsync(owned, input, output, $"{round}");
            written.Add($"{round}");
            var old = owned;
            owned = await HandOverAsync(group);

            await AssertFailsAsync(FailureCodes.Fenced, () => CommitAsync(old, input, output, "must not appear"));

            Assert.True(owned.Epoch > old.Epoch, $"Epoch {owned.Epoch} must be greater than {old.Epoch}.");
            Assert.Equal($"{round}", TextOf(owned, "totals", "last"));
            Assert.Equal(round + 1, owned.Positions.Single().NextOffset);
        }

        await AssertHoldsAsync(output, [.. written]);
    }

    [Fact]
    public async Task A_commit_that_races_with_leaving_is_seen_whole_by_the_next_owner_or_never()
    {
        var (input, output) = (await CreatePartitionAsync("input"), await CreatePartitionAsync("output"));
        await using var group = Group(input);
        var owned = await OwnAsync(group);
        var written = new List<string>();

        for (var round = 0; round < 30; round++)
        {
            var (old, text) = (owned, $"{round}");
            var racing = Task.Run(async () => await CommitAsync(old, input, output, text), Cancellation);
            owned = await HandOverAsync(group);
            var failure = await FailureOfAsync(racing);

            if (failure is null) written.Add(text);
            else Assert.Equal(FailureCodes.Fenced, failure.Code);
            Assert.Equal(written.LastOrDefault(), TextOf(owned, "totals", "last"));
            var position = written.Count == 0 ? 0 : long.Parse(written[^1], CultureInfo.InvariantCulture) + 1;
            Assert.Equal(position, owned.Positions.Single().NextOffset);
        }

        await AssertHoldsAsync(output, [.. written]);
    }

    private static async ValueTask<MillraceException?> FailureOfAsync(Task task)
    {
        try
        {
            await task;
            return null;
        }
        catch (MillraceException failure)
        {
            return failure;
        }
    }

    private GroupDriver Group(TopicPartition input) => new(
        Engine, new GroupSubscription { Group = Named("payments"), Topics = [input.Topic] }, Cancellation);

    private static async ValueTask<OwnedPartition> OwnAsync(GroupDriver group)
    {
        await group.JoinAsync();
        await group.UntilOwnedAsync(1);
        return group.Members[0].Owned[0];
    }

    /// <summary>A second member waits while the first one leaves, so that the group is never empty.</summary>
    private static async ValueTask<OwnedPartition> HandOverAsync(GroupDriver group)
    {
        var old = group.Members[0];
        await group.JoinAsync();
        await group.LeaveAsync(old);
        await group.UntilOwnedAsync(1);
        return group.Members[0].Owned[0];
    }

    private static Commit Reading(TopicPartition input, long nextOffset)
    {
        var commit = new Commit();
        commit.SetPosition(input.Topic, nextOffset);
        return commit;
    }

    private async ValueTask CommitAsync(OwnedPartition owned, TopicPartition input, TopicPartition output, string text)
    {
        using var commit = new Commit();
        commit.SetPosition(input.Topic, text[0] == 'm' ? 1_000 : long.Parse(text, CultureInfo.InvariantCulture) + 1);
        commit.Put("totals", Bytes("last"), Bytes(text));
        Fill(commit.To(output), text);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    private async ValueTask AssertUnchangedAsync(GroupDriver group, TopicPartition output)
    {
        Assert.Null(TextOf(group.Members[0].Owned[0], "totals", "key"));
        await group.LeaveAsync(group.Members[0]);
        var next = await OwnAsync(group);
        Assert.Equal(0, next.Positions.Single().NextOffset);
        Assert.Empty(next.Scan("totals"));
        await AssertHoldsAsync(output);
    }

    private static string? TextOf(OwnedPartition owned, string store, string key) =>
        owned.TryGet(store, Bytes(key), out var value) ? System.Text.Encoding.UTF8.GetString(value.Span) : null;
}

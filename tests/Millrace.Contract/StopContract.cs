namespace Millrace.Contract;

/// <summary>What callers meet when the engine stops, and when they cancel.</summary>
public abstract class StopContract : EngineContract
{
    [Fact]
    public async Task After_the_stop_every_call_says_stopped()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a");
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        using var commit = new Commit();
        Fill(commit.To(partition), "late");

        await Engine.DisposeAsync();

        await AssertStoppedAsync(() => Engine.CommitAsync(commit, Cancellation));
        await AssertStoppedAsync(() => Engine.AppendAsync(partition, batch => Fill(batch, "late"), producer, Cancellation));
        await AssertStoppedAsync(() => Engine.CreateTopicAsync(new TopicSpecification { Name = Named("late") }, Cancellation));
        await AssertStoppedAsync(() => Engine.ListTopicsAsync(Cancellation));
        await AssertStoppedAsync(() => Engine.FindTopicAsync(partition.Topic, Cancellation));
        await AssertFailsAsync(FailureCodes.Stopped, () => Engine.DeleteTopicAsync(partition.Topic, Cancellation));
        await AssertStoppedAsync(() => Engine.OpenProducerAsync(Named("till"), Cancellation));
        await AssertStoppedAsync(() => Engine.FindOffsetAsync(partition, DateTimeOffset.UnixEpoch, Cancellation));
        await AssertStoppedAsync(() => Engine.JoinAsync(Subscription(partition.Topic), Cancellation));
        await AssertStoppedAsync(() => Engine.ListGroupsAsync(Cancellation));
        await AssertStoppedAsync(() => Engine.DescribeLagAsync(Named("payments"), Cancellation));
        Assert.Equal(FailureCodes.Stopped, Assert.Throws<MillraceException>(() => Engine.OpenReader(partition, 0)).Code);
    }

    [Fact]
    public async Task Whoever_waits_is_woken_by_the_stop_and_what_was_open_can_still_be_closed()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a");
        var waiting = Engine.OpenReader(partition, (await DescribeAsync(partition)).EndOffset);
        var reading = Engine.OpenReader(partition, 0);
        var member = await Engine.JoinAsync(Subscription(partition.Topic), Cancellation);
        var owned = Assert.Single(Assert.IsType<AssignmentChange.Assigned>(await member.NextChangeAsync(Cancellation)).Partitions);
        var read = waiting.ReadAsync(1 << 20, Cancellation).AsTask();
        var change = member.NextChangeAsync(Cancellation).AsTask();

        await Engine.DisposeAsync();

        await AssertFailsAsync(FailureCodes.Stopped, async () => await read);
        await AssertFailsAsync(FailureCodes.Stopped, async () => await change);
        await AssertFailsAsync(FailureCodes.Stopped, async () => await reading.ReadAsync(1 << 20, Cancellation));
        using var commit = new Commit();
        commit.SetPosition(partition.Topic, 1);
        await AssertStoppedAsync(() => owned.CommitAsync(commit, Cancellation));
        waiting.Dispose();
        reading.Dispose();
        await member.DisposeAsync();
    }

    [Fact]
    public async Task Stopping_twice_is_no_failure()
    {
        await Engine.DisposeAsync();
        await Engine.DisposeAsync();
    }

    [Fact]
    public async Task Commits_under_way_at_the_stop_are_acknowledged_and_kept_or_refused()
    {
        var partition = await CreatePartitionAsync();
        var sending = Enumerable.Range(0, 100).Select(number => AppendAsync(partition, $"{number}").AsTask()).ToList();

        await Engine.DisposeAsync();
        var acknowledged = new List<string>();
        for (var number = 0; number < sending.Count; number++)
        {
            try
            {
                await sending[number];
                acknowledged.Add($"{number}");
            }
            catch (MillraceException failure)
            {
                Assert.Equal(FailureCodes.Stopped, failure.Code);
            }
        }

        await ReopenAsync();
        var kept = await ReadToEndAsync(partition);
        Assert.Subset(kept.ToHashSet(), acknowledged.ToHashSet());
        Assert.Equal(kept.Count, kept.Distinct().Count());
    }

    [Fact]
    public async Task A_cancelled_token_ends_a_call_before_it_begins()
    {
        var partition = await CreatePartitionAsync();
        var cancelled = new CancellationToken(canceled: true);
        using var reader = Engine.OpenReader(partition, 0);
        await using var member = await Engine.JoinAsync(Subscription(partition.Topic), Cancellation);
        var owned = Assert.Single(Assert.IsType<AssignmentChange.Assigned>(await member.NextChangeAsync(Cancellation)).Partitions);
        using var commit = new Commit();
        Fill(commit.To(partition), "must not appear");

        await AssertCancelledAsync(async () => await Engine.CommitAsync(commit, cancelled));
        await AssertCancelledAsync(async () => await owned.CommitAsync(commit, cancelled));
        await AssertCancelledAsync(async () => await Engine.CreateTopicAsync(new TopicSpecification { Name = Named("late") }, cancelled));
        await AssertCancelledAsync(async () => await Engine.DeleteTopicAsync(partition.Topic, cancelled));
        await AssertCancelledAsync(async () => await reader.WaitAsync(cancelled));
        await AssertCancelledAsync(async () => await member.NextChangeAsync(cancelled));

        Assert.Null(await Engine.FindTopicAsync(Named("late"), Cancellation));
        await AssertHoldsAsync(partition);
    }

    [Fact]
    public async Task A_wait_that_was_cancelled_loses_nothing()
    {
        var partition = await CreatePartitionAsync();
        using var reader = Engine.OpenReader(partition, 0);
        await using var member = await Engine.JoinAsync(Subscription(partition.Topic), Cancellation);
        await member.NextChangeAsync(Cancellation);
        using var impatience = new CancellationTokenSource();
        var read = reader.ReadAsync(1 << 20, impatience.Token).AsTask();
        var change = member.NextChangeAsync(impatience.Token).AsTask();

        await impatience.CancelAsync();
        await AssertCancelledAsync(() => read);
        await AssertCancelledAsync(() => change);
        await AppendAsync(partition, "a");
        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
        var other = await Engine.JoinAsync(Subscription(partition.Topic), Cancellation);
        await member.DisposeAsync();

        Assert.Equal(["a"], SeenRecord.AllOf(fetched).Select(record => record.Text));
        Assert.IsType<AssignmentChange.Assigned>(await other.NextChangeAsync(Cancellation));
        await other.DisposeAsync();
    }

    [Fact]
    public async Task A_commit_cancelled_under_way_is_there_whole_or_not_at_all_and_the_engine_goes_on()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        var (left, right) = (new TopicPartition(topic, 0), new TopicPartition(topic, 1));
        for (var number = 0; number < 50; number++)
        {
            using var impatience = new CancellationTokenSource();
            var commit = new Commit();
            Fill(commit.To(left), $"{number}");
            Fill(commit.To(right), $"{number}");
            var committing = Engine.CommitAsync(commit, impatience.Token).AsTask();
            await impatience.CancelAsync();
            await ((Task)committing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await AppendAsync(left, "last");
        await AppendAsync(right, "last");

        Assert.Equal(await ReadToEndAsync(left), await ReadToEndAsync(right));
    }

    private GroupSubscription Subscription(string topic) => new() { Group = Named("payments"), Topics = [topic] };

    private async ValueTask<IReadOnlyList<string>> ReadToEndAsync(TopicPartition partition)
    {
        var last = Guid.NewGuid().ToString("N");
        await AppendAsync(partition, last);
        using var reader = Engine.OpenReader(partition, 0);
        var seen = new List<string>();
        while (seen.Count == 0 || seen[^1] != last)
        {
            using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
            seen.AddRange(SeenRecord.AllOf(fetched).Select(record => record.Text));
        }

        seen.RemoveAt(seen.Count - 1);
        return seen;
    }

    private static async Task AssertStoppedAsync<T>(Func<ValueTask<T>> call) => await AssertFailsAsync(FailureCodes.Stopped, call);

    private static Task<OperationCanceledException> AssertCancelledAsync(Func<Task> call) =>
        Assert.ThrowsAnyAsync<OperationCanceledException>(call);
}

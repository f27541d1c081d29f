namespace Millrace.Contract;

/// <summary>Expected versions of event streams, for engines that have them; the others refuse.</summary>
public abstract class ConditionalAppendContract : EngineContract
{
    [Fact]
    public async Task An_engine_without_expected_versions_refuses_them_and_nothing_happens()
    {
        Assert.SkipWhen(Engine.Capabilities.HasConditionalAppend, "This engine has conditional appends.");
        var partition = await CreatePartitionAsync();
        using var commit = Event(partition, "account-1", 0, "opened");

        await AssertFailsAsync(FailureCodes.NotSupported, () => Engine.CommitAsync(commit, Cancellation));

        await AssertHoldsAsync(partition);
    }

    [Fact]
    public async Task A_stream_grows_by_what_each_commit_adds()
    {
        var partition = await CreateStreamsAsync();

        using var first = Event(partition, "account-1", 0, "opened");
        using var second = Event(partition, "account-1", 1, "paid in", "paid out");
        using var third = Event(partition, "account-1", 3, "closed");
        await CommitAsync(first);
        await CommitAsync(second);
        await CommitAsync(third);

        await AssertHoldsAsync(partition, "opened", "paid in", "paid out", "closed");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Another_version_is_a_conflict_that_says_the_actual_one_and_nothing_happens(long version)
    {
        var partition = await CreateStreamsAsync();
        using var first = Event(partition, "account-1", 0, "opened", "paid in");
        await CommitAsync(first);

        using var stale = Event(partition, "account-1", version, "must not appear");
        var result = await Engine.CommitAsync(stale, Cancellation);

        var conflict = Assert.IsType<CommitResult.Conflicted>(result);
        Assert.Equal(2, conflict.ActualVersion);
        Assert.Equal(new ExpectedVersion(partition.Topic, "account-1", version, 1), conflict.Expected);
        await AssertHoldsAsync(partition, "opened", "paid in");
    }

    [Fact]
    public async Task A_stream_that_was_never_written_has_version_0()
    {
        var partition = await CreateStreamsAsync();

        using var commit = Event(partition, "account-1", 7, "must not appear");
        var result = await Engine.CommitAsync(commit, Cancellation);

        Assert.Equal(0, Assert.IsType<CommitResult.Conflicted>(result).ActualVersion);
    }

    [Fact]
    public async Task Nothing_of_a_conflicting_commit_happens_on_any_partition_or_stream()
    {
        var topic = (await CreateStreamsAsync(partitions: 3)).Topic;
        using var opened = Event(new TopicPartition(topic, 0), "a", 0, "a opened");
        await CommitAsync(opened);
        using var transfer = new Commit();
        Fill(transfer.To(new TopicPartition(topic, 1)), "b opened");
        transfer.Expect(topic, "b", 0, 1);
        Fill(transfer.To(new TopicPartition(topic, 0)), "a opened again");
        transfer.Expect(topic, "a", 0, 1);
        Fill(transfer.To(new TopicPartition(topic, 2)), "unconditional");

        var result = await Engine.CommitAsync(transfer, Cancellation);

        var conflict = Assert.IsType<CommitResult.Conflicted>(result);
        Assert.Equal(("a", 1L), (conflict.Expected.StreamKey, conflict.ActualVersion));
        using var unharmed = Event(new TopicPartition(topic, 1), "b", 0, "b is still new");
        await CommitAsync(unharmed);
        await AssertHoldsAsync(new TopicPartition(topic, 0), "a opened");
        await AssertHoldsAsync(new TopicPartition(topic, 1), "b is still new");
        await AssertHoldsAsync(new TopicPartition(topic, 2));
    }

    [Fact]
    public async Task Streams_of_the_same_key_in_two_topics_are_two_streams()
    {
        var first = await CreateStreamsAsync();
        var second = new TopicPartition(await CreateTopicAsync("transfers"), 0);
        using var one = Event(first, "key", 0, "a", "b");
        using var other = Event(second, "key", 0, "c");

        await CommitAsync(one);
        await CommitAsync(other);

        await AssertHoldsAsync(first, "a", "b");
        await AssertHoldsAsync(second, "c");
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Versions_survive_a_restart(Ending ending)
    {
        var partition = await CreateStreamsAsync();
        using var first = Event(partition, "account-1", 0, "opened", "paid in");
        await CommitAsync(first);

        await ReopenAsync(ending);

        using var stale = Event(partition, "account-1", 1, "must not appear");
        using var right = Event(partition, "account-1", 2, "closed");
        Assert.Equal(2, Assert.IsType<CommitResult.Conflicted>(await Engine.CommitAsync(stale, Cancellation)).ActualVersion);
        await CommitAsync(right);
        await AssertHoldsAsync(partition, "opened", "paid in", "closed");
    }

    [Fact]
    public async Task Exactly_one_of_concurrent_writers_wins_each_version()
    {
        var partition = await CreateStreamsAsync();
        const int writers = 6, versions = 20;

        async Task<int> WriteAsync(int writer)
        {
            var wins = 0;
            for (long version = 0; version < versions;)
            {
                using var commit = Event(partition, "account-1", version, $"{version} by {writer}");
                var result = await Engine.CommitAsync(commit, Cancellation);
                if (result is CommitResult.Committed) wins++;
                version = result is CommitResult.Conflicted conflict ? conflict.ActualVersion : version + 1;
            }

            return wins;
        }

        var wins = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(writer), Cancellation)));

        Assert.Equal(versions, wins.Sum());
        var seen = await ReadTextsAsync(partition, 0, versions);
        Assert.Equal(Enumerable.Range(0, versions).Select(version => $"{version} by"), seen.Select(text => text[..text.LastIndexOf(' ')]));
        await AssertHoldsAsync(partition, [.. seen]);
    }

    [Fact]
    public async Task Writers_of_other_streams_are_not_in_the_way()
    {
        var partition = await CreateStreamsAsync();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(async stream =>
        {
            for (var version = 0; version < 5; version++)
            {
                using var commit = Event(partition, $"stream-{stream}", version, $"{stream}.{version}");
                await CommitAsync(commit);
            }
        }));

        var seen = await ReadTextsAsync(partition, 0, 100);
        for (var stream = 0; stream < 20; stream++)
        {
            Assert.Equal(Enumerable.Range(0, 5).Select(version => $"{stream}.{version}"),
                seen.Where(text => text.StartsWith($"{stream}.", StringComparison.Ordinal)));
        }
    }

    private async ValueTask<TopicPartition> CreateStreamsAsync(int partitions = 1)
    {
        Assert.SkipUnless(Engine.Capabilities.HasConditionalAppend, "This engine has no conditional appends.");
        return new TopicPartition(await CreateTopicAsync("accounts", partitions), 0);
    }

    private static Commit Event(TopicPartition partition, string stream, long version, params string[] texts)
    {
        var commit = new Commit();
        foreach (var text in texts) commit.To(partition).Add(Now, Bytes(stream), Bytes(text));
        commit.Expect(partition.Topic, stream, version, texts.Length);
        return commit;
    }
}

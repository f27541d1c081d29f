namespace Millrace.Contract;

/// <summary>Commits without a group: offsets, batches on many partitions, refusals, and what a restart must find.</summary>
public abstract class AppendContract : EngineContract
{
    [Fact]
    public async Task The_first_record_of_a_topic_gets_offset_0_and_later_batches_follow_in_order()
    {
        var partition = await CreatePartitionAsync();

        var first = await AppendAsync(partition, "a", "b", "c");
        var second = await AppendAsync(partition, "d");
        var third = await AppendAsync(partition, "e", "f");

        Assert.Equal(0, first);
        AssertPast(3, second);
        AssertPast(second + 1, third);
        var seen = await ReadAsync(partition, 0, 6);
        Assert.Equal(["a", "b", "c", "d", "e", "f"], seen.Select(record => record.Text));
        Assert.Equal(second, seen[3].Offset);
        Assert.Equal(third, seen[4].Offset);
        Assert.True(seen.Zip(seen.Skip(1)).All(pair => pair.First.Offset < pair.Second.Offset), "Offsets must ascend.");
    }

    [Fact]
    public async Task A_commit_returns_one_base_offset_per_batch_in_the_order_of_its_batches()
    {
        var topic = await CreateTopicAsync(partitions: 3);
        await AppendAsync(new TopicPartition(topic, 2), "earlier");
        using var commit = new Commit();
        Fill(commit.To(new TopicPartition(topic, 2)), "c");
        Fill(commit.To(new TopicPartition(topic, 0)), "a");
        Fill(commit.To(new TopicPartition(topic, 2)), "d");

        var offsets = await CommitAsync(commit);

        Assert.Equal(2, offsets.Count);
        Assert.Equal(offsets[0], (await ReadAsync(new TopicPartition(topic, 2), 0, 3)).Single(record => record.Text == "c").Offset);
        Assert.Equal(0, offsets[1]);
        await AssertHoldsAsync(new TopicPartition(topic, 0), "a");
        await AssertHoldsAsync(new TopicPartition(topic, 1));
        await AssertHoldsAsync(new TopicPartition(topic, 2), "earlier", "c", "d");
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task A_commit_over_many_topics_and_partitions_is_whole_after_a_restart(Ending ending)
    {
        string[] topics = [await CreateTopicAsync("a", 4), await CreateTopicAsync("b", 4)];
        var partitions = topics.SelectMany(topic => Enumerable.Range(0, 4).Select(number => new TopicPartition(topic, number))).ToList();
        for (var round = 0; round < 3; round++)
        {
            using var commit = new Commit();
            foreach (var partition in partitions) Fill(commit.To(partition), $"{partition} {round}");
            await CommitAsync(commit);
        }

        await ReopenAsync(ending);

        foreach (var partition in partitions)
            await AssertHoldsAsync(partition, [.. Enumerable.Range(0, 3).Select(round => $"{partition} {round}")]);
    }

    [Fact]
    public async Task An_unknown_topic_is_refused_and_nothing_of_the_commit_happens()
    {
        var known = await CreatePartitionAsync();
        using var commit = new Commit();
        Fill(commit.To(known), "must not appear");
        Fill(commit.To(new TopicPartition(Named("nowhere"), 0)), "nor this");

        var failure = await AssertFailsAsync(FailureCodes.TopicNotFound, () => Engine.CommitAsync(commit, Cancellation));

        Assert.Contains(Named("nowhere"), failure.Message, StringComparison.Ordinal);
        await AssertHoldsAsync(known);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public async Task An_unknown_partition_is_refused_and_nothing_of_the_commit_happens(int unknown)
    {
        var topic = await CreateTopicAsync(partitions: 2);
        using var commit = new Commit();
        Fill(commit.To(new TopicPartition(topic, 0)), "must not appear");
        Fill(commit.To(new TopicPartition(topic, unknown)), "nor this");

        await AssertFailsAsync(FailureCodes.TopicNotFound, () => Engine.CommitAsync(commit, Cancellation));

        await AssertHoldsAsync(new TopicPartition(topic, 0));
    }

    [Fact]
    public async Task Positions_need_an_owner()
    {
        var partition = await CreatePartitionAsync();
        using var commit = new Commit();
        Fill(commit.To(partition), "must not appear");
        commit.SetPosition(partition.Topic, 0);

        await Assert.ThrowsAsync<ArgumentException>(async () => await Engine.CommitAsync(commit, Cancellation));

        await AssertHoldsAsync(partition);
    }

    [Fact]
    public async Task State_needs_an_owner()
    {
        var partition = await CreatePartitionAsync();
        using var commit = new Commit();
        Fill(commit.To(partition), "must not appear");
        commit.Put("store", Bytes("key"), Bytes("value"));

        await Assert.ThrowsAsync<ArgumentException>(async () => await Engine.CommitAsync(commit, Cancellation));

        await AssertHoldsAsync(partition);
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Records_and_offsets_survive_restarts_and_appends_go_on_after_them(Ending ending)
    {
        var partition = await CreatePartitionAsync();
        var texts = new List<string>();
        for (var start = 0; start < 4; start++)
        {
            for (var batch = 0; batch < 3; batch++)
            {
                string[] added = [$"{start}.{batch}.0", $"{start}.{batch}.1"];
                await AppendAsync(partition, added);
                texts.AddRange(added);
            }

            var before = await ReadAsync(partition, 0, texts.Count);
            await ReopenAsync(ending);
            var after = await ReadAsync(partition, 0, texts.Count);

            Assert.Equal(before.Select(record => (record.Offset, record.Timestamp, record.Text)),
                after.Select(record => (record.Offset, record.Timestamp, record.Text)));
        }

        await AssertHoldsAsync(partition, [.. texts]);
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task More_than_a_few_files_of_records_survive_a_restart(Ending ending)
    {
        var topic = await CreateTopicAsync(partitions: 2);
        var texts = Enumerable.Range(0, 60).Select(number => $"{number} " + new string('x', 400)).ToList();
        foreach (var text in texts)
        {
            using var commit = new Commit();
            for (var number = 0; number < 2; number++) Fill(commit.To(new TopicPartition(topic, number)), text);
            await CommitAsync(commit);
        }

        await ReopenAsync(ending);

        for (var number = 0; number < 2; number++) await AssertHoldsAsync(new TopicPartition(topic, number), [.. texts]);
    }

    [Fact]
    public async Task Commits_sent_without_waiting_all_arrive_once()
    {
        var partition = await CreatePartitionAsync();

        var sent = await Task.WhenAll(Enumerable.Range(0, 50).Select(number => AppendAsync(partition, $"{number}").AsTask()));

        Assert.Equal(50, sent.Distinct().Count());
        var seen = await ReadAsync(partition, 0, 50);
        for (var number = 0; number < 50; number++) Assert.Equal($"{number}", seen.Single(record => record.Offset == sent[number]).Text);
    }

    [Fact]
    public async Task A_large_batch_and_a_large_record_come_back_unchanged()
    {
        var partition = await CreatePartitionAsync();
        var large = new byte[500_000];
        Seeded().NextBytes(large);

        await Engine.AppendAsync(partition, batch => batch.Add(Now, Bytes("large"), large), null, Cancellation);
        await AppendAsync(partition, [.. Enumerable.Range(0, 5_000).Select(number => $"{number}")]);
        var seen = await ReadAsync(partition, 0, 5_001);

        Assert.Equal(large, seen[0].Value);
        Assert.Equal(Enumerable.Range(0, 5_000).Select(number => $"{number}"), seen.Skip(1).Select(record => record.Text));
    }

    [Fact]
    public async Task The_callers_buffers_may_be_used_again_once_a_commit_is_done()
    {
        var partition = await CreatePartitionAsync();
        for (var number = 0; number < 20; number++)
        {
            using var commit = new Commit();
            Fill(commit.To(partition), $"{number} " + new string('x', 3_000));
            await CommitAsync(commit);
        }

        var seen = await ReadTextsAsync(partition, 0, 20);

        Assert.Equal(Enumerable.Range(0, 20).Select(number => $"{number} " + new string('x', 3_000)), seen);
    }
}

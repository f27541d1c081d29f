namespace Millrace.Contract;

/// <summary>Topics: create, find, list, ensure, delete, and what a bad specification is told.</summary>
public abstract class TopicContract : EngineContract
{
    [Fact]
    public async Task A_created_topic_is_empty_and_described_as_specified()
    {
        var specification = new TopicSpecification { Name = Named("orders.created"), Partitions = 3 };

        var created = await Engine.CreateTopicAsync(specification, Cancellation);

        Assert.Equal(specification.Name, created.Name);
        Assert.NotEqual(Guid.Empty, created.Id);
        Assert.Equal(Durability.Synced, created.Durability);
        Assert.Equal([0, 1, 2], created.Partitions.Select(partition => partition.Partition));
        Assert.All(created.Partitions, partition => Assert.Equal((0L, 0L), (partition.StartOffset, partition.EndOffset)));
    }

    [Fact]
    public async Task A_topic_is_found_with_its_present_offsets()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        await AppendAsync(new TopicPartition(topic, 1), "a", "b", "c");

        var found = await Engine.FindTopicAsync(topic, Cancellation);

        Assert.NotNull(found);
        Assert.Equal(0, found.Partitions[0].EndOffset);
        Assert.Equal(0, found.Partitions[1].StartOffset);
        AssertPast(3, found.Partitions[1].EndOffset);
    }

    [Fact]
    public async Task A_topic_that_does_not_exist_is_found_as_null()
    {
        Assert.Null(await Engine.FindTopicAsync(Named("nowhere"), Cancellation));
    }

    [Fact]
    public async Task Topics_are_listed_by_name_in_ordinal_order()
    {
        string[] names = [Named("b"), Named("B"), Named("a.x"), Named("a-x"), Named("a_y")];
        foreach (var name in names) await Engine.CreateTopicAsync(new TopicSpecification { Name = name, Partitions = 1 }, Cancellation);

        var listed = (await Engine.ListTopicsAsync(Cancellation)).Select(topic => topic.Name).ToList();

        Assert.Equal(names.Order(StringComparer.Ordinal), listed.Where(names.Contains));
        Assert.Equal(listed.Order(StringComparer.Ordinal), listed);
    }

    [Fact]
    public async Task A_name_that_is_taken_is_refused()
    {
        var topic = await CreateTopicAsync();

        var failure = await AssertFailsAsync(FailureCodes.TopicExists,
            () => Engine.CreateTopicAsync(new TopicSpecification { Name = topic, Partitions = 1 }, Cancellation));

        Assert.Contains(topic, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_differs_from_another_only_in_dots_and_underscores_is_refused()
    {
        var topic = await CreateTopicAsync("orders.created");

        var failure = await AssertFailsAsync(FailureCodes.TopicExists, () => Engine.CreateTopicAsync(
            new TopicSpecification { Name = topic.Replace("orders.created", "orders_created", StringComparison.Ordinal), Partitions = 1 },
            Cancellation));

        Assert.Contains(topic, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 1, "name")]
    [InlineData("two words", 1, "two words")]
    [InlineData("..", 1, "..")]
    [InlineData("a/b", 1, "a/b")]
    [InlineData("größe", 1, "größe")]
    [InlineData("orders", 0, "0 partitions")]
    [InlineData("orders", -1, "-1 partitions")]
    [InlineData("orders", 10_001, "10001 partitions")]
    public async Task A_specification_that_breaks_a_rule_is_refused_by_field_and_value(string name, int partitions, string said)
    {
        var specification = new TopicSpecification { Name = name, Partitions = partitions };

        var failure = await Assert.ThrowsAsync<ArgumentException>(
            async () => await Engine.CreateTopicAsync(specification, Cancellation));

        Assert.Contains(said, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(name, (await Engine.ListTopicsAsync(Cancellation)).Select(topic => topic.Name));
    }

    [Fact]
    public async Task The_longest_name_is_accepted_and_one_character_more_is_not()
    {
        var longest = Named("x").PadRight(249, 'x');

        await Engine.CreateTopicAsync(new TopicSpecification { Name = longest, Partitions = 1 }, Cancellation);
        await AppendAsync(new TopicPartition(longest, 0), "a");

        Assert.Equal(["a"], await ReadTextsAsync(new TopicPartition(longest, 0), 0, 1));
        await Assert.ThrowsAsync<ArgumentException>(
            async () => await Engine.CreateTopicAsync(new TopicSpecification { Name = longest + "x", Partitions = 1 }, Cancellation));
    }

    [Fact]
    public async Task A_deleted_topic_is_gone()
    {
        var topic = await CreateTopicAsync();
        await AppendAsync(new TopicPartition(topic, 0), "a");

        await Engine.DeleteTopicAsync(topic, Cancellation);

        Assert.Null(await Engine.FindTopicAsync(topic, Cancellation));
        Assert.DoesNotContain(topic, (await Engine.ListTopicsAsync(Cancellation)).Select(found => found.Name));
        await AssertFailsAsync(FailureCodes.TopicNotFound, () => AppendAsync(new TopicPartition(topic, 0), "b"));
    }

    [Fact]
    public async Task Deleting_what_does_not_exist_is_refused()
    {
        await AssertFailsAsync(FailureCodes.TopicNotFound, () => Engine.DeleteTopicAsync(Named("nowhere"), Cancellation));
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task A_topic_created_again_under_its_name_is_another_and_empty(Ending ending)
    {
        var partition = await CreatePartitionAsync();
        var first = await Engine.FindTopicAsync(partition.Topic, Cancellation);
        await AppendAsync(partition, "of the first");
        await Engine.DeleteTopicAsync(partition.Topic, Cancellation);

        var second = await Engine.CreateTopicAsync(new TopicSpecification { Name = partition.Topic, Partitions = 1 }, Cancellation);
        await AppendAsync(partition, "of the second");
        await ReopenAsync(ending);

        Assert.NotEqual(first!.Id, second.Id);
        Assert.Equal(second.Id, (await Engine.FindTopicAsync(partition.Topic, Cancellation))!.Id);
        Assert.Equal(0, (await ReadAsync(partition, 0, 1))[0].Offset);
        await AssertHoldsAsync(partition, "of the second");
    }

    [Fact]
    public async Task A_topic_may_be_deleted_and_created_again_at_once_while_others_are_written()
    {
        var other = await CreatePartitionAsync("busy");
        var again = await CreatePartitionAsync();
        var texts = new List<string>();
        for (var round = 0; round < 40; round++)
        {
            for (var batch = 0; batch < 4; batch++)
            {
                texts.Add($"{round}.{batch} " + new string('x', 400));
                await AppendAsync(other, texts[^1]);
            }

            await Engine.DeleteTopicAsync(again.Topic, Cancellation);
            await Engine.CreateTopicAsync(new TopicSpecification { Name = again.Topic, Partitions = 1 }, Cancellation);
            await AppendAsync(again, $"of round {round}");
        }

        await ReopenAsync();

        await AssertHoldsAsync(again, "of round 39");
        await AssertHoldsAsync(other, [.. texts]);
    }

    [Fact]
    public async Task Readers_of_a_deleted_topic_fail_whether_they_wait_or_read()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a");
        using var waiting = Engine.OpenReader(partition, (await DescribeAsync(partition)).EndOffset);
        using var reading = Engine.OpenReader(partition, 0);
        Assert.Null(waiting.TryRead(1 << 20));
        var wait = waiting.ReadAsync(1 << 20, Cancellation);

        await Engine.DeleteTopicAsync(partition.Topic, Cancellation);

        await AssertFailsAsync(FailureCodes.TopicNotFound, () => wait);
        await AssertFailsAsync(FailureCodes.TopicNotFound, async () =>
        {
            // Kafka's client may hand out what it had fetched before it learns of the deletion.
            while (true) (await reading.ReadAsync(1 << 20, Cancellation)).Dispose();
        });
    }

    [Fact]
    public async Task Ensuring_creates_once_and_then_finds_the_same()
    {
        var specification = new TopicSpecification { Name = Named("orders.created"), Partitions = 2 };

        var ensured = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await Engine.EnsureTopicAsync(specification, Cancellation))));

        Assert.Single(ensured.Select(topic => topic.Id).Distinct());
        Assert.All(ensured, topic => Assert.Equal(2, topic.Partitions.Count));
    }

    [Fact]
    public async Task Ensuring_with_other_partitions_is_refused_and_says_both_numbers()
    {
        var topic = await CreateTopicAsync(partitions: 2);

        var failure = await AssertFailsAsync(FailureCodes.TopicExists,
            () => Engine.EnsureTopicAsync(new TopicSpecification { Name = topic, Partitions = 3 }, Cancellation));

        Assert.Contains(topic, failure.Message, StringComparison.Ordinal);
        Assert.Contains("2 partitions", failure.Message, StringComparison.Ordinal);
        Assert.Contains("3 and", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Topics_and_their_ids_survive_a_restart(Ending ending)
    {
        var kept = await CreateTopicAsync("kept", partitions: 3);
        var deleted = await CreateTopicAsync("deleted");
        await Engine.DeleteTopicAsync(deleted, Cancellation);
        var before = await Engine.FindTopicAsync(kept, Cancellation);

        await ReopenAsync(ending);

        var after = await Engine.FindTopicAsync(kept, Cancellation);
        Assert.Equal((before!.Id, before.Partitions.Count, before.Durability), (after!.Id, after.Partitions.Count, after.Durability));
        Assert.Null(await Engine.FindTopicAsync(deleted, Cancellation));
    }

    [Fact]
    public async Task A_topic_of_relaxed_durability_keeps_its_records_over_a_graceful_stop()
    {
        var partition = new TopicPartition(Named("clicks"), 0);
        await Engine.CreateTopicAsync(
            new TopicSpecification { Name = partition.Topic, Partitions = 1, Durability = Durability.Relaxed }, Cancellation);
        await AppendAsync(partition, "a", "b");

        await ReopenAsync();

        await AssertHoldsAsync(partition, "a", "b");
    }
}

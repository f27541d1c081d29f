namespace Millrace.Contract;

/// <summary>
/// Idempotent producers. The engine that handed a producer out knows what it acknowledged, so that a batch sent again under the same number
/// is answered, not written. No test expects a producer of an earlier engine instance to go on, since Kafka ends it with its process.
/// </summary>
public abstract class ProducerContract : EngineContract
{
    [Fact]
    public async Task A_producer_has_its_name_and_begins_at_sequence_0()
    {
        var partition = await CreatePartitionAsync();

        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);

        Assert.Equal(Named("till"), producer.Name);
        Assert.Equal(0, producer.NextSequence(partition));
        Assert.True(producer.Epoch >= 0, $"Epoch {producer.Epoch}.");
    }

    [Fact]
    public async Task Appends_through_a_producer_keep_their_order_and_advance_it()
    {
        var partition = await CreatePartitionAsync();
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);

        for (var number = 0; number < 10; number++) await AppendAsync(producer, partition, $"{number}.0", $"{number}.1");

        Assert.Equal(20, producer.NextSequence(partition));
        await AssertHoldsAsync(partition, [.. Enumerable.Range(0, 10).SelectMany(number => new[] { $"{number}.0", $"{number}.1" })]);
    }

    [Fact]
    public async Task A_batch_sent_again_gets_the_same_offset_and_is_there_once()
    {
        var partition = await CreatePartitionAsync();
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AppendAsync(producer, partition, "first");

        var sent = await SendAsync(producer, partition, "a", "b");
        await AppendAsync(partition, "by another");
        var again = await SendAsync(producer, partition, "a", "b");
        producer.Advance(partition, 2);
        await AppendAsync(producer, partition, "c");

        Assert.Equal(sent, again);
        await AssertHoldsAsync(partition, "first", "a", "b", "by another", "c");
    }

    [Fact]
    public async Task A_batch_sent_twice_at_the_same_time_is_there_once()
    {
        var partition = await CreatePartitionAsync();
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);

        for (var number = 0; number < 20; number++)
        {
            var first = SendAsync(producer, partition, $"{number}").AsTask();
            var second = SendAsync(producer, partition, $"{number}").AsTask();
            Assert.Equal(await first, await second);
            producer.Advance(partition, 1);
        }

        await AssertHoldsAsync(partition, [.. Enumerable.Range(0, 20).Select(number => $"{number}")]);
    }

    [Fact]
    public async Task A_commit_over_many_partitions_sent_again_is_there_once()
    {
        var topic = await CreateTopicAsync(partitions: 3);
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);

        async Task<IReadOnlyList<long>> SendToAllAsync()
        {
            using var commit = new Commit { Producer = producer };
            for (var number = 0; number < 3; number++) Fill(commit.To(new TopicPartition(topic, number)), $"to {number}");
            return await CommitAsync(commit);
        }

        var sent = await SendToAllAsync();
        var again = await SendToAllAsync();

        Assert.Equal(sent, again);
        for (var number = 0; number < 3; number++) await AssertHoldsAsync(new TopicPartition(topic, number), $"to {number}");
    }

    [Fact]
    public async Task A_gap_in_the_sequence_is_refused_and_nothing_happens()
    {
        var topic = await CreateTopicAsync(partitions: 2);
        var (gap, whole) = (new TopicPartition(topic, 0), new TopicPartition(topic, 1));
        var producer = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AppendAsync(producer, gap, "first");
        producer.Advance(gap, 3);
        using var commit = new Commit { Producer = producer };
        Fill(commit.To(whole), "must not appear");
        Fill(commit.To(gap), "nor this");

        await AssertFailsAsync(FailureCodes.SequenceGap, () => Engine.CommitAsync(commit, Cancellation));

        await AssertHoldsAsync(gap, "first");
        await AssertHoldsAsync(whole);
    }

    [Fact]
    public async Task Opening_a_name_again_fences_the_earlier_opening_and_begins_at_sequence_0()
    {
        var partition = await CreatePartitionAsync();
        var older = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AppendAsync(older, partition, "by the older");

        var newer = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AssertFailsAsync(FailureCodes.Fenced, () => AppendAsync(older, partition, "must not appear"));
        await AppendAsync(newer, partition, "by the newer");

        Assert.True(newer.Epoch > older.Epoch || newer.Id != older.Id, $"{newer} must differ from {older}.");
        await AssertFailsAsync(FailureCodes.Fenced, () => AppendAsync(older, partition, "nor this"));
        await AssertHoldsAsync(partition, "by the older", "by the newer");
    }

    [Fact]
    public async Task Producers_of_different_names_do_not_meet()
    {
        var partition = await CreatePartitionAsync();
        var one = await Engine.OpenProducerAsync(Named("till-1"), Cancellation);
        var other = await Engine.OpenProducerAsync(Named("till-2"), Cancellation);

        await AppendAsync(one, partition, "a");
        await AppendAsync(other, partition, "b");
        await AppendAsync(one, partition, "c");

        Assert.NotEqual(one.Id, other.Id);
        await AssertHoldsAsync(partition, "a", "b", "c");
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task After_a_restart_the_name_has_a_newer_epoch_and_appends_go_on(Ending ending)
    {
        var partition = await CreatePartitionAsync();
        var older = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AppendAsync(older, partition, "a");

        await ReopenAsync(ending);
        var newer = await Engine.OpenProducerAsync(Named("till"), Cancellation);
        await AppendAsync(newer, partition, "b");

        Assert.True(newer.Epoch > older.Epoch || newer.Id != older.Id, $"{newer} must differ from {older}.");
        await AssertFailsAsync(FailureCodes.Fenced, () => AppendAsync(older, partition, "must not appear"));
        await AssertHoldsAsync(partition, "a", "b");
    }

    private ValueTask<long> AppendAsync(Producer producer, TopicPartition partition, params string[] texts) =>
        Engine.AppendAsync(partition, batch => Fill(batch, texts), producer, Cancellation);

    /// <summary>Sends without advancing, so that the next send repeats the number.</summary>
    private async ValueTask<long> SendAsync(Producer producer, TopicPartition partition, params string[] texts)
    {
        using var commit = new Commit { Producer = producer };
        Fill(commit.To(partition), texts);
        return (await CommitAsync(commit))[0];
    }
}

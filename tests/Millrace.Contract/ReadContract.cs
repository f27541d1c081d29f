namespace Millrace.Contract;

/// <summary>
/// Reading a partition outside any group: where it begins, how much it takes, what it waits for, and the shape of every record.
/// </summary>
public abstract class ReadContract : EngineContract
{
    [Fact]
    public async Task A_reader_begins_in_the_middle_of_a_batch()
    {
        var partition = await CreatePartitionAsync();
        var start = await AppendAsync(partition, "a", "b", "c", "d");

        using var reader = Engine.OpenReader(partition, start + 2);
        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
        var seen = SeenRecord.AllOf(fetched);

        Assert.Equal([(start + 2, "c"), (start + 3, "d")], seen.Select(record => (record.Offset, record.Text)));
    }

    [Fact]
    public async Task A_reader_and_what_it_fetched_say_where_they_are()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a", "b");
        using var reader = Engine.OpenReader(partition, 1);
        var before = reader.Offset;

        using var fetched = await reader.ReadAsync(1 << 20, Cancellation);

        Assert.Equal(1, before);
        Assert.Equal((partition, partition), (reader.Source, fetched.Source));
        Assert.Equal(1, fetched.FromOffset);
        Assert.Equal(reader.Offset, fetched.NextOffset);
        AssertPast(2, reader.Offset);
    }

    [Fact]
    public async Task A_reader_at_the_end_reads_nothing_and_then_the_next_commit()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "before");
        using var reader = Engine.OpenReader(partition, (await DescribeAsync(partition)).EndOffset);

        Assert.Null(reader.TryRead(1 << 20));
        var wait = reader.ReadAsync(1 << 20, Cancellation);
        await AppendAsync(partition, "after");
        using var fetched = await wait;

        Assert.Equal(["after"], SeenRecord.AllOf(fetched).Select(record => record.Text));
    }

    [Fact]
    public async Task Waiting_ends_with_each_next_commit_and_misses_none()
    {
        var partition = await CreatePartitionAsync();
        using var reader = Engine.OpenReader(partition, 0);
        var appending = Task.Run(async () =>
        {
            for (var number = 0; number < 100; number++) await AppendAsync(partition, $"{number}");
        }, Cancellation);

        var seen = new List<string>();
        while (seen.Count < 100)
        {
            using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
            seen.AddRange(SeenRecord.AllOf(fetched).Select(record => record.Text));
        }

        await appending;
        Assert.Equal(Enumerable.Range(0, 100).Select(number => $"{number}"), seen);
    }

    [Fact]
    public async Task Every_waiting_reader_wakes()
    {
        var partition = await CreatePartitionAsync();
        var readers = Enumerable.Range(0, 5).Select(_ => Engine.OpenReader(partition, 0)).ToList();
        var waits = readers.Select(reader => reader.ReadAsync(1 << 20, Cancellation).AsTask()).ToList();

        await AppendAsync(partition, "a");

        foreach (var fetched in await Task.WhenAll(waits))
        {
            Assert.Equal(["a"], SeenRecord.AllOf(fetched).Select(record => record.Text));
            fetched.Dispose();
        }

        readers.ForEach(reader => reader.Dispose());
    }

    [Fact]
    public async Task An_offset_outside_the_partition_is_refused()
    {
        var partition = await CreatePartitionAsync();
        await AppendAsync(partition, "a");
        var end = (await DescribeAsync(partition)).EndOffset;

        var beyond = Assert.Throws<MillraceException>(() => Engine.OpenReader(partition, end + 1_000));
        var before = Assert.Throws<MillraceException>(() => Engine.OpenReader(partition, -1));

        Assert.Equal((FailureCodes.OffsetOutOfRange, FailureCodes.OffsetOutOfRange), (beyond.Code, before.Code));
        Assert.Contains($"{end + 1_000}", beyond.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_topic_or_partition_is_refused()
    {
        var topic = await CreateTopicAsync(partitions: 2);

        var unknownTopic = Assert.Throws<MillraceException>(() => Engine.OpenReader(new TopicPartition(Named("nowhere"), 0), 0));
        var unknownPartition = Assert.Throws<MillraceException>(() => Engine.OpenReader(new TopicPartition(topic, 2), 0));

        Assert.Equal((FailureCodes.TopicNotFound, FailureCodes.TopicNotFound), (unknownTopic.Code, unknownPartition.Code));
        await AssertFailsAsync(FailureCodes.TopicNotFound,
            () => Engine.FindOffsetAsync(new TopicPartition(Named("nowhere"), 0), DateTimeOffset.UnixEpoch, Cancellation));
    }

    [Fact]
    public async Task A_batch_larger_than_what_was_asked_for_is_read_all_the_same()
    {
        var partition = await CreatePartitionAsync();
        string[] large = [new string('x', 5_000), new string('y', 5_000)];
        await AppendAsync(partition, large);
        await AppendAsync(partition, "small");

        var seen = await ReadAsync(partition, 0, 3, bytesMax: 1);

        Assert.Equal([.. large, "small"], seen.Select(record => record.Text));
    }

    [Fact]
    public async Task A_read_takes_about_as_much_as_was_asked_for()
    {
        var partition = await CreatePartitionAsync();
        for (var number = 0; number < 40; number++) await AppendAsync(partition, new string('x', 500));
        using var reader = Engine.OpenReader(partition, 0);

        using var fetched = await reader.ReadAsync(4_000, Cancellation);

        // Key and value are the text, so a batch has about 1,100 bytes: at most one batch more than asked.
        Assert.InRange(fetched.Batches.Length, 1_000, 4_000 + 1_200);
    }

    [Fact]
    public async Task What_was_fetched_stays_as_it_was_while_the_reader_goes_on()
    {
        var partition = await CreatePartitionAsync();
        for (var number = 0; number < 10; number++) await AppendAsync(partition, $"{number} " + new string('x', 2_000));
        using var reader = Engine.OpenReader(partition, 0);
        using var first = await reader.ReadAsync(1, Cancellation);
        var copies = SeenRecord.AllOf(first);

        for (var read = copies.Count; read < 10;)
        {
            using var next = await reader.ReadAsync(1, Cancellation);
            read += SeenRecord.AllOf(next).Count;
        }

        Assert.Equal(copies.Select(record => record.Text), SeenRecord.AllOf(first).Select(record => record.Text));
    }

    [Fact]
    public async Task Null_and_empty_keys_and_values_are_told_apart()
    {
        var partition = await CreatePartitionAsync();
        await Engine.AppendAsync(partition, batch =>
        {
            batch.Add(Now, false, default, true, Bytes("null key"), ReadOnlySpan<RecordHeader>.Empty);
            batch.Add(Now, true, default, true, Bytes("empty key"), ReadOnlySpan<RecordHeader>.Empty);
            batch.Add(Now, true, Bytes("tombstone"), false, default, ReadOnlySpan<RecordHeader>.Empty);
            batch.Add(Now, true, Bytes("empty value"), true, default, ReadOnlySpan<RecordHeader>.Empty);
            batch.Add(Now, false, default, false, default, ReadOnlySpan<RecordHeader>.Empty);
        }, null, Cancellation);

        var seen = await ReadAsync(partition, 0, 5);

        Assert.Equal([null, [], Bytes("tombstone"), Bytes("empty value"), null], seen.Select(record => record.Key));
        Assert.Equal([Bytes("null key"), Bytes("empty key"), null, [], null], seen.Select(record => record.Value));
    }

    [Fact]
    public async Task Headers_keep_their_order_their_repetitions_and_their_nulls()
    {
        var partition = await CreatePartitionAsync();
        RecordHeader[] headers =
        [
            new("content-type", "application/cloudevents+json"), new("twice", "1"), new("twice", "2"),
            new(Bytes("null"), false, default), new("empty", ReadOnlyMemory<byte>.Empty), new("größe", new byte[] { 0, 255 }),
        ];
        await Engine.AppendAsync(partition, batch =>
        {
            batch.Add(Now, true, Bytes("key"), true, Bytes("value"), headers);
            batch.Add(Now, Bytes("key"), Bytes("without"));
        }, null, Cancellation);

        var seen = await ReadAsync(partition, 0, 2);

        Assert.Equal(["content-type", "twice", "twice", "null", "empty", "größe"], seen[0].Headers.Select(header => header.Name));
        Assert.Equal([Bytes("application/cloudevents+json"), Bytes("1"), Bytes("2"), null, [], [0, 255]],
            seen[0].Headers.Select(header => header.Value));
        Assert.Empty(seen[1].Headers);
    }

    [Fact]
    public async Task Timestamps_are_kept_also_when_they_go_back()
    {
        var partition = await CreatePartitionAsync();
        long[] times = [Now, Now - 60_000, Now + 1, Now - 1];
        await Engine.AppendAsync(partition, batch =>
        {
            foreach (var time in times) batch.Add(time, Bytes("key"), Bytes("value"));
        }, null, Cancellation);

        var seen = await ReadAsync(partition, 0, 4);

        Assert.Equal(times, seen.Select(record => record.Timestamp));
    }

    [Theory]
    [InlineData(-1, "1000")]
    [InlineData(0, "1000")]
    [InlineData(1_000, "1000")]
    [InlineData(1_001, "2000")]
    [InlineData(2_500, "3000")]
    [InlineData(5_000, "5000")]
    [InlineData(5_001, "(after all)")]
    public async Task The_first_record_at_or_after_a_time_is_found(int time, string expected)
    {
        var partition = await CreatePartitionAsync();
        var start = Now - 600_000;
        await AppendAtAsync(partition, start, 1_000, 2_000);
        await AppendAtAsync(partition, start, 3_000);
        await AppendAtAsync(partition, start, 4_000, 5_000);

        var offset = await Engine.FindOffsetAsync(partition, DateTimeOffset.FromUnixTimeMilliseconds(start + time), Cancellation);
        await AppendAsync(partition, "(after all)");

        Assert.Equal(expected, (await ReadTextsAsync(partition, offset, 1))[0]);
    }

    [Theory]
    [InlineData(Ending.Graceful)]
    [InlineData(Ending.Crash)]
    public async Task Times_are_found_in_records_out_of_order_and_after_a_restart(Ending ending)
    {
        var partition = await CreatePartitionAsync();
        var start = Now - 600_000;
        await AppendAtAsync(partition, start, 1_000, 9_000, 2_000, 3_000);
        await AppendAtAsync(partition, start, 4_000, 12_000);
        await ReopenAsync(ending);

        async Task<string> FindAsync(long time)
        {
            var offset = await Engine.FindOffsetAsync(partition, DateTimeOffset.FromUnixTimeMilliseconds(start + time), Cancellation);
            return (await ReadTextsAsync(partition, offset, 1))[0];
        }

        Assert.Equal("9000", await FindAsync(2_000));
        Assert.Equal("9000", await FindAsync(9_000));
        Assert.Equal("12000", await FindAsync(9_001));
    }

    [Fact]
    public async Task The_end_is_found_in_an_empty_partition()
    {
        var partition = await CreatePartitionAsync();

        Assert.Equal(0, await Engine.FindOffsetAsync(partition, DateTimeOffset.UnixEpoch, Cancellation));
    }

    private async ValueTask AppendAtAsync(TopicPartition partition, long start, params long[] times) =>
        await Engine.AppendAsync(partition, batch =>
        {
            foreach (var time in times) batch.Add(start + time, Bytes("key"), Bytes($"{time}"));
        }, null, Cancellation);
}

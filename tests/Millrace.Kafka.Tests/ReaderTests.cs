using Confluent.Kafka;
using Millrace.Contract;
using Millrace.Kafka.Reading;

namespace Millrace.Kafka.Tests;

/// <summary>What a reader shows of what was fetched, and when.</summary>
public sealed class ReaderTests : EngineRig
{
    [Fact]
    public async Task Records_that_come_together_are_read_together()
    {
        var engine = await OpenAsync();
        var source = new TopicPartition(await CreateTopicAsync(engine), 0);
        using var fetcher = new Fetcher(engine.Clients, engine.Options);
        using var reader = new KafkaReader(fetcher, source, 0, engine.Options.ReaderBytesMax);

        reader.Add(Record(source, 0));
        using var between = reader.TryRead(1 << 20);
        reader.Add(Record(source, 1));
        reader.ReachEnd(3);
        var waiting = reader.WaitAsync(Cancellation).AsTask();
        var isSeen = waiting.IsCompleted;
        reader.Show();
        await waiting;
        using var fetched = reader.TryRead(1 << 20);

        Assert.Null(between);
        Assert.False(isSeen);
        Assert.Equal(["0", "1"], SeenRecord.AllOf(fetched!).Select(record => record.Text));
        Assert.Equal(3, reader.Offset);
    }

    private static ConsumeResult<byte[]?, byte[]?> Record(TopicPartition source, long offset) => new()
    {
        Topic = source.Topic,
        Partition = source.Partition,
        Offset = offset,
        Message = new Message<byte[]?, byte[]?> { Value = Bytes($"{offset}"), Timestamp = new Timestamp(1, TimestampType.CreateTime) },
    };
}

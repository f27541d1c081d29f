using Confluent.Kafka;

namespace KafkaFigures;

/// <summary>
/// What the pipeline is held against: consume, transform, produce, exactly once, as a careful engineer writes it by hand with
/// Confluent.Kafka. One consumer, one transactional producer, transactions of a given size, no delivery reports (a transaction that
/// commits delivered everything), no closure per record.
/// </summary>
internal sealed class TransactionLoop(string servers, string input, string output, string group)
{
    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(100), CallTime = TimeSpan.FromSeconds(30);

    /// <summary>Maps that many records, in transactions of that many.</summary>
    public void Run(long records, int recordsPerTransaction, Gauge gauge)
    {
        using var consumer = Consumer();
        using var producer = Producer();
        producer.InitTransactions(CallTime);
        consumer.Subscribe(input);
        var positions = new Dictionary<TopicPartition, long>();
        for (var done = 0L; done < records;)
        {
            if (consumer.Consume(PollTime) is not { } result) continue;
            gauge.Begin();
            producer.BeginTransaction();
            var count = 0;
            do
            {
                producer.Produce(output, Map(result.Message));
                positions[result.TopicPartition] = result.Offset.Value + 1;
                count++;
            }
            while (count < recordsPerTransaction && (result = consumer.Consume(PollTime)) is not null);

            var offsets = positions.Select(position => new TopicPartitionOffset(position.Key, position.Value));
            producer.SendOffsetsToTransaction(offsets, consumer.ConsumerGroupMetadata, CallTime);
            producer.CommitTransaction(CallTime);
            positions.Clear();
            done += count;
        }

        consumer.Close();
    }

    private static Message<byte[], byte[]> Map(Message<byte[], byte[]> message)
    {
        message.Value[0] ^= 1;
        return message;
    }

    private IConsumer<byte[], byte[]> Consumer() => new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
    {
        BootstrapServers = servers,
        GroupId = group,
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        AutoOffsetReset = AutoOffsetReset.Earliest,
        IsolationLevel = IsolationLevel.ReadCommitted,
        PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
        FetchMaxBytes = 50 << 20,
        QueuedMaxMessagesKbytes = 64 << 10,
    }).Build();

    private IProducer<byte[], byte[]> Producer() => new ProducerBuilder<byte[], byte[]>(new ProducerConfig
    {
        BootstrapServers = servers,
        TransactionalId = group,
        EnableIdempotence = true,
        Acks = Acks.All,
        LingerMs = 5,
        Partitioner = Partitioner.Murmur2Random,
        QueueBufferingMaxMessages = 2_000_000,
        QueueBufferingMaxKbytes = 1 << 20,
        EnableDeliveryReports = false,
    }).Build();
}

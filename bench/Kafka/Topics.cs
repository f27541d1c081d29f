using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Servers;

namespace KafkaFigures;

/// <summary>Makes, fills, counts and removes the topics that are measured, by plain clients.</summary>
internal sealed class Topics(KafkaBroker broker) : IDisposable
{
    public const int Partitions = 8;

    private readonly IAdminClient _admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.Address }).Build();

    public Task CreateAsync(string topic, int partitions = Partitions) =>
        _admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions, ReplicationFactor = 1 }]);

    public Task DeleteAsync(string topic) => _admin.DeleteTopicsAsync([topic]);

    /// <summary>Sets how many records of a topic the broker takes before it syncs them; null leaves it to the page cache.</summary>
    public Task SyncAsync(string topic, int? everyRecords) => _admin.IncrementalAlterConfigsAsync(new()
    {
        [new ConfigResource { Type = ResourceType.Topic, Name = topic }] =
        [
            new ConfigEntry
            {
                Name = "flush.messages",
                Value = everyRecords?.ToString(CultureInfo.InvariantCulture),
                IncrementalOperation = everyRecords is null ? AlterConfigOpType.Delete : AlterConfigOpType.Set,
            },
        ],
    });

    /// <summary>Records with keys of their own, or of a number of keys, and values of 100 to 500 bytes.</summary>
    public void Fill(string topic, int records, int keys = int.MaxValue)
    {
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = broker.Address,
            EnableIdempotence = true,
            LingerMs = 50,
            Partitioner = Confluent.Kafka.Partitioner.Murmur2Random,
            QueueBufferingMaxMessages = 2_000_000,
            QueueBufferingMaxKbytes = 2_000_000,
            EnableDeliveryReports = false,
        }).Build();
        var random = new Random(1);
        for (var number = 0; number < records; number++)
        {
            var value = new byte[random.Next(100, 501)];
            random.NextBytes(value);
            producer.Produce(topic, new Message<byte[], byte[]> { Key = KeyOf(number % keys), Value = value });
            if (number % 100_000 == 0) producer.Flush(TimeSpan.FromSeconds(30));
        }

        producer.Flush(TimeSpan.FromSeconds(30));
    }

    public static byte[] KeyOf(int number) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"key-{number:D8}"));

    /// <summary>The end offsets of a topic's partitions.</summary>
    public async Task<long[]> EndsAsync(string topic, int partitions = Partitions)
    {
        var asked = Enumerable.Range(0, partitions).Select(partition =>
            new TopicPartitionOffsetSpec { TopicPartition = new(topic, partition), OffsetSpec = OffsetSpec.Latest() });
        var answer = await _admin.ListOffsetsAsync(asked);
        return [.. answer.ResultInfos.Select(info => info.TopicPartitionOffsetError).OrderBy(end => end.Partition.Value)
            .Select(end => end.Offset.Value)];
    }

    /// <summary>Reads all of a topic, committed records only, and returns how many there were in each partition.</summary>
    public long[] Read(string topic, Action<Message<byte[], byte[]>>? take = null, Gauge? gauge = null, int partitions = Partitions)
    {
        gauge?.Begin();
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = broker.Address,
            GroupId = "plain",
            EnableAutoCommit = false,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            IsolationLevel = IsolationLevel.ReadCommitted,
            EnablePartitionEof = true,
        }).Build();
        consumer.Assign(Enumerable.Range(0, partitions).Select(partition => new TopicPartitionOffset(topic, partition, Offset.Beginning)));
        var (records, atEnd) = (new long[partitions], 0);
        while (atEnd < partitions)
        {
            var result = consumer.Consume();
            if (result.IsPartitionEOF)
            {
                atEnd++;
                continue;
            }

            records[result.Partition.Value]++;
            take?.Invoke(result.Message);
        }

        return records;
    }

    public void Dispose() => _admin.Dispose();
}

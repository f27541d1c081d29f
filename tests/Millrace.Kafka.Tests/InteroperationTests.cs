using System.Text;
using Confluent.Kafka;
using Millrace.Servers;

namespace Millrace.Kafka.Tests;

/// <summary>What other clients write and see.</summary>
public sealed class InteroperationTests : EngineRig
{
    [Fact]
    public async Task Kafkas_own_producer_places_keys_where_the_partitioner_does()
    {
        Assert.SkipUnless(KafkaBroker.CanStart, KafkaBroker.WhyAbsent);
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine, partitions: 7);
        var keys = Enumerable.Range(0, 100).Select(number => $"{(number % 3 == 0 ? "größe" : "ORD")}-{number * number}").ToList();
        var lines = Path.Combine(Folder, "keys");
        await File.WriteAllLinesAsync(lines, keys.Select(key => $"{key}\t{key}"), Cancellation);

        await KafkaBroker.ToolWithInputAsync(
            lines, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", TestBroker.Address, "--topic", topic,
            "--reader-property", "parse.key=true");

        var seen = 0;
        for (var partition = 0; partition < 7; partition++)
        {
            using var reader = engine.OpenReader(new TopicPartition(topic, partition), 0);
            var end = (await engine.FindTopicAsync(topic, Cancellation))!.Partitions[partition].EndOffset;
            while (reader.Offset < end)
            {
                using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
                foreach (var record in fetched)
                {
                    Assert.Equal(partition, Millrace.Partitioner.PartitionOf(record.Key.Span, 7));
                    seen++;
                }
            }
        }

        Assert.Equal(100, seen);
    }

    [Fact]
    public async Task A_plain_consumer_sees_the_records_as_the_embedded_log_holds_them()
    {
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine);
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var header = new RecordHeader("content-type", "application/cloudevents+json; charset=UTF-8");
        await engine.AppendAsync(new TopicPartition(topic, 0),
            batch => batch.Add(time, true, Bytes("ORD-1"), true, Bytes("{\"größe\":1.10}"), header), null, Cancellation);

        using var consumer = new ConsumerBuilder<byte[], byte[]>(
            new ConsumerConfig { BootstrapServers = TestBroker.Address, GroupId = "plain" }).Build();
        consumer.Assign(new Confluent.Kafka.TopicPartitionOffset(topic, 0, 0));
        var seen = consumer.Consume(Cancellation).Message;

        Assert.Equal(("ORD-1", "{\"größe\":1.10}"), (Encoding.UTF8.GetString(seen.Key), Encoding.UTF8.GetString(seen.Value)));
        Assert.Equal(time, seen.Timestamp.UnixTimestampMs);
        Assert.Equal("content-type", Assert.Single(seen.Headers).Key);
        Assert.Equal("application/cloudevents+json; charset=UTF-8", Encoding.UTF8.GetString(seen.Headers[0].GetValueBytes()));
    }

    [Fact]
    public async Task A_single_record_leaves_no_marker_behind_it()
    {
        var engine = await OpenAsync();
        var partition = new TopicPartition(await CreateTopicAsync(engine), 0);

        for (var number = 0; number < 3; number++)
        {
            var offset = await engine.AppendAsync(partition, batch => batch.Add(1, Bytes("k"), Bytes("v")), null, Cancellation);
            Assert.Equal(number, offset);
        }

        Assert.Equal(3, (await engine.FindTopicAsync(partition.Topic, Cancellation))!.Partitions[0].EndOffset);
    }

    [Fact]
    public async Task Compressed_records_of_others_are_read()
    {
        var engine = await OpenAsync();
        var topic = await CreateTopicAsync(engine);
        foreach (var compression in new[] { CompressionType.Gzip, CompressionType.Snappy, CompressionType.Lz4, CompressionType.Zstd })
        {
            using var producer = new ProducerBuilder<Null, string>(
                new ProducerConfig { BootstrapServers = TestBroker.Address, CompressionType = compression, LingerMs = 50 }).Build();
            for (var number = 0; number < 20; number++) producer.Produce(
                topic, new Message<Null, string> { Value = $"{compression} {number}" });
            producer.Flush(Cancellation);
        }

        using var reader = engine.OpenReader(new TopicPartition(topic, 0), 0);
        var seen = new List<string>();
        while (seen.Count < 80)
        {
            using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
            seen.AddRange(Contract.SeenRecord.AllOf(fetched).Select(record => record.Text));
        }

        Assert.Equal("Gzip 0", seen[0]);
        Assert.Equal("Zstd 19", seen[79]);
    }
}

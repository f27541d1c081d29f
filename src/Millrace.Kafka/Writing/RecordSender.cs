using System.Text;
using Confluent.Kafka;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Writing;

/// <summary>Hands records to a producer. Hot path: a record costs what the client costs, and a copy.</summary>
internal static class RecordSender
{
    private static readonly TimeSpan QueuePause = TimeSpan.FromMilliseconds(10);

    /// <summary>Sends all records and changes of a commit, within the producer's open transaction.</summary>
    public static void Send(IProducer<byte[]?, byte[]?> producer, PendingCommit pending)
    {
        pending.Begin();
        var batches = pending.Commit.Batches;
        for (var i = 0; i < batches.Count; i++) Send(producer, pending, i);
        if (pending.Owner is { } owner) SendChanges(producer, pending, owner.Changelog);
    }

    /// <summary>Sends one record by itself; the report comes on a thread of the client's.</summary>
    public static void SendSingle(
        IProducer<byte[]?, byte[]?> producer, CommitBatch batch, Action<DeliveryReport<byte[]?, byte[]?>> report)
    {
        foreach (var record in RecordsOf(batch)) producer.Produce(PartitionOf(batch.Target), MessageOf(record), report);
    }

    private static void Send(IProducer<byte[]?, byte[]?> producer, PendingCommit pending, int batch)
    {
        var source = pending.Commit.Batches[batch];
        var target = PartitionOf(source.Target);

        // Asking for a report costs as much as sending, and any record that fails makes the transaction fail: the first one's will do.
        Action<DeliveryReport<byte[]?, byte[]?>>? report = delivered =>
        {
            if (delivered.Error.IsError) pending.Refused(delivered.Error);
            else pending.Delivered(batch, delivered.TopicPartitionOffset);
        };
        foreach (var record in RecordsOf(source))
        {
            Produce(producer, target, MessageOf(record), report);
            report = null;
        }
    }

    private static void SendChanges(IProducer<byte[]?, byte[]?> producer, PendingCommit pending, TopicPartition changelog)
    {
        var changes = pending.Commit.Changes;
        var target = PartitionOf(changelog);
        for (var i = 0; i < changes.Count; i++)
        {
            var message = new Message<byte[]?, byte[]?> { Key = Changelog.KeyOf(changes[i]), Value = changes[i].Value };
            Produce(producer, target, message, i < changes.Count - 1 ? null : delivered =>
            {
                if (delivered.Error.IsError) pending.Refused(delivered.Error);
                else pending.DeliveredLastChange(delivered.TopicPartitionOffset);
            });
        }
    }

    private static void Produce(
        IProducer<byte[]?, byte[]?> producer,
        Confluent.Kafka.TopicPartition target,
        Message<byte[]?, byte[]?> message,
        Action<DeliveryReport<byte[]?, byte[]?>>? report)
    {
        while (true)
        {
            try
            {
                producer.Produce(target, message, report);
                return;
            }
            catch (ProduceException<byte[]?, byte[]?> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Flush(QueuePause);
            }
        }
    }

    private static FetchedRecords RecordsOf(CommitBatch batch)
    {
        // The bytes stay the builder's: they are enumerated in place, and this object is dropped.
        var bytes = batch.Records.Complete();
        if (!System.Runtime.InteropServices.MemoryMarshal.TryGetArray<byte>(bytes, out var array))
            throw new InvalidOperationException("A batch is not in an array.");
        return new FetchedRecords(batch.Target, 0, batch.Records.Count, array.Array!, bytes.Length, isPooled: false);
    }

    private static Message<byte[]?, byte[]?> MessageOf(in Record record)
    {
        var message = new Message<byte[]?, byte[]?>
        {
            Key = record.HasKey ? record.Key.ToArray() : null,
            Value = record.HasValue ? record.Value.ToArray() : null,
            Timestamp = new Timestamp(record.Timestamp, TimestampType.CreateTime),
        };
        if (record.Headers.Count == 0) return message;
        var headers = new Headers();
        foreach (var header in record.Headers)
            headers.Add(Encoding.UTF8.GetString(header.Name.Span), header.HasValue ? header.Value.ToArray() : null);
        message.Headers = headers;
        return message;
    }

    private static Confluent.Kafka.TopicPartition PartitionOf(TopicPartition target) => new(target.Topic, target.Partition);
}

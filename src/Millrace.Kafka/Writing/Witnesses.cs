using Confluent.Kafka;

namespace Millrace.Kafka.Writing;

/// <summary>
/// Looks up whether a transaction happened by a record that was written within it: readers of committed records see the record at its
/// offset, or pass over it once the transaction has ended. Blocks.
/// </summary>
internal static class Witnesses
{
    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(100);

    /// <summary>True or false, or null when the brokers did not tell in time.</summary>
    public static bool? HasHappened(WriterContext context, TopicPartition source, long offset)
    {
        var started = context.Options.Time.GetTimestamp();
        using var consumer = context.Clients.Fetcher();
        consumer.Assign(new Confluent.Kafka.TopicPartitionOffset(source.Topic, source.Partition, offset));
        while (context.Options.Time.GetElapsedTime(started) < context.Options.DeliveryTimeout)
        {
            try
            {
                if (consumer.Consume(PollTime) is not { } result) continue;
                if (result.Offset.Value > offset) return false;
                if (!result.IsPartitionEOF) return true;
            }
            catch (ConsumeException failure) when (Clients.KafkaErrors.IsNoTopic(failure.Error.Code)
                || failure.Error.Code is ErrorCode.Local_AutoOffsetReset or ErrorCode.OffsetOutOfRange)
            {
                return null;
            }
            catch (ConsumeException)
            {
                // It passes, or the time does.
            }
        }

        return null;
    }
}

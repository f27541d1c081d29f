using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Topics;

/// <summary>Offsets of partitions as the brokers have them: ends, starts, and where a time is.</summary>
internal static class PartitionOffsets
{
    /// <summary>Asks once; <see cref="KafkaException"/> when a partition has no answer.</summary>
    public static Task<Dictionary<TopicPartition, TopicPartitionOffset>> ListAsync(
        AdminClients admins, IReadOnlyList<TopicPartition> partitions, OffsetSpec spec)
    {
        var ask = partitions.Select(partition => new TopicPartitionOffsetSpec
        {
            TopicPartition = new Confluent.Kafka.TopicPartition(partition.Topic, partition.Partition),
            OffsetSpec = spec,
        });

        // A commit is acknowledged before its markers are written, and committed readers see it only then: asking as they see it would
        // leave out what is committed.
        var within = new ListOffsetsOptions { RequestTimeout = Requests.Timeout, IsolationLevel = IsolationLevel.ReadUncommitted };
        return admins.AskAsync(async admin =>
        {
            try
            {
                var answers = (await admin.ListOffsetsAsync(ask, within)).ResultInfos.ConvertAll(info => info.TopicPartitionOffsetError);

                // A leader that is not known at the moment may come as no offset and no error.
                if (answers.Exists(answer => answer.Offset == Offset.Unset))
                    throw new KafkaException(new Error(ErrorCode.LeaderNotAvailable, "an answer without an offset"));
                return answers.ToDictionary(
                    answer => new TopicPartition(answer.Topic, answer.Partition.Value), answer => answer.TopicPartitionOffset);
            }
            catch (ListOffsetsException failure)
            {
                var errors = failure.Result.ResultInfos.Select(info => info.TopicPartitionOffsetError.Error);
                throw new KafkaException(errors.First(error => error.IsError), failure);
            }
        });
    }
}

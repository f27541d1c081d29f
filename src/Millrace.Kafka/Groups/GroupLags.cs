using Confluent.Kafka.Admin;
using Millrace.Kafka.Clients;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Groups;

/// <summary>What is known of groups from outside.</summary>
internal static class GroupLags
{
    public static async ValueTask<IReadOnlyList<string>> ListAsync(KafkaEngine engine, CancellationToken cancellation) =>
        await engine.Requests.AskAsync<IReadOnlyList<string>>("Listing the groups", async () =>
        {
            var answer = await engine.Admin.ListConsumerGroupsAsync(new ListConsumerGroupsOptions { RequestTimeout = Requests.Timeout });
            return [.. answer.Valid.Select(group => group.GroupId).Order(StringComparer.Ordinal)];
        }, cancellation);

    /// <summary>Of every topic that the group has positions in or a member here subscribes to.</summary>
    public static async ValueTask<IReadOnlyList<PartitionLag>> DescribeAsync(
        KafkaEngine engine, string group, IReadOnlyCollection<string> subscribed, CancellationToken cancellation)
    {
        var committed = await GroupOffsets.AskAsync(engine, group, null, cancellation);
        var topics = committed.Keys.Select(partition => partition.Topic).Concat(subscribed)
            .Where(topic => topic != Changelog.TopicOf(group)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        var lags = new List<PartitionLag>();
        foreach (var name in topics)
        {
            if (await engine.Topics.FindAsync(name, cancellation) is not { } topic) continue;
            foreach (var partition in topic.Partitions)
            {
                var source = new TopicPartition(name, partition.Partition);
                lags.Add(new PartitionLag(source, committed.GetValueOrDefault(source, partition.StartOffset), partition.EndOffset));
            }
        }

        return lags;
    }
}

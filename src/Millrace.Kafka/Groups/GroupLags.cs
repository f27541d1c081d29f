using Confluent.Kafka;
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
            var answer = await engine.Admins.AskAsync(admin => admin.ListConsumerGroupsAsync(
                new ListConsumerGroupsOptions { RequestTimeout = Requests.Timeout }));
            return [.. answer.Valid.Select(group => group.GroupId).Order(StringComparer.Ordinal)];
        }, cancellation);

    /// <summary>Whether the group has shared out its partitions and there was none for this member.</summary>
    public static async ValueTask<bool> HasNothingAsync(KafkaEngine engine, string group, string memberId)
    {
        try
        {
            // The longest time that there is: see GroupOffsets about what becomes of calls that run out of it.
            var answer = await engine.Admins.AskAsync(admin => admin.DescribeConsumerGroupsAsync(
                [group], new DescribeConsumerGroupsOptions { RequestTimeout = TimeSpan.FromHours(1) }));
            var described = answer.ConsumerGroupDescriptions[0];
            return described.State == ConsumerGroupState.Stable
                && described.Members.Exists(member => member.ConsumerId == memberId && member.Assignment.TopicPartitions.Count == 0);
        }
        catch (DescribeConsumerGroupsException)
        {
            return false; // the group is not there yet
        }
    }

    /// <summary>Of every topic that the group has positions in or a member here subscribes to.</summary>
    public static async ValueTask<IReadOnlyList<PartitionLag>> DescribeAsync(
        KafkaEngine engine, string group, IReadOnlyCollection<string> subscribed, CancellationToken cancellation)
    {
        var all = (await engine.Topics.PartitionsAsync(cancellation)).Where(source => source.Topic != Changelog.TopicOf(group)).ToList();
        var committed = await engine.Offsets.AccountAsync(group, all, cancellation);
        var names = committed.Keys.Select(source => source.Topic).Concat(subscribed)
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0) return [];
        var extents = new List<(TopicPartition Source, PartitionDescription Extent)>();
        foreach (var topic in await engine.Topics.FindAllAsync(names, cancellation))
            extents.AddRange(topic.Partitions.Select(partition => (new TopicPartition(topic.Name, partition.Partition), partition)));
        return extents.ConvertAll(extent => new PartitionLag(
            extent.Source, committed.GetValueOrDefault(extent.Source, extent.Extent.StartOffset), extent.Extent.EndOffset));
    }
}

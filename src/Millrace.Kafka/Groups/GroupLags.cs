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
        var names = (await GroupOffsets.TopicsAsync(engine, group, cancellation)).Concat(subscribed)
            .Where(topic => topic != Changelog.TopicOf(group)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (names.Count == 0) return [];
        var extents = new List<(TopicPartition Source, PartitionDescription Extent)>();
        foreach (var topic in await engine.Topics.FindAllAsync(names, cancellation))
            extents.AddRange(topic.Partitions.Select(partition => (new TopicPartition(topic.Name, partition.Partition), partition)));
        var sources = extents.ConvertAll(extent => extent.Source);
        var committed = await GroupOffsets.AccountAsync(engine, group, sources, cancellation);
        return extents.ConvertAll(extent => new PartitionLag(
            extent.Source, committed.GetValueOrDefault(extent.Source, extent.Extent.StartOffset), extent.Extent.EndOffset));
    }
}

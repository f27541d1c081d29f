using Millrace.Log.Writing;
using Millrace.Log.Segments;

namespace Millrace.Log.Groups;

/// <summary>What a subscription must satisfy, and what a group's lag is.</summary>
internal static class GroupRules
{
    /// <summary>The topics of a subscription, all there and alike enough.</summary>
    public static TopicLog[] Check(GroupSubscription subscription, Catalog catalog)
    {
        GroupSubscription.ValidateGroup(subscription.Group);
        if (subscription.Topics.Count == 0) throw new ArgumentException($"Group '{subscription.Group}' subscribes to no topic.");
        if (subscription.Topics.Distinct(StringComparer.Ordinal).Count() != subscription.Topics.Count)
            throw new ArgumentException(
                $"Group '{subscription.Group}' subscribes to a topic twice: {string.Join(", ", subscription.Topics)}.");
        var topics = subscription.Topics.Select(catalog.Topic).ToArray();
        var uneven = topics.FirstOrDefault(t => t.Partitions.Length != topics[0].Partitions.Length);
        if (subscription.HasState && uneven is not null)
        {
            throw new ArgumentException(
                $"Group '{subscription.Group}' keeps state, so its topics need equally many partitions: '{topics[0].Name}' has " +
                $"{topics[0].Partitions.Length}, '{uneven.Name}' has {uneven.Partitions.Length}.");
        }

        return topics;
    }

    public static void CheckSame(GroupSubscription first, GroupSubscription joining)
    {
        if (first.Topics.Order(StringComparer.Ordinal).SequenceEqual(joining.Topics.Order(StringComparer.Ordinal))
            && first.HasState == joining.HasState && first.OffsetReset == joining.OffsetReset)
        {
            return;
        }

        throw new ArgumentException(
            $"Group '{first.Group}' has members that subscribe to {string.Join(", ", first.Topics)}; a member that subscribes to " +
            $"{string.Join(", ", joining.Topics)} (or with other settings) must use another group.");
    }

    public static PartitionLag Lag(GroupLog group, TopicLog topic, PartitionLog partition, int number)
    {
        var position = partition.StartOffset;
        if (group.Partitions.TryGetValue(number, out var log) && log.Positions.TryGetValue(topic.Number, out var kept)) position = kept;
        return new PartitionLag(partition.Name, position, partition.EndOffset);
    }
}

using Millrace.Kafka.State;
using Millrace.Kafka.Topics;

namespace Millrace.Kafka.Groups;

/// <summary>What a subscription must satisfy, and the topic by which a group's members share its partitions.</summary>
internal static class GroupTopics
{
    /// <summary>Settings of a changelog: the last value of each key is kept for ever, and deletions for a day.</summary>
    private static readonly Dictionary<string, string> ChangelogSettings = new(StringComparer.Ordinal) { ["cleanup.policy"] = "compact" };

    /// <summary>The partition counts of a subscription's topics, all there and alike enough.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, int>> CheckAsync(
        KafkaEngine engine, GroupSubscription subscription, CancellationToken cancellation)
    {
        if (subscription.Topics.Count == 0) throw new ArgumentException($"Group '{subscription.Group}' subscribes to no topic.");
        if (!TopicSpecification.IsValidName(Changelog.TopicOf(subscription.Group)))
        {
            throw new ArgumentException(
                $"Group id '{subscription.Group}' is too long for Kafka: its topic '{Changelog.TopicOf(subscription.Group)}' has " +
                "more than 249 characters.");
        }

        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in subscription.Topics)
        {
            var topic = await engine.Topics.FindAsync(name, cancellation) ?? throw TopicCatalog.NotFound(name);
            if (!counts.TryAdd(name, topic.Partitions.Count))
                throw new ArgumentException(
                    $"Group '{subscription.Group}' subscribes to a topic twice: {string.Join(", ", subscription.Topics)}.");
        }

        var first = subscription.Topics[0];
        if (subscription.HasState && subscription.Topics.FirstOrDefault(name => counts[name] != counts[first]) is { } uneven)
        {
            throw new ArgumentException(
                $"Group '{subscription.Group}' keeps state, so its topics need equally many partitions: '{first}' has {counts[first]}, " +
                $"'{uneven}' has {counts[uneven]}.");
        }

        return counts;
    }

    /// <summary>All members of a group subscribe alike. Those of other processes are not known here.</summary>
    public static void DemandSame(GroupSubscription present, GroupSubscription joining)
    {
        if (present.Group != joining.Group) return;
        if (present.Topics.Order(StringComparer.Ordinal).SequenceEqual(joining.Topics.Order(StringComparer.Ordinal), StringComparer.Ordinal)
            && present.HasState == joining.HasState && present.OffsetReset == joining.OffsetReset)
        {
            return;
        }

        throw new ArgumentException(
            $"Group '{present.Group}' has members that subscribe to {string.Join(", ", present.Topics)}; a member that subscribes to " +
            $"{string.Join(", ", joining.Topics)} (or with other settings) must use another group.");
    }

    /// <summary>Makes the group's changelog unless it is there, with as many partitions as are shared, and returns its id.</summary>
    public static async ValueTask<Guid> EnsureChangelogAsync(
        KafkaEngine engine, GroupSubscription subscription, int partitions, CancellationToken cancellation)
    {
        var name = Changelog.TopicOf(subscription.Group);
        var found = await engine.Topics.FindAsync(name, cancellation);
        if (found is null)
        {
            try
            {
                var specification = new TopicSpecification { Name = name, Partitions = partitions };
                return (await engine.Topics.CreateAsync(specification, ChangelogSettings, cancellation)).Id;
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.TopicExists)
            {
                // Another member was quicker.
                found = await engine.Topics.FindAsync(name, cancellation);
                if (found is null) throw;
            }
        }

        if (found.Partitions.Count == partitions) return found.Id;
        if (!subscription.HasState && found.Partitions.Count > partitions) return found.Id; // those beyond stand for no topic
        if (subscription.HasState)
        {
            throw new ArgumentException(
                $"Group '{subscription.Group}' shares {found.Partitions.Count} partitions (those of '{name}'), but its topics have " +
                $"{partitions}. State stays with its partition, so the count cannot change: use another group.");
        }

        await engine.Topics.GrowAsync(name, partitions, cancellation);
        return found.Id;
    }
}

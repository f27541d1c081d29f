using System.Collections.Concurrent;
using Millrace.Log.Segments;

namespace Millrace.Log.Writing;

/// <summary>
/// What the engine knows: topics, groups, producers. The writer (and the recovery before it) changes it; the concurrent maps may be read by
/// anyone.
/// </summary>
internal sealed class Catalog
{
    private readonly Lock _groupGate = new(); // guards the numbering of groups, which members' threads ask for

    public ConcurrentDictionary<string, TopicLog> Topics { get; } = new(StringComparer.Ordinal);

    public ConcurrentDictionary<string, GroupLog> Groups { get; } = new(StringComparer.Ordinal);

    /// <summary>Topics by number. Writer only.</summary>
    public SortedDictionary<int, TopicLog> TopicsByNumber { get; } = [];

    /// <summary>Producers by id. Writer only.</summary>
    public SortedDictionary<long, ProducerLog> Producers { get; } = [];

    /// <summary>Groups that the journal or the checkpoint knows by name. Writer only.</summary>
    public SortedDictionary<int, GroupLog> NamedGroups { get; } = [];

    public int NextTopicNumber { get; set; } = 1;

    public int NextGroupNumber { get; set; } = 1;

    public long NextProducerId { get; set; } = 1;

    /// <summary>How often the folder was opened for writing; owner epochs are built on it.</summary>
    public long Generation { get; set; }

    public TopicLog Topic(string name) => Topics.TryGetValue(name, out var topic)
        ? topic
        : throw new MillraceException(FailureCodes.TopicNotFound, $"There is no topic '{name}'. Create it first.");

    /// <summary>A topic whose name Kafka takes for the same, or null.</summary>
    public string? Colliding(string name)
    {
        if (!name.AsSpan().ContainsAny('.', '_')) return null;
        var plain = name.Replace('.', '_');
        foreach (var topic in Topics.Keys)
        {
            if (topic.Length == name.Length && topic.Replace('.', '_') == plain) return topic;
        }

        return null;
    }

    public PartitionLog Partition(TopicPartition name)
    {
        var topic = Topic(name.Topic);
        return (uint)name.Partition < (uint)topic.Partitions.Length
            ? topic.Partitions[name.Partition]
            : throw new MillraceException(FailureCodes.TopicNotFound,
                $"Topic '{name.Topic}' has no partition {name.Partition}; it has {topic.Partitions.Length}, numbered from 0.");
    }

    public GroupLog Group(string name)
    {
        if (Groups.TryGetValue(name, out var group)) return group;
        lock (_groupGate)
        {
            if (Groups.TryGetValue(name, out group)) return group;
            group = new GroupLog(NextGroupNumber++, name);
            Groups[name] = group;
            return group;
        }
    }

    public void Add(TopicLog topic)
    {
        TopicsByNumber.Add(topic.Number, topic);
        Topics[topic.Name] = topic;
        NextTopicNumber = Math.Max(NextTopicNumber, topic.Number + 1);
    }

    public void Remove(TopicLog topic)
    {
        TopicsByNumber.Remove(topic.Number);
        Topics.TryRemove(topic.Name, out _);
        foreach (var group in NamedGroups.Values)
        {
            foreach (var partition in group.Partitions.Values)
            {
                if (partition.Positions.TryRemove(topic.Number, out _)) partition.IsDirty = true;
            }
        }

        foreach (var producer in Producers.Values)
        {
            foreach (var target in producer.Recent.Keys.Where(t => t.Topic == topic.Number).ToList()) producer.Recent.Remove(target);
        }

        topic.Delete();
    }

    /// <summary>Adds a group that the journal or a checkpoint names.</summary>
    public GroupLog AddNamed(int number, string name)
    {
        var group = new GroupLog(number, name);
        NamedGroups.Add(number, group);
        Groups[name] = group;
        NextGroupNumber = Math.Max(NextGroupNumber, number + 1);
        return group;
    }

    public ProducerLog AddProducer(long id, string name, short epoch)
    {
        foreach (var old in Producers.Values.Where(p => p.Name == name && p.Id != id).ToList()) Producers.Remove(old.Id);
        if (!Producers.TryGetValue(id, out var producer)) Producers.Add(id, producer = new ProducerLog(id, name));
        producer.Epoch = epoch;
        NextProducerId = Math.Max(NextProducerId, id + 1);
        return producer;
    }

    /// <summary>Closes every file.</summary>
    public void Close()
    {
        foreach (var topic in TopicsByNumber.Values) topic.Dispose();
        foreach (var group in Groups.Values)
        {
            foreach (var partition in group.Partitions.Values) partition.State?.Dispose();
        }
    }
}

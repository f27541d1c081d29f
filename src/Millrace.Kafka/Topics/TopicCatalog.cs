using System.Collections.Concurrent;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Topics;

/// <summary>
/// The topics as the brokers have them. Partition counts and ids are remembered, offsets are always asked for. Thread safe.
/// </summary>
internal sealed class TopicCatalog(AdminClients admins, KafkaOptions options, Requests requests)
{
    /// <summary>
    /// What marks a topic as <see cref="Durability.Relaxed"/>: it says in so many words that the operating system decides when to write,
    /// which is what Kafka does with every topic by itself.
    /// </summary>
    private const string RelaxedSetting = "flush.ms", RelaxedValue = "9223372036854775807";

    private readonly ConcurrentDictionary<string, int> _partitions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Guid, Durability> _durabilities = new();

    /// <summary>Creates a topic and waits until every partition of it has a leader.</summary>
    public async ValueTask<TopicDescription> CreateAsync(
        TopicSpecification specification, IReadOnlyDictionary<string, string> settings, CancellationToken cancellation)
    {
        var configs = new Dictionary<string, string>(options.TopicSettings, StringComparer.Ordinal);
        foreach (var (name, value) in settings) configs[name] = value;
        if (specification.Durability == Durability.Relaxed) configs[RelaxedSetting] = RelaxedValue;
        var what = $"Creating topic '{specification.Name}'";
        await requests.AskAsync(what, async () => await TryCreateAsync(what, specification, configs), cancellation);
        return await requests.AskAsync(what, () => TryDescribeAsync(specification.Name), cancellation);
    }

    /// <summary>Asks once for all brokers and topics.</summary>
    public async ValueTask<Metadata> GetMetadataAsync(TimeSpan timeout) =>
        await admins.AskAsync(admin => requests.CallAsync(() => admin.GetMetadata(timeout)).AsTask());

    public async ValueTask<IReadOnlyList<TopicDescription>> ListAsync(CancellationToken cancellation) =>
        await requests.AskAsync<IReadOnlyList<TopicDescription>>("Listing the topics", async () =>
        {
            var metadata = await GetMetadataAsync(Requests.CallTime);
            var names = metadata.Topics.Select(topic => topic.Topic)
                .Where(name => !name.StartsWith("__", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            return names.Count == 0 ? [] : await DescribeAsync(names);
        }, cancellation);

    /// <summary>All partitions of all topics but the brokers' own, in the order of their names and numbers.</summary>
    public async ValueTask<IReadOnlyList<TopicPartition>> PartitionsAsync(CancellationToken cancellation) =>
        await requests.AskAsync<IReadOnlyList<TopicPartition>>("Listing the topics", async () =>
        {
            var metadata = await GetMetadataAsync(Requests.CallTime);
            return [.. metadata.Topics.Where(topic => !topic.Topic.StartsWith("__", StringComparison.Ordinal))
                .OrderBy(topic => topic.Topic, StringComparer.Ordinal)
                .SelectMany(topic => topic.Partitions.Select(partition => partition.PartitionId).Order()
                    .Select(partition => new TopicPartition(topic.Topic, partition)))];
        }, cancellation);

    public async ValueTask<TopicDescription?> FindAsync(string topic, CancellationToken cancellation)
    {
        if (!TopicSpecification.IsValidName(topic)) return null;
        return (await FindAllAsync([topic], cancellation)).SingleOrDefault();
    }

    /// <summary>Those of the topics that exist.</summary>
    public ValueTask<IReadOnlyList<TopicDescription>> FindAllAsync(IReadOnlyList<string> topics, CancellationToken cancellation) =>
        requests.AskAsync<IReadOnlyList<TopicDescription>>(
            $"Describing {string.Join(", ", topics)}", async () => await DescribeAsync(topics), cancellation);

    public async ValueTask DeleteAsync(string topic, CancellationToken cancellation)
    {
        if (await FindAsync(topic, cancellation) is null) throw NotFound(topic);
        var what = $"Deleting topic '{topic}'";
        await requests.AskAsync(what, async () =>
        {
            try
            {
                await admins.AskAsync(admin =>
                    admin.DeleteTopicsAsync([topic], new DeleteTopicsOptions { RequestTimeout = Requests.Timeout }));
            }
            catch (DeleteTopicsException failure) when (KafkaErrors.IsNoTopic(failure.Results[0].Error.Code))
            {
                // Gone already: a first try whose answer was lost.
            }
            catch (DeleteTopicsException failure)
            {
                throw new KafkaException(failure.Results[0].Error, failure);
            }

            return await DescribeAsync([topic]) is { Count: 0 } ? what : null;
        }, cancellation);
        Forget(topic);
    }

    /// <summary>Gives a topic more partitions.</summary>
    public async ValueTask GrowAsync(string topic, int partitions, CancellationToken cancellation)
    {
        var what = $"Giving topic '{topic}' {partitions} partitions";
        await requests.AskAsync(what, async () =>
        {
            var found = (await DescribeAsync([topic])).SingleOrDefault();
            if (found is not null && found.Partitions.Count >= partitions) return what;
            await admins.AskAsync(admin =>
                admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }]));
            return null;
        }, cancellation);
        Forget(topic);
    }

    /// <summary>
    /// How many partitions a topic has; remembered, so that the usual answer waits for nobody. May block for an answer of the brokers.
    /// </summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public int PartitionsOf(string topic)
    {
        if (_partitions.TryGetValue(topic, out var known)) return known;
        if (!TopicSpecification.IsValidName(topic)) throw NotFound(topic);
        var found = FindAsync(topic, CancellationToken.None).AsTask().GetAwaiter().GetResult() ?? throw NotFound(topic);
        return found.Partitions.Count;
    }

    /// <summary>Throws unless there is this partition. May block for an answer of the brokers.</summary>
    public void Demand(TopicPartition partition)
    {
        if (partition.Partition >= 0 && partition.Partition < PartitionsOf(partition.Topic)) return;
        throw new MillraceException(FailureCodes.TopicNotFound,
            $"Topic '{partition.Topic}' has {PartitionsOf(partition.Topic)} partitions; there is no partition {partition.Partition}.");
    }

    /// <summary>Whether a partition is known without asking.</summary>
    public bool IsKnown(TopicPartition partition) => _partitions.ContainsKey(partition.Topic);

    public void Forget(string topic) => _partitions.TryRemove(topic, out _);

    /// <summary>
    /// Makes a client ask for topics again. What the brokers answer reaches the client's own memory; a failure is the next call's.
    /// </summary>
    public static void Refresh(IClient client, IEnumerable<string> topics)
    {
        using var asking = new DependentAdminClientBuilder(client.Handle).Build();
        foreach (var topic in topics)
        {
            try
            {
                asking.GetMetadata(topic, Requests.Timeout);
            }
            catch (KafkaException)
            {
                // Whoever needs the topic is told.
            }
        }
    }

    /// <summary>
    /// The offsets that records begin and end at, in the order of the partitions. What is not decided yet lies before the end.
    /// </summary>
    public async ValueTask<IReadOnlyList<(long Start, long End, int LeaderEpoch)>> ExtentsAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellation) =>
        partitions.Count == 0 ? [] : await requests.AskAsync(
            "Asking for the offsets", async () => (IReadOnlyList<(long, long, int)>)await AskExtentsAsync(partitions), cancellation);

    public async ValueTask<long> FindOffsetAsync(TopicPartition source, DateTimeOffset time, CancellationToken cancellation)
    {
        var at = OffsetSpec.ForTimestamp(Math.Max(0, time.ToUnixTimeMilliseconds()));
        var found = await requests.AskAsync(
            $"Asking for the offset of a time in {source}",
            async () => await PartitionOffsets.ListAsync(admins, [source], at), cancellation);
        var offset = found[source].Offset.Value;
        return offset >= 0 ? offset : (await ExtentsAsync([source], cancellation))[0].End;
    }

    public static MillraceException NotFound(string topic) => new(FailureCodes.TopicNotFound,
        $"Topic '{topic}' does not exist. Create it before it is used.");

    private async ValueTask<string?> TryCreateAsync(
        string what, TopicSpecification specification, Dictionary<string, string> configs)
    {
        try
        {
            var asked = new Confluent.Kafka.Admin.TopicSpecification
            {
                Name = specification.Name,
                NumPartitions = specification.Partitions,
                ReplicationFactor = options.ReplicationFactor,
                Configs = configs,
            };
            var within = new CreateTopicsOptions { RequestTimeout = Requests.Timeout, OperationTimeout = Requests.Timeout };
            await admins.AskAsync(admin => admin.CreateTopicsAsync([asked], within));
            return what;
        }
        catch (CreateTopicsException failure) when (failure.Results[0].Error.Code == ErrorCode.TopicAlreadyExists)
        {
            // Another made it just now, and the broker that is asked next may not know of it yet: who is told that it exists shall find it.
            if (await TryDescribeAsync(specification.Name) is null) return null;
            throw new MillraceException(FailureCodes.TopicExists, $"There is a topic '{specification.Name}' already.", failure);
        }
        catch (CreateTopicsException failure) when (failure.Results[0].Error is { Code: ErrorCode.TopicException } collision
            && collision.Reason.Contains("collides", StringComparison.Ordinal))
        {
            throw new MillraceException(FailureCodes.TopicExists,
                $"{what}: {collision.Reason} Names that differ only in '.' and '_' are one name in Kafka's metrics.", failure);
        }
        catch (CreateTopicsException failure)
        {
            throw new KafkaException(failure.Results[0].Error, failure);
        }
    }

    /// <summary>The topic once all partitions have leaders and answer; null until then.</summary>
    private async ValueTask<TopicDescription?> TryDescribeAsync(string topic) => (await DescribeAsync([topic])).SingleOrDefault();

    /// <summary>Describes those that exist. A partition without a leader makes it fail, to be tried again.</summary>
    private async ValueTask<IReadOnlyList<TopicDescription>> DescribeAsync(IReadOnlyList<string> names)
    {
        var found = new List<Confluent.Kafka.Admin.TopicDescription>();
        foreach (var topic in await AskDescriptionsAsync(names))
        {
            if (KafkaErrors.IsNoTopic(topic.Error.Code))
            {
                Forget(topic.Name);
                continue;
            }

            if (topic.Error.IsError) throw new KafkaException(topic.Error);
            found.Add(topic);
        }

        var partitions = found.SelectMany(topic => topic.Partitions.Select(p => new TopicPartition(topic.Name, p.Partition))).ToList();
        var extents = (await AskExtentsNowAsync(partitions)).GetEnumerator();
        await LearnDurabilitiesAsync(found);
        var described = new List<TopicDescription>(found.Count);
        foreach (var topic in found)
        {
            described.Add(new TopicDescription
            {
                Name = topic.Name,
                Id = IdOf(topic),
                Durability = _durabilities[IdOf(topic)],
                Partitions = [.. topic.Partitions.Select(partition =>
                {
                    extents.MoveNext();
                    var (start, end, epoch) = extents.Current;
                    return new PartitionDescription(partition.Partition, start, end, epoch);
                })],
            });
            _partitions[topic.Name] = topic.Partitions.Count;
        }

        return described;
    }

    private async ValueTask<IEnumerable<Confluent.Kafka.Admin.TopicDescription>> AskDescriptionsAsync(IReadOnlyList<string> names)
    {
        var ask = TopicCollection.OfTopicNames(names);
        var within = new DescribeTopicsOptions { RequestTimeout = Requests.Timeout };
        try
        {
            var answer = await admins.AskAsync(admin => admin.DescribeTopicsAsync(ask, within));
            return answer.TopicDescriptions.OrderBy(topic => topic.Name, StringComparer.Ordinal);
        }
        catch (DescribeTopicsException some)
        {
            return some.Results.TopicDescriptions.OrderBy(topic => topic.Name, StringComparer.Ordinal);
        }
    }

    /// <summary>A topic that one broker described and another does not know comes or goes just now: everything is asked again.</summary>
    private async ValueTask<List<(long Start, long End, int LeaderEpoch)>> AskExtentsNowAsync(IReadOnlyList<TopicPartition> partitions)
    {
        try
        {
            return await AskExtentsAsync(partitions);
        }
        catch (KafkaException failure) when (KafkaErrors.IsNoTopic(failure.Error.Code))
        {
            throw new KafkaException(new Error(ErrorCode.LeaderNotAvailable, failure.Error.Reason), failure);
        }
    }

    private async ValueTask<List<(long Start, long End, int LeaderEpoch)>> AskExtentsAsync(IReadOnlyList<TopicPartition> partitions)
    {
        if (partitions.Count == 0) return [];
        var starting = PartitionOffsets.ListAsync(admins, partitions, OffsetSpec.Earliest());
        var ending = PartitionOffsets.ListAsync(admins, partitions, OffsetSpec.Latest());
        var (starts, ends) = (await starting, await ending);
        return [.. partitions.Select(partition =>
            (starts[partition].Offset.Value, ends[partition].Offset.Value, Math.Max(0, ends[partition].LeaderEpoch ?? 0)))];
    }

    private async ValueTask LearnDurabilitiesAsync(List<Confluent.Kafka.Admin.TopicDescription> topics)
    {
        var unknown = topics.Where(topic => !_durabilities.ContainsKey(IdOf(topic))).ToList();
        if (unknown.Count == 0) return;
        var resources = unknown.Select(topic => new ConfigResource { Type = ResourceType.Topic, Name = topic.Name });
        IReadOnlyList<DescribeConfigsResult> answers;
        try
        {
            answers = await admins.AskAsync(admin =>
                admin.DescribeConfigsAsync(resources, new DescribeConfigsOptions { RequestTimeout = Requests.Timeout }));
        }
        catch (DescribeConfigsException failure) when (failure.Results.All(result =>
            !result.Error.IsError || KafkaErrors.IsRefusal(result.Error.Code)))
        {
            // Not everyone may look at settings; who may not sees the default.
            answers = [.. failure.Results.Where(result => !result.Error.IsError)
                .Select(result => new DescribeConfigsResult { ConfigResource = result.ConfigResource, Entries = result.Entries })];
        }

        var settings = answers.ToDictionary(answer => answer.ConfigResource.Name, answer => answer.Entries, StringComparer.Ordinal);
        foreach (var topic in unknown)
        {
            var isRelaxed = settings.TryGetValue(topic.Name, out var entries) && entries.TryGetValue(RelaxedSetting, out var entry)
                && entry is { Source: ConfigSource.DynamicTopicConfig, Value: RelaxedValue };
            _durabilities[IdOf(topic)] = isRelaxed ? Durability.Relaxed : Durability.Synced;
        }
    }

    private static Guid IdOf(Confluent.Kafka.Admin.TopicDescription topic)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes, topic.TopicId.MostSignificantBits);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes[8..], topic.TopicId.LeastSignificantBits);
        return new Guid(bytes, bigEndian: true);
    }
}

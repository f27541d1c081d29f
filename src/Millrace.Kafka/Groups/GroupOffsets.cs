using System.Collections.Concurrent;
using Confluent.Kafka;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Groups;

/// <summary>
/// Asks for the committed positions of groups, by consumers that have the group's name and join nothing. The admin client has a call for
/// it that needs none, but an assertion of librdkafka ends the process when such a call ran out of its time, or lost its connection, and
/// its coordinator comes back (its issue 4605): that is what a broker's restart is. Thread safe.
/// </summary>
internal sealed class GroupOffsets(KafkaEngine engine) : IDisposable
{
    /// <summary>
    /// How long an account of a group waits for what is undecided. A commit is acknowledged a moment before its positions can be seen.
    /// </summary>
    private static readonly TimeSpan AccountTime = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(string Group, bool IsDecided), Lazy<IConsumer<byte[]?, byte[]?>>> _askers = new();

    /// <summary>The positions for an account: of a partition that stays undecided, the one before.</summary>
    public async ValueTask<IReadOnlyDictionary<TopicPartition, long>> AccountAsync(
        string group, IReadOnlyList<TopicPartition> sources, CancellationToken cancellation)
    {
        try
        {
            return await AskAsync(group, sources, isDecided: true, AccountTime, cancellation);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.Unreachable)
        {
            return await AskAsync(group, sources, isDecided: false, null, cancellation);
        }
    }

    /// <summary>Positions of these partitions, those that there are, once none is undecided.</summary>
    public ValueTask<IReadOnlyDictionary<TopicPartition, long>> AskAsync(
        string group, IReadOnlyList<TopicPartition> sources, CancellationToken cancellation) =>
        AskAsync(group, sources, isDecided: true, null, cancellation);

    public void Dispose()
    {
        foreach (var asker in _askers.Values)
        {
            if (asker.IsValueCreated) asker.Value.Dispose();
        }
    }

    private async ValueTask<IReadOnlyDictionary<TopicPartition, long>> AskAsync(
        string group, IReadOnlyList<TopicPartition> sources, bool isDecided, TimeSpan? within, CancellationToken cancellation)
    {
        if (sources.Count == 0) return new Dictionary<TopicPartition, long>();
        var partitions = sources.Select(source => new Confluent.Kafka.TopicPartition(source.Topic, source.Partition)).ToList();
        var asker = _askers.GetOrAdd((group, isDecided), static (key, engine) => new Lazy<IConsumer<byte[]?, byte[]?>>(
            () => engine.Clients.Asker(key.Group, key.IsDecided)), engine);
        var timeout = within < Requests.CallTime ? within.Value : Requests.CallTime;
        return await engine.Requests.AskAsync<IReadOnlyDictionary<TopicPartition, long>>(
            $"Asking for the positions of group '{group}'",
            () => engine.Requests.CallAsync<IReadOnlyDictionary<TopicPartition, long>?>(() => Ask(asker.Value, partitions, timeout)),
            cancellation, within);
    }

    private static Dictionary<TopicPartition, long> Ask(
        IConsumer<byte[]?, byte[]?> asker, List<Confluent.Kafka.TopicPartition> partitions, TimeSpan timeout)
    {
        List<Confluent.Kafka.TopicPartitionOffset> answers;
        try
        {
            asker.Consume(TimeSpan.Zero); // there is nothing to consume: it is what calls back for a new token
            answers = asker.Committed(partitions, timeout);
        }
        catch (TopicPartitionOffsetException failure)
        {
            throw new KafkaException(failure.Results.First(result => result.Error.IsError).Error, failure);
        }

        return answers.Where(answer => answer.Offset.Value >= 0)
            .ToDictionary(answer => new TopicPartition(answer.Topic, answer.Partition.Value), answer => answer.Offset.Value);
    }
}

using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Topics;

/// <summary>
/// Asks for the ends of partitions. A client remembers leaders and their epochs, and when a broker was away it may go on asking with what
/// it remembers, whatever metadata it is given since; and it knows a topic that was deleted and created as it was. So one that was told of
/// another leader, or of no topic, is replaced. Thread safe.
/// </summary>
internal sealed class OffsetsClient(Func<IAdminClient> create) : IDisposable
{
    private readonly Lock _gate = new(); // guards _current, and the counts of all
    private Counted? _current;

    /// <summary>Asks once; <see cref="KafkaException"/> when a partition has no answer.</summary>
    public async Task<Dictionary<TopicPartition, TopicPartitionOffset>> ListAsync(
        IReadOnlyList<TopicPartition> partitions, OffsetSpec spec)
    {
        var ask = partitions.Select(partition => new TopicPartitionOffsetSpec
        {
            TopicPartition = new Confluent.Kafka.TopicPartition(partition.Topic, partition.Partition),
            OffsetSpec = spec,
        });

        // A commit is acknowledged before its markers are written, and committed readers see it only then: asking as they see it would
        // leave out what is committed.
        var within = new ListOffsetsOptions { RequestTimeout = Requests.Timeout, IsolationLevel = IsolationLevel.ReadUncommitted };
        var client = Take();
        var isStale = false;
        try
        {
            var answers = (await client.Admin.ListOffsetsAsync(ask, within)).ResultInfos.ConvertAll(info => info.TopicPartitionOffsetError);

            // A leader that is not known at the moment may come as no offset and no error.
            isStale = answers.Exists(answer => answer.Offset == Offset.Unset);
            if (isStale) throw new KafkaException(new Error(ErrorCode.LeaderNotAvailable, "an answer without an offset"));
            return answers.ToDictionary(
                answer => new TopicPartition(answer.Topic, answer.Partition.Value), answer => answer.TopicPartitionOffset);
        }
        catch (ListOffsetsException failure)
        {
            var error = failure.Result.ResultInfos.Select(info => info.TopicPartitionOffsetError.Error).First(error => error.IsError);
            isStale = KafkaErrors.IsLeaderMoved(error.Code) || KafkaErrors.IsNoTopic(error.Code);
            throw new KafkaException(error, failure);
        }
        finally
        {
            Return(client, isStale);
        }
    }

    public void Dispose()
    {
        lock (_gate) _current?.Admin.Dispose();
    }

    private Counted Take()
    {
        lock (_gate)
        {
            _current ??= new Counted(create());
            _current.Uses++;
            return _current;
        }
    }

    /// <summary>A client is disposed of when the last call to it has its answer, which would not come any more.</summary>
    private void Return(Counted client, bool isStale)
    {
        lock (_gate)
        {
            client.Uses--;
            if (isStale && client == _current) _current = null;
            if (client == _current || client.Uses > 0) return;
        }

        // The answer may have come on the client's own thread, for which it waits when it is disposed of.
        _ = DisposeAsync(client);
    }

    private static async Task DisposeAsync(Counted client) => await Requests.BlockingAsync(() =>
    {
        client.Admin.Dispose();
        return client;
    });

    private sealed class Counted(IAdminClient admin)
    {
        public IAdminClient Admin { get; } = admin;

        public int Uses { get; set; }
    }
}

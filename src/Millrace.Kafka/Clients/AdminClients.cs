using Confluent.Kafka;

namespace Millrace.Kafka.Clients;

/// <summary>
/// The client for topics, groups and offsets. librdkafka's keeps what it once learned: after a broker was away it may go on asking with the
/// leaders and epochs of before, whatever metadata it is given since; and a topic that was deleted and created again stays the old one to
/// it. So a client that was told of another leader, or of no topic, is replaced by a new one. Offsets are asked for by the same client as
/// topics, because that makes it connect again to brokers that it else only waits for. Thread safe.
/// </summary>
internal sealed class AdminClients(Func<IAdminClient> create) : IDisposable
{
    private readonly Lock _gate = new(); // guards _current, and the counts of all
    private Counted? _current;

    /// <summary>Asks once. What brokers answer is thrown as a <see cref="KafkaException"/>, and decides whether the client stays.</summary>
    public async Task<T> AskAsync<T>(Func<IAdminClient, Task<T>> ask)
    {
        var client = Take();
        var isStale = false;
        try
        {
            return await ask(client.Admin);
        }
        catch (KafkaException failure)
        {
            isStale = KafkaErrors.IsLeaderMoved(failure.Error.Code) || KafkaErrors.IsNoTopic(failure.Error.Code);
            throw;
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

using Confluent.Kafka;

namespace Millrace.Kafka.Clients;

/// <summary>
/// The client for topics, groups and offsets. librdkafka's keeps what it once learned: after a broker was away it may go on asking with the
/// leaders and epochs of before, whatever metadata it is given since; and a topic that was deleted and created again stays the old one to
/// it. So a client that was told of another leader, or of no topic, is replaced by a new one. Offsets are asked for by the same client as
/// topics, because that makes it connect again to brokers that it else only waits for. Thread safe.
/// </summary>
internal sealed class AdminClients(Func<IAdminClient> create, TimeProvider time) : IDisposable
{
    /// <summary>
    /// How long a client that was replaced is kept. Requests within it may still be out when their caller was told that they timed out, and
    /// librdkafka may answer them in memory that is freed: by now they have ended, too.
    /// </summary>
    private static readonly TimeSpan Afterlife = TimeSpan.FromSeconds(15);

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

    /// <summary>The same for a call whose answer says nothing.</summary>
    public Task AskAsync(Func<IAdminClient, Task> ask) => AskAsync(async admin =>
    {
        await ask(admin);
        return true;
    });

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

    /// <summary>A client is disposed of some time after the last call to it has its answer, which would not come any more.</summary>
    private void Return(Counted client, bool isStale)
    {
        lock (_gate)
        {
            client.Uses--;
            if (isStale && client == _current) _current = null;
            if (client == _current || client.Uses > 0) return;
        }

        _ = DisposeAsync(client);
    }

    private async Task DisposeAsync(Counted client)
    {
        await Task.Delay(Afterlife, time);
        client.Admin.Dispose();
    }

    private sealed class Counted(IAdminClient admin)
    {
        public IAdminClient Admin { get; } = admin;

        public int Uses { get; set; }
    }
}

using Confluent.Kafka;
using Millrace.Kafka.Clients;

namespace Millrace.Kafka.Writing;

/// <summary>
/// Appends single records without a transaction: one record is whole or absent by itself, is written once by the idempotent producer, and
/// leaves no marker behind it. Thread safe.
/// </summary>
internal sealed class Appender(ClientFactory clients, ClientLog log) : IDisposable
{
    private readonly Lock _gate = new(); // guards _producer and _isStopped
    private IProducer<byte[]?, byte[]?>? _producer;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isStopped;

    /// <summary>Appends one record and returns its offset.</summary>
    public async ValueTask<long> AppendAsync(CommitBatch batch, CancellationToken cancellation)
    {
        var done = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var what = $"Appending to {batch.Target}";
        try
        {
            RecordSender.SendSingle(Producer(), batch, report => Take(report, what, done));
        }
        catch (ProduceException<byte[]?, byte[]?> failure) when (failure.Error.Code == ErrorCode.Local_QueueFull)
        {
            throw new MillraceException(FailureCodes.Throttled, $"{what}: too many records wait for the brokers.", failure);
        }
        catch (ProduceException<byte[]?, byte[]?> failure)
        {
            throw KafkaErrors.ToFailure(what, failure.Error, failure);
        }

        // What the brokers did not answer when the engine ends is answered by nobody.
        await Task.WhenAny(done.Task, _ended.Task).WaitAsync(cancellation);
        return done.Task.IsCompleted ? await done.Task : throw Requests.Stopped();
    }

    /// <summary>Makes the client ask for a topic again.</summary>
    public void Refresh(string topic) => Topics.TopicCatalog.Refresh(Producer(), [topic]);

    /// <summary>Sends what waits, as far as it goes in a moment, and ends.</summary>
    public void Dispose()
    {
        IProducer<byte[]?, byte[]?>? producer;
        lock (_gate)
        {
            _isStopped = true;
            producer = _producer;
            _producer = null;
        }

        producer?.Flush(TimeSpan.FromSeconds(2));
        _ended.TrySetResult();
        producer?.Dispose();
    }

    private void Take(DeliveryReport<byte[]?, byte[]?> report, string what, TaskCompletionSource<long> done)
    {
        if (!report.Error.IsError)
        {
            done.TrySetResult(report.Offset.Value);
            return;
        }

        if (report.Error.IsFatal) Renew(report.Error);
        done.TrySetException(report.Error.Code is ErrorCode.Local_PurgeQueue or ErrorCode.Local_PurgeInflight or ErrorCode.Local_Destroy
            ? Requests.Stopped()
            : report.Status == PersistenceStatus.PossiblyPersisted && !KafkaErrors.IsRefusal(report.Error.Code)
            ? new MillraceException(FailureCodes.UnknownResult,
                $"{what}: the brokers did not answer in time, and may have it or not ({report.Error.Code}: {report.Error.Reason}).")
            : KafkaErrors.ToFailure(what, report.Error));
    }

    private IProducer<byte[]?, byte[]?> Producer()
    {
        lock (_gate)
        {
            if (_isStopped) throw Requests.Stopped();
            return _producer ??= clients.Producer(null);
        }
    }

    /// <summary>
    /// A fatal error ends a producer; the next append makes another. This runs on the old one's thread, so another disposes it.
    /// </summary>
    private void Renew(Error error)
    {
        IProducer<byte[]?, byte[]?>? old;
        lock (_gate)
        {
            old = _producer;
            _producer = null;
        }

        if (old is null) return;
        log.Rebuilt("(none)", error.Code, error.Reason);
        _ = Task.Factory.StartNew(old.Dispose, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
    }
}

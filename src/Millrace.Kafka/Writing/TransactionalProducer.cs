using Confluent.Kafka;
using Millrace.Kafka.Clients;
using Millrace.Kafka.Groups;

namespace Millrace.Kafka.Writing;

/// <summary>
/// A transactional producer that is made anew when the old one can go on no more. Every try of a transaction ends in one of four outcomes;
/// a commit whose answer was lost is looked up by a record that it wrote. One thread only.
/// </summary>
/// <param name="context">The engine's parts.</param>
/// <param name="transactionalId">The id that fences an earlier producer of it.</param>
/// <param name="isRival">Whether another producer that takes the id over ends this one for good.</param>
internal sealed class TransactionalProducer(WriterContext context, string transactionalId, bool isRival) : IDisposable
{
    /// <summary>
    /// How often a producer may find itself fenced within two transaction time-outs before it is clear that another process has its id:
    /// the broker by itself fences a producer once in a time-out at most.
    /// </summary>
    private const int FencedMax = 5;

    private static readonly TimeSpan CallTime = TimeSpan.FromSeconds(5), FlushTime = TimeSpan.FromMilliseconds(500);

    private IProducer<byte[]?, byte[]?>? _producer;
    private readonly Queue<long> _fenced = []; // when, by the clock's timestamps
    private bool _isFenced;
    private long? _stoppingSince;

    /// <summary>Takes the id over, and ends what an earlier producer of it left open.</summary>
    /// <exception cref="MillraceException">The brokers refuse it, or do not answer in time.</exception>
    public void Open()
    {
        var started = context.Options.Time.GetTimestamp();
        var producer = context.Clients.Producer(transactionalId);
        try
        {
            while (true)
            {
                try
                {
                    producer.InitTransactions(CallTime);
                    _producer = producer;
                    return;
                }
                catch (KafkaException failure) when (IsRetriable(failure) && Elapsed(started) < Patience)
                {
                    context.Log.RequestRetried("Opening a producer", failure.Error.Code, failure.Error.Reason);
                }
            }
        }
        catch (KafkaException failure)
        {
            producer.Dispose();
            throw KafkaErrors.ToFailure($"Opening the producer of transactional id '{transactionalId}'", failure.Error, failure);
        }
    }

    public TransactionOutcome Try(IReadOnlyList<PendingCommit> group)
    {
        var isEnding = false;
        try
        {
            if (_isFenced) return new TransactionOutcome.Refused(null, new Error(ErrorCode.ProducerFenced, "a newer one has the name"));
            if (_producer is null) Open();
            _producer!.BeginTransaction();
            foreach (var pending in group)
            {
                if (TrySend(pending) is { } refused) return Abort(refused, refused.Error);
            }

            foreach (var member in group.Where(pending => pending.Owner is not null).GroupBy(pending => pending.Owner!.Member))
            {
                if (TrySendPositions(member.Key, [.. member]) is { } refused) return Abort(refused, refused.Error);
            }

            isEnding = true;
            Repeat(_producer.CommitTransaction);
            return new TransactionOutcome.Committed();
        }
        catch (KafkaTxnRequiresAbortException failure)
        {
            return Renew(Judge(group, failure.Error), failure.Error);
        }
        catch (KafkaException failure)
        {
            return Rebuild(group, failure.Error, isEnding);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.Unreachable)
        {
            return new TransactionOutcome.Aborted(new Error(ErrorCode.Local_TimedOut, failure.Message));
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.NotAuthorized)
        {
            return new TransactionOutcome.Refused(null, new Error(ErrorCode.TransactionalIdAuthorizationFailed, failure.Message));
        }
    }

    /// <summary>Makes the client ask for topics again: one that was deleted and created is remembered as it was.</summary>
    public void Refresh(IEnumerable<string> topics)
    {
        if (_producer is not null) Topics.TopicCatalog.Refresh(_producer, topics);
    }

    public void Dispose() => _producer?.Dispose();

    private TransactionOutcome.Refused? TrySend(PendingCommit pending)
    {
        try
        {
            RecordSender.Send(_producer!, pending);
            return null;
        }
        catch (ProduceException<byte[]?, byte[]?> failure) when (KafkaErrors.IsRefusal(failure.Error.Code))
        {
            return new TransactionOutcome.Refused(pending, failure.Error);
        }
    }

    /// <summary>
    /// Sends the positions that a member's partitions stand at, which is what fences: the group's coordinator refuses a member that is not
    /// one any more. Ownership is looked at after the membership's data was taken: a member that fell out and joined again marks what it
    /// lost before it joins, so data of the new membership is never sent for a partition of the old one.
    /// </summary>
    private TransactionOutcome.Aborted? TrySendPositions(Membership member, IReadOnlyList<PendingCommit> group)
    {
        var data = member.GroupMetadata();
        if (data is null) member.Refused(new Error(ErrorCode.UnknownMemberId));
        if (data is null || group.Any(pending => !pending.Owner!.IsOwned))
            return new TransactionOutcome.Aborted(new Error(ErrorCode.UnknownMemberId, "the member fell out of its group"));
        try
        {
            Repeat(within => _producer!.SendOffsetsToTransaction(PositionsOf(group), data, within));
            return null;
        }
        catch (KafkaException failure) when (!failure.Error.IsFatal && KafkaErrors.IsMemberFenced(failure.Error.Code))
        {
            member.Refused(failure.Error);
            return new TransactionOutcome.Aborted(failure.Error);
        }
    }

    /// <summary>
    /// The last position that a commit names, of each topic and partition. A commit that names none comes with one that stood before the
    /// transaction: it never takes the place of one that another commit in the transaction names.
    /// </summary>
    private static List<Confluent.Kafka.TopicPartitionOffset> PositionsOf(IReadOnlyList<PendingCommit> group)
    {
        var positions = new Dictionary<Confluent.Kafka.TopicPartition, Confluent.Kafka.TopicPartitionOffset>();
        foreach (var pending in group)
        {
            foreach (var (topic, offset) in pending.Commit.Positions)
            {
                var partition = new Confluent.Kafka.TopicPartition(topic, pending.Owner!.Partition);
                positions[partition] = new Confluent.Kafka.TopicPartitionOffset(partition, offset);
            }
        }

        foreach (var pending in group)
        {
            foreach (var (topic, offset) in pending.Owner!.StandingPositions(pending))
            {
                var partition = new Confluent.Kafka.TopicPartition(topic, pending.Owner.Partition);
                positions.TryAdd(partition, new Confluent.Kafka.TopicPartitionOffset(partition, offset));
            }
        }

        return [.. positions.Values];
    }

    /// <summary>Calls again while the client says that calling again may help. It is bounded by the transaction's own time.</summary>
    private void Repeat(Action<TimeSpan> call)
    {
        var started = context.Options.Time.GetTimestamp();
        while (true)
        {
            try
            {
                call(Patience < CallTime ? Patience : CallTime);
                return;
            }
            catch (KafkaException failure) when (IsRetriable(failure) && Elapsed(started) < Patience)
            {
                context.Log.RequestRetried("A transaction", failure.Error.Code, failure.Error.Reason);
            }
        }
    }

    /// <summary>
    /// Ends a transaction without effect. The producer stays only if the brokers answered all that it sent: librdkafka gives the sequence
    /// numbers of records that it drops to later ones, so records that a broker has, and whose answer was lost, would make it take the
    /// next try's for repetitions, and leave them out.
    /// </summary>
    private TransactionOutcome Abort(TransactionOutcome outcome, Error reason)
    {
        try
        {
            if (_producer!.Flush(FlushTime) > 0) return Renew(outcome, reason);
            Repeat(_producer.AbortTransaction);
            return outcome;
        }
        catch (KafkaException failure)
        {
            return Renew(outcome, failure.Error);
        }
    }

    /// <summary>
    /// Ends a transaction without effect by a new producer of the id, whose sequence numbers begin anew. It is opened at once: until then
    /// the transaction is open, and holds up readers.
    /// </summary>
    private TransactionOutcome Renew(TransactionOutcome outcome, Error reason)
    {
        if (Drop(reason)) return new TransactionOutcome.Refused(null, reason);
        if (TryOpen() is { } failure) // the next try opens it
            context.Log.RequestRetried("Ending a transaction", ErrorCode.Local_TimedOut, failure.Message);
        return outcome;
    }

    private static TransactionOutcome Judge(IReadOnlyList<PendingCommit> group, Error error)
    {
        foreach (var pending in group)
        {
            if (pending.Refusal is { } refusal && KafkaErrors.IsRefusal(refusal.Code))
                return new TransactionOutcome.Refused(pending, refusal);
        }

        return KafkaErrors.IsRefusal(error.Code) ? new TransactionOutcome.Refused(null, error) : new TransactionOutcome.Aborted(error);
    }

    /// <summary>
    /// The producer can go on no more. Before its commit was asked for, nothing happened; afterwards a new producer of the id brings the
    /// transaction to its end, and then a record that it wrote tells which.
    /// </summary>
    private TransactionOutcome Rebuild(IReadOnlyList<PendingCommit> group, Error error, bool isEnding)
    {
        if (Drop(error)) return new TransactionOutcome.Refused(null, error);
        if (KafkaErrors.IsRefusal(error.Code) && !isEnding) return new TransactionOutcome.Refused(null, error);
        if (TryOpen() is { } failure)
        {
            if (isEnding) return new TransactionOutcome.Unknown(error);
            return failure.Code == FailureCodes.NotAuthorized
                ? new TransactionOutcome.Refused(null, error)
                : new TransactionOutcome.Aborted(error);
        }

        if (!isEnding || group.Any(pending => pending.IsUndelivered)) return new TransactionOutcome.Aborted(error);
        if (group.Select(pending => pending.Witness).FirstOrDefault(witness => witness is not null) is not { } record)
            return new TransactionOutcome.Unknown(error);
        if (Witnesses.HasHappened(context, record.Source, record.Offset) is not { } happened) return new TransactionOutcome.Unknown(error);
        context.Log.Resolved(happened);
        return happened ? new TransactionOutcome.Committed() : new TransactionOutcome.Aborted(error);
    }

    /// <summary>A named producer gives way to a newer one at once; an engine's own only when it is clear that two use one name.</summary>
    private bool IsTakenOver(Error error)
    {
        _isFenced = isRival;
        if (isRival) return true;
        _fenced.Enqueue(context.Options.Time.GetTimestamp());
        while (Elapsed(_fenced.Peek()) > context.Options.TransactionTimeout * 2) _fenced.Dequeue();
        if (_fenced.Count < FencedMax) return false;
        throw new MillraceException(FailureCodes.Stopped,
            $"Another process uses the transactional id '{transactionalId}' at the same time ({error.Reason}). Give each process an " +
            "instance id or a state directory of its own.");
    }

    /// <summary>Ends the producer; true when another has taken its id over, for good.</summary>
    private bool Drop(Error error)
    {
        context.Log.Rebuilt(transactionalId, error.Code, error.Reason);
        _producer?.Dispose();
        _producer = null;
        return KafkaErrors.IsProducerFenced(error.Code) && IsTakenOver(error);
    }

    /// <summary>Opens a new producer while there is time; why not, else.</summary>
    private MillraceException? TryOpen()
    {
        if (Patience == TimeSpan.Zero) return Requests.Stopped();
        try
        {
            Open();
            return null;
        }
        catch (MillraceException failure)
        {
            return failure;
        }
    }

    /// <summary>
    /// How long a transaction is brought to its end. While the engine stops there is one call's time for all that is left to do: the next
    /// start ends what stays open.
    /// </summary>
    private TimeSpan Patience
    {
        get
        {
            if (!context.Stopping.IsCancellationRequested) return context.Options.DeliveryTimeout;
            var left = CallTime - Elapsed(_stoppingSince ??= context.Options.Time.GetTimestamp());
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>
    /// Whether the same call may succeed. Records that were not delivered in time have the code of a call that was not answered in time,
    /// but their transaction can only be aborted.
    /// </summary>
    private static bool IsRetriable(KafkaException failure) => failure is not KafkaTxnRequiresAbortException && !failure.Error.IsFatal
        && (failure is KafkaRetriableException || failure.Error.Code is ErrorCode.Local_TimedOut or ErrorCode.ConcurrentTransactions);

    private TimeSpan Elapsed(long started) => context.Options.Time.GetElapsedTime(started);
}

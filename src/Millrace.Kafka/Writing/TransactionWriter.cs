using System.Threading.Channels;
using Confluent.Kafka;
using Millrace.Kafka.Clients;
using Millrace.Kafka.Topics;

namespace Millrace.Kafka.Writing;

/// <summary>
/// The one transactional producer of an engine instance, or of one named <see cref="Producer"/>: one thread that takes all commits that
/// wait into one transaction, in their order, and answers them together. What fails is retried, taken out, looked up or given up as
/// docs/internals/kafka.md says; nobody hears of success before the transaction is committed.
/// </summary>
internal sealed class TransactionWriter : IDisposable
{
    /// <summary>How often topics are asked for again before the brokers' refusal is believed.</summary>
    private const int RefreshesMax = 5;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan RetryPauseMax = TimeSpan.FromSeconds(1);

    private readonly WriterContext _context;
    private readonly TransactionalProducer _producer;
    private readonly Channel<PendingCommit> _waiting;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private List<PendingCommit> _inHand = []; // being written, for when the writing ends half-way
    private PendingCommit? _next; // taken from the channel but too large for the transaction before it
    private volatile MillraceException? _failure;

    public TransactionWriter(WriterContext context, TransactionalProducer producer)
    {
        (_context, _producer) = (context, producer);
        _waiting = Channel.CreateBounded<PendingCommit>(
            new BoundedChannelOptions(context.Options.CommitsWaitingMax) { SingleReader = true });
        _loop = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public async ValueTask<CommitResult> CommitAsync(PendingCommit pending)
    {
        try
        {
            if (!_waiting.Writer.TryWrite(pending)) await _waiting.Writer.WriteAsync(pending, pending.Cancellation);
        }
        catch (ChannelClosedException)
        {
            pending.Fail(_failure ?? Requests.Stopped());
        }
        catch (OperationCanceledException)
        {
            pending.Cancel();
        }

        return await pending.Answer;
    }

    /// <summary>Lets the transaction in hand end, refuses what waits, and ends.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _stop.Cancel();
        _loop.Wait();
        _producer.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        try
        {
            while (TryTake(out _inHand)) Write(_inHand);
        }
        catch (Exception failure)
        {
            // The edge of the thread: what is not understood ends the writing, and everyone hears why.
            _context.Log.WriterFailed(failure);
            _failure = new MillraceException(FailureCodes.Stopped, $"The engine stopped writing to Kafka: {failure.Message}", failure);
            _waiting.Writer.TryComplete();
        }

        var refusal = _failure ?? Requests.Stopped();
        foreach (var pending in _inHand) pending.Fail(refusal);
        _next?.Fail(refusal);
        while (_waiting.Reader.TryRead(out var pending)) pending.Fail(refusal);
    }

    /// <summary>Everything that waits, up to the limit of a transaction; false when the writer ends.</summary>
    private bool TryTake(out List<PendingCommit> group)
    {
        group = [];
        if (_next is null && !WaitForOne()) return false;
        var bytes = 0L;
        while (_next is not null || _waiting.Reader.TryRead(out _next))
        {
            if (group.Count > 0 && bytes + _next.Bytes > _context.Options.TransactionBytesMax) break;
            bytes += _next.Bytes;
            group.Add(_next);
            _next = null;
        }

        return true;
    }

    private bool WaitForOne()
    {
        try
        {
            return _waiting.Reader.WaitToReadAsync(_stop.Token).AsTask().GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Writes a group of commits, in one transaction if nothing is wrong with any.</summary>
    private void Write(List<PendingCommit> group)
    {
        var started = _context.Options.Time.GetTimestamp();
        var pause = RetryPause;
        var refreshes = 0;
        while (true)
        {
            group = Admit(group);
            if (group.Count == 0) return;
            var outcome = _producer.Try(group);
            switch (outcome)
            {
                case TransactionOutcome.Committed:
                    foreach (var pending in group) pending.Succeed();
                    return;
                case TransactionOutcome.Unknown unknown:
                    foreach (var pending in group) pending.Fail(Unknown(unknown.Error));
                    return;
                case TransactionOutcome.Refused refused when KafkaErrors.IsNoTopic(refused.Error.Code) && refreshes < RefreshesMax:
                    refreshes++;
                    AskAgain(group);
                    _stop.Token.WaitHandle.WaitOne(pause * refreshes);
                    continue;
                case TransactionOutcome.Refused refused when group.Count > 1 && refused.Culprit is null:
                    foreach (var pending in group) Write([pending]);
                    return;
                case TransactionOutcome.Refused refused:
                    var culprit = refused.Culprit ?? group[0];
                    culprit.Fail(KafkaErrors.ToFailure("Committing", refused.Error));
                    group.Remove(culprit);
                    continue;
                case TransactionOutcome.Aborted aborted:
                    if (Elapsed(started) >= _context.Options.DeliveryTimeout || _stop.IsCancellationRequested)
                    {
                        foreach (var pending in group) pending.Fail(GivenUp(aborted.Error));
                        return;
                    }

                    _context.Log.Retried(aborted.Error.Code, aborted.Error.Reason);
                    _stop.Token.WaitHandle.WaitOne(pause);
                    pause = pause * 2 < RetryPauseMax ? pause * 2 : RetryPauseMax;
                    continue;
                default:
                    throw new InvalidOperationException($"Unknown outcome {outcome.GetType().Name}.");
            }
        }
    }

    /// <summary>Answers those that cannot be written, in the order of the calls, and returns the others.</summary>
    private List<PendingCommit> Admit(List<PendingCommit> group)
    {
        var admitted = new List<PendingCommit>(group.Count);
        foreach (var pending in group)
        {
            if (pending.Cancellation.IsCancellationRequested)
            {
                pending.Cancel();
                continue;
            }

            try
            {
                Demand(pending);
                admitted.Add(pending);
            }
            catch (Exception failure) when (failure is MillraceException or ArgumentException)
            {
                pending.Fail(failure);
            }
        }

        return admitted;
    }

    private void Demand(PendingCommit pending)
    {
        if (_stop.IsCancellationRequested) throw Requests.Stopped();
        pending.Owner?.Demand();
        foreach (var batch in pending.Commit.Batches) _context.Topics.Demand(batch.Target);
        foreach (var (topic, _) in pending.Commit.Positions) _context.Topics.Demand(new TopicPartition(topic, pending.Owner!.Partition));
    }

    /// <summary>A topic is not as it is remembered: commits to one that is gone are refused next, and the others tried again.</summary>
    private void AskAgain(List<PendingCommit> group)
    {
        var topics = group.SelectMany(pending => pending.Commit.Batches).Select(batch => batch.Target.Topic)
            .Distinct(StringComparer.Ordinal).ToList();
        topics.ForEach(_context.Topics.Forget);
        _producer.Refresh(topics);
    }

    private TimeSpan Elapsed(long started) => _context.Options.Time.GetElapsedTime(started);

    private MillraceException GivenUp(Error error) => _stop.IsCancellationRequested
        ? Requests.Stopped()
        : KafkaErrors.ToFailure($"Committing within {_context.Options.DeliveryTimeout}", error);

    private static MillraceException Unknown(Error error) => new(FailureCodes.UnknownResult,
        $"The brokers did not say whether the commit happened, and it left no record to look for ({error.Code}: {error.Reason}).");
}

/// <summary>What a writer works with.</summary>
/// <param name="Options">The engine's options.</param>
/// <param name="Clients">Makes producers.</param>
/// <param name="Topics">Knows the topics.</param>
/// <param name="Log">Where it is told.</param>
/// <param name="Stopping">Cancelled when the engine stops.</param>
internal sealed record WriterContext(
    KafkaOptions Options, ClientFactory Clients, TopicCatalog Topics, ClientLog Log, CancellationToken Stopping);

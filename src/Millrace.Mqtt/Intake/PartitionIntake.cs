using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Millrace.Mqtt.Mapping;
using Millrace.Mqtt.Telemetry;

namespace Millrace.Mqtt.Intake;

/// <summary>What the intakes of one source share: its options, mappings and the sizes of its topics.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Options">The options.</param>
/// <param name="Mappings">The routes, in their order.</param>
/// <param name="Partitions">How many partitions each topic has that is written to.</param>
/// <param name="Meters">The instruments.</param>
internal sealed record SourceParts(
    Engine Engine, MqttSourceOptions Options, IReadOnlyList<MessageMapping> Mappings, IReadOnlyDictionary<string, int> Partitions,
    MqttMeters Meters)
{
    public Func<string> NewId { get; } = Options.NewId ?? (() => Guid.CreateVersion7(Options.Time.GetUtcNow()).ToString());

    /// <summary>Told when a client is subscribed (0), or the embedded broker listens (its port).</summary>
    public required Action<int> Ready { get; init; }

    public MessageMapping? Find(string topic)
    {
        foreach (var mapping in Mappings)
        {
            if (mapping.Pattern.Matches(topic)) return mapping;
        }

        return null;
    }
}

/// <summary>
/// Makes what arrives durable: takes all that waits into one commit, in its order, with the packet ids of quality 2, and completes the
/// arrivals after it. One commit is under way at a time, during which the next one gathers. Ends with the first failure: what was not
/// committed fails, so that it is not acknowledged, and its connections are broken.
/// </summary>
internal sealed class PartitionIntake
{
    private static readonly RecordHeader ContentType = new("content-type", EventCodec.StructuredContentType);

    private readonly SourceParts _parts;
    private readonly OwnedPartition _owned;
    private readonly SourceMemory _memory;
    private readonly Channel<Arrival> _waiting;

    public PartitionIntake(SourceParts parts, OwnedPartition owned)
    {
        (_parts, _owned) = (parts, owned);
        _memory = new SourceMemory(parts.Options.RememberedMax);
        _waiting = Channel.CreateBounded<Arrival>(new BoundedChannelOptions(parts.Options.ReceiveMaximum) { SingleReader = true });
    }

    /// <summary>Whether anything has become durable.</summary>
    public bool HasCommitted { get; private set; }

    /// <summary>Hands an arrival over; waits while as many wait as may. Fails when the intake has ended.</summary>
    public async ValueTask AddAsync(Arrival arrival, CancellationToken cancellation)
    {
        try
        {
            await _waiting.Writer.WriteAsync(arrival, cancellation);
            _parts.Meters.Waiting(1);
        }
        catch (ChannelClosedException)
        {
            throw Ended();
        }
    }

    /// <summary>Brings the source's state here. Call it before anything is added.</summary>
    public async Task RestoreAsync(CancellationToken cancellation)
    {
        await _owned.RestoreAsync(cancellation);
        _memory.Load(_owned);
    }

    /// <summary>Runs until the first failure, which it throws, or until <see cref="Finish"/> and everything before it is durable.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var batch = new List<Arrival>();
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(cancellation))
            {
                Gather(batch);
                await CommitAsync(batch, cancellation);
                batch.Clear();
            }
        }
        catch (Exception failure)
        {
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var late)) Fail(late, failure);
            foreach (var arrival in batch) Fail(arrival, failure);
            throw;
        }
    }

    /// <summary>Nothing more is added; what waits is committed still.</summary>
    public void Finish() => _waiting.Writer.TryComplete();

    private static MillraceException Ended() => new(FailureCodes.Stopped, "The source's intake has ended; what comes is sent again later.");

    private void Gather(List<Arrival> batch)
    {
        var bytes = 0L;
        while (batch.Count < _parts.Options.CommitMessagesMax && bytes < _parts.Options.CommitBytesMax
            && _waiting.Reader.TryRead(out var next))
        {
            if (next.Conversation.IsBroken)
            {
                Fail(next, Ended());
                continue;
            }

            bytes += next is Arrival.Message message ? Math.Min(message.Payload.Length, _parts.Options.PayloadBytesMax) : 0;
            batch.Add(next);
        }
    }

    private void Fail(Arrival arrival, Exception failure)
    {
        if (arrival.Durable.IsCompleted) return;
        _parts.Meters.Waiting(-1);
        arrival.Fail(failure);
    }

    /// <summary>
    /// Commits arrivals and completes them. When they are too large for the engine, each half is committed by itself; a message that is too
    /// large alone becomes a dead letter without its payload, for it would come again for ever.
    /// </summary>
    private async Task CommitAsync(List<Arrival> batch, CancellationToken cancellation, bool isAloneTooLarge = false)
    {
        if (batch.Count == 0) return;
        var tally = new Tally();
        using var commit = new Commit();
        foreach (var arrival in batch) Add(arrival, commit, ref tally, isAloneTooLarge);
        commit.DropEmptyBatches();
        try
        {
            var startedAt = _parts.Options.Time.GetTimestamp();
            if (!commit.IsEmpty)
            {
                _ = (await _owned.CommitAsync(commit, cancellation)).RequireCommitted();
                HasCommitted = true;
                _parts.Meters.Committed(tally, _parts.Options.Time.GetElapsedTime(startedAt));
            }
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.TooLarge && !isAloneTooLarge)
        {
            await RestoreAsync(cancellation);
            if (batch.Count == 1)
            {
                await CommitAsync(batch, cancellation, isAloneTooLarge: true);
                return;
            }

            await CommitAsync(batch[..(batch.Count / 2)], cancellation);
            await CommitAsync(batch[(batch.Count / 2)..], cancellation);
            return;
        }

        _parts.Meters.Waiting(-batch.Count);
        foreach (var arrival in batch) arrival.Complete();
    }

    private void Add(Arrival arrival, Commit commit, ref Tally tally, bool isTooLarge)
    {
        if (arrival.Conversation.IsBroken)
        {
            arrival.Fail(Ended());
            return;
        }

        var client = arrival.Conversation.Client;
        switch (arrival)
        {
            case Arrival.NewSession:
                _memory.Forget(client, commit);
                break;
            case Arrival.Session session:
                if (session.IsNew) _memory.Forget(client, commit);
                _memory.Sessions.Open(session, commit);
                break;
            case Arrival.Subscription subscription:
                _memory.Sessions.Change(subscription, commit);
                break;
            case Arrival.Release release:
                _memory.Release(client, release.PacketId, commit);
                break;
            case Arrival.Message message:
                Add(message, commit, ref tally, isTooLarge);
                break;
            default:
                throw new InvalidOperationException($"Unknown arrival {arrival.GetType().Name}.");
        }
    }

    private void Add(Arrival.Message message, Commit commit, ref Tally tally, bool isTooLarge)
    {
        // A sender repeats a packet of quality 2 with DUP set until it has our PUBREC, and gives its id to another message only after our
        // PUBCOMP, which follows the durable release. So a known id without DUP is of a new session.
        if (message.Quality == 2 && message.IsRedelivered && _memory.Knows(message.Conversation.Client, message.PacketId))
        {
            message.WasTakenBefore = true;
            tally.Duplicates++;
            return;
        }

        if (message.Quality == 2 && !_memory.TryRemember(message.Conversation.Client, message.PacketId, commit))
        {
            message.Fail(new MillraceException(FailureCodes.Throttled,
                $"{_parts.Options.RememberedMax} packets of quality 2 are not released; raise MqttSourceOptions.RememberedMax."));
            return;
        }

        var now = _parts.Options.Time.GetUtcNow();
        try
        {
            var mapping = _parts.Find(message.Topic) ?? throw new UnusableException("no route takes its topic");
            if (message.IsRetained && mapping.Route.Retained == MqttRetained.Ignore)
            {
                tally.RetainedPassed++;
                return;
            }

            if (isTooLarge || message.Payload.Length > _parts.Options.PayloadBytesMax)
                throw new UnusableException($"its payload of {message.Payload.Length} bytes is larger than is taken");
            var isNews = mapping.Route.Retained != MqttRetained.OnlyWhenNew || _memory.IsNews(message.Topic, message.Payload.Span, commit);
            if (message.IsRetained && !isNews)
            {
                tally.RetainedPassed++;
                return;
            }

            var record = mapping.Map(message.Topic, message.Payload, now, _parts.NewId);
            commit.To(TargetOf(mapping.Route.Target, record.Key)).Add(
                record.Timestamp, true, record.Key, true, record.Value.Span, ContentType,
                new RecordHeader(MqttHeaders.Topic, message.Topic));
            tally.Taken++;
        }
        catch (UnusableException reason)
        {
            AddDeadLetter(message, reason.Message, isTooLarge, now, commit);
            tally.DeadLetters++;
        }
    }

    private void AddDeadLetter(Arrival.Message message, string reason, bool isTooLarge, DateTimeOffset now, Commit commit)
    {
        var isWithout = isTooLarge || message.Payload.Length > _parts.Options.PayloadBytesMax;
        var key = Encoding.UTF8.GetBytes(message.Topic);
        if (reason.Length > MqttHeaders.ReasonCharactersMax) reason = reason[..MqttHeaders.ReasonCharactersMax];
        commit.To(TargetOf(_parts.Options.DeadLetters, key)).Add(
            now.ToUnixTimeMilliseconds(), true, key, !isWithout, isWithout ? default : message.Payload.Span,
            new RecordHeader(MqttHeaders.Topic, message.Topic),
            new RecordHeader(MqttHeaders.Client, message.Conversation.Client),
            new RecordHeader(MqttHeaders.Quality, message.Quality.ToString(CultureInfo.InvariantCulture)),
            new RecordHeader(MqttHeaders.Reason, reason),
            new RecordHeader(MqttHeaders.Time, now.ToString("O", CultureInfo.InvariantCulture)));
    }

    private TopicPartition TargetOf(string topic, ReadOnlySpan<byte> key) =>
        new(topic, Partitioner.PartitionOf(key, _parts.Partitions[topic]));
}

/// <summary>What one commit did with its messages.</summary>
[SuppressMessage("Performance", "CA1815", Justification = "It is counted up and handed over, never compared.")]
internal struct Tally
{
    public int Taken;
    public int Duplicates;
    public int RetainedPassed;
    public int DeadLetters;
}

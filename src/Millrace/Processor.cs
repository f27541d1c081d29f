using System.Globalization;

namespace Millrace;

/// <summary>
/// What reacts to events, described: its group, its topics, and how to make the part that works on one partition. Handlers, projections,
/// stream operators and queries all become one of these. Immutable.
/// </summary>
public sealed record Processor
{
    /// <summary>The processor's name; it is its consumer group's id.</summary>
    public required string Name { get; init; }

    /// <summary>The topics that it reads.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>
    /// Makes the part that works on one partition, once its state is restored; called again after each failure, on any thread. The scope
    /// may be used during the call: what is put or set then is part of the first commit.
    /// </summary>
    public required Func<ProcessorScope, IPartitionProcessor> Create { get; init; }

    /// <summary>Where to begin without a position.</summary>
    public OffsetReset OffsetReset { get; init; } = OffsetReset.Earliest;

    /// <summary>Whether it keeps keyed state or timers; then its topics must have equally many partitions.</summary>
    public bool HasState { get; init; } = true;

    /// <summary>
    /// Whether its state may be larger than memory, so that an engine that keeps it there will not do: the runtime refuses one without <see
    /// cref="EngineCapabilities.HasStateOnDisk"/>. False by default.
    /// </summary>
    public bool NeedsStateOnDisk { get; init; }

    /// <summary>
    /// Topics that it writes to besides the application's own, such as dead letters. The runtime creates those that are missing before the
    /// processor starts. None by default.
    /// </summary>
    public IReadOnlyList<CompanionTopic> Companions { get; init; } = [];

    /// <summary>
    /// Topics that it has whole, all of their partitions in each process, whatever partitions it owns: Kafka Streams' global tables. They
    /// are no part of its group, and how far they were read is in no commit. None by default.
    /// </summary>
    public IReadOnlyList<GlobalTopic> GlobalTopics { get; init; } = [];
}

/// <summary>
/// A topic that a processor has whole. The runtime reads all of its partitions from their beginning, once per process, and goes on with
/// what comes. No partition is worked on before what lay there at the start was given. A reading that fails is begun anew after a pause,
/// from the beginning; the partitions go on meanwhile with what they have.
/// </summary>
public sealed record GlobalTopic
{
    /// <summary>The topic's name. It has to exist when the runtime starts.</summary>
    public required string Name { get; init; }

    /// <summary>What takes the records; called each time that the topic is read from its beginning.</summary>
    public required Func<GlobalTopicIntake> Begin { get; init; }
}

/// <summary>
/// What takes the records of a global topic. Called from one loop, never two calls at a time, while partitions are worked on elsewhere. A
/// call that throws ends the reading.
/// </summary>
public abstract class GlobalTopicIntake
{
    /// <summary>Takes records of one partition, in their order. They are valid until the call ends.</summary>
    public abstract void Take(FetchedRecords records);

    /// <summary>All that lay in the topic when the reading began has been given. Called once; nothing by default.</summary>
    public virtual void Complete()
    {
    }
}

/// <summary>A topic that exists because another one does, with its partition count and durability: a key stays in its partition.</summary>
/// <param name="Name">The topic's name.</param>
/// <param name="Of">The topic that it goes with.</param>
public readonly record struct CompanionTopic(string Name, string Of);

/// <summary>
/// The part of a processor that works on one partition. The runtime calls it from one loop: never two calls at a time. What it does through
/// its <see cref="ProcessorScope"/> during a call becomes durable with the positions of that call's records, or not at all. A call that
/// throws ends this instance: the partition starts again from its last commit with a new one. An instance that is <see
/// cref="IAsyncDisposable"/> or <see cref="IDisposable"/> is disposed when its work ends, for whatever reason.
/// </summary>
public interface IPartitionProcessor
{
    /// <summary>Works on records of one topic, in their order. The records are valid until the call ends.</summary>
    ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation);

    /// <summary>A timer is due. It is already removed; set it again to repeat it.</summary>
    ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation);

    /// <summary>
    /// A commit is about to be made of the calls since the last one: state that is kept as objects is written to the scope now, dirty keys
    /// only. Several calls may share one commit.
    /// </summary>
    void BeforeCommit()
    {
    }
}

/// <summary>A timer that is due.</summary>
/// <param name="Name">Which timer of the key.</param>
/// <param name="Key">The key.</param>
/// <param name="Due">The time that it was set for.</param>
public readonly record struct DueTimer(string Name, ReadOnlyMemory<byte> Key, DateTimeOffset Due);

/// <summary>
/// One partition's window on the runtime: its keyed state as of the calls so far, its timers, and what it says. Use it only within calls of
/// its <see cref="IPartitionProcessor"/>. Store names that begin with <c>$</c> are the runtime's own: every member refuses them with an
/// <see cref="ArgumentException"/>. Not thread safe.
/// </summary>
public abstract class ProcessorScope
{
    /// <summary>The processor's name.</summary>
    public abstract string Processor { get; }

    /// <summary>The partition's number.</summary>
    public abstract int Partition { get; }

    /// <summary>
    /// The owner's epoch, greater than that of every earlier owner of the partition in this group. Who writes to a place outside of the
    /// engine keeps it there, and refuses what comes with a smaller one: so an owner that was replaced writes nothing there either.
    /// </summary>
    public abstract long Epoch { get; }

    /// <summary>The runtime's clock.</summary>
    public abstract TimeProvider Time { get; }

    /// <summary>Reads keyed state, with the changes of earlier calls and of this one.</summary>
    public abstract bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value);

    /// <summary>Every entry of a store, with the changes so far, ordered by key bytes. For start-up and small stores: it copies.</summary>
    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store) => Scan(store, StateRange.All);

    /// <summary>
    /// Entries of a store, with the changes so far, ordered by key bytes: as many of the range as it wants, and fewer only when there are
    /// no more.
    /// </summary>
    public abstract IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range);

    /// <summary>Keeps a value under a key. Both are copied.</summary>
    public abstract void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value);

    /// <summary>Removes a key.</summary>
    public abstract void Delete(string store, ReadOnlySpan<byte> key);

    /// <summary>
    /// Sets the timer of that name and key; an earlier setting of it is replaced. It fires once, at or after the time, also after a
    /// restart. Due timers fire in order of time, then name (ordinal), then key bytes.
    /// </summary>
    /// <exception cref="ArgumentException">The name is empty or longer than 255 bytes of UTF-8.</exception>
    /// <exception cref="MillraceException">The partition has too many timers (<see cref="FailureCodes.TooLarge"/>).</exception>
    public abstract void SetTimer(string name, ReadOnlySpan<byte> key, DateTimeOffset due);

    /// <summary>Removes the timer of that name and key, if it is set.</summary>
    public abstract void CancelTimer(string name, ReadOnlySpan<byte> key);

    /// <summary>
    /// The batch that a record for that key goes to, on the partition that Kafka would choose. Add the record to it at once.
    /// </summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public abstract RecordBatchBuilder To(string topic, ReadOnlySpan<byte> key);

    /// <summary>The batch for one partition of a topic, whatever the record's key. Add the record to it at once.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The topic has no such partition.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public abstract RecordBatchBuilder ToPartition(string topic, int partition);

    /// <summary>
    /// Reads nothing more of one of the processor's topics on this partition until a task has ended, however it does. What was read
    /// already is worked on; timers fire meanwhile, other topics are read. Another call for the topic replaces it, a restart of the
    /// partition ends it.
    /// </summary>
    /// <exception cref="ArgumentException">The processor does not read the topic.</exception>
    public abstract void Hold(string topic, Task until);

    /// <summary>How many partitions a topic has.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public abstract int PartitionsOf(string topic);
}

/// <summary>
/// Records that a processor could not work on. A dead letter is the record as it was read (key, value, time and headers unchanged),
/// followed by the headers named here, in the topic <see cref="TopicOf"/> names. Thread safe.
/// </summary>
public static class DeadLetters
{
    /// <summary>What a dead-letter topic's name ends in.</summary>
    public const string TopicSuffix = ".dlq";

    /// <summary>Why: the exception's type and message, at most <see cref="ReasonCharactersMax"/> characters.</summary>
    public const string Reason = "millrace-dlq-reason";

    /// <summary>The topic that the record was read from.</summary>
    public const string Topic = "millrace-dlq-topic";

    /// <summary>The partition that it was read from, in decimal.</summary>
    public const string Partition = "millrace-dlq-partition";

    /// <summary>The offset that it had there, in decimal.</summary>
    public const string Offset = "millrace-dlq-offset";

    /// <summary>The group that could not handle it.</summary>
    public const string Group = "millrace-dlq-group";

    /// <summary>How many times a handler was called with it, in decimal; 0 when the record could not be read.</summary>
    public const string Attempts = "millrace-dlq-attempts";

    /// <summary>When it was given up, ISO 8601 in UTC.</summary>
    public const string Time = "millrace-dlq-time";

    /// <summary>The most characters that <see cref="Reason"/> has; the rest is cut off.</summary>
    public const int ReasonCharactersMax = 1_000;

    /// <summary>The topic for the dead letters of a topic.</summary>
    public static string TopicOf(string topic) => topic + TopicSuffix;

    /// <summary>
    /// The topic for the dead letters of a topic, to be among the <see cref="Processor.Companions"/> of whoever says them.
    /// </summary>
    public static CompanionTopic CompanionOf(string topic) => new(TopicOf(topic), topic);

    /// <summary>Says a record to its topic's dead letters, within a call of its processor: it is in the commit with the position.</summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="source">Where the record was read.</param>
    /// <param name="record">The record.</param>
    /// <param name="reason">Why it could not be worked on.</param>
    /// <param name="attempts">How often that was tried; 0 when the record could not be read.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public static void Say(ProcessorScope scope, TopicPartition source, in Record record, string reason, int attempts)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(reason);
        ArgumentOutOfRangeException.ThrowIfNegative(attempts);
        var headers = new List<RecordHeader>(record.Headers.Count + 7);
        foreach (var header in record.Headers) headers.Add(header);
        headers.Add(new RecordHeader(Reason, reason.Length <= ReasonCharactersMax ? reason : reason[..ReasonCharactersMax]));
        headers.Add(new RecordHeader(Topic, source.Topic));
        headers.Add(new RecordHeader(Partition, Text(source.Partition)));
        headers.Add(new RecordHeader(Offset, Text(record.Offset)));
        headers.Add(new RecordHeader(Group, scope.Processor));
        headers.Add(new RecordHeader(Attempts, Text(attempts)));
        headers.Add(new RecordHeader(Time, scope.Time.GetUtcNow().UtcDateTime.ToString("O", CultureInfo.InvariantCulture)));
        scope.To(TopicOf(source.Topic), record.Key.Span)
            .Add(record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, headers.ToArray());
    }

    /// <summary>Says a record to its topic's dead letters, with an exception as the reason: its type and its message.</summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="source">Where the record was read.</param>
    /// <param name="record">The record.</param>
    /// <param name="failure">Why it could not be worked on.</param>
    /// <param name="attempts">How often that was tried; 0 when the record could not be read.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public static void Say(ProcessorScope scope, TopicPartition source, in Record record, Exception failure, int attempts)
    {
        ArgumentNullException.ThrowIfNull(failure);
        Say(scope, source, record, $"{failure.GetType().FullName}: {failure.Message}", attempts);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

using System.Collections.Concurrent;
using System.Diagnostics;

namespace Millrace;

/// <summary>What may be stated about an event that is published from outside a processor.</summary>
public sealed record PublishOptions
{
    /// <summary>
    /// The event's id; by default one from the publisher's source of ids. State it to make a repeated call the same event.
    /// </summary>
    public string? Id { get; init; }

    /// <summary>The business transaction; by default the event's own id: it begins one.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>The id of the event that led to this one; none by default.</summary>
    public string? CausationId { get; init; }

    /// <summary>When it happened; now by default.</summary>
    public DateTimeOffset? Time { get; init; }
}

/// <summary>An event that was added to a commit.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Target">The partition that it goes to.</param>
/// <param name="Index">Its index in the commit's batch for that partition: its offset less the batch's base offset.</param>
public readonly record struct AddedEvent(string Id, TopicPartition Target, int Index);

/// <summary>An event that is durable.</summary>
/// <param name="Id">The event's id.</param>
/// <param name="Target">The partition that it is in.</param>
/// <param name="Offset">Its offset.</param>
public readonly record struct PublishedEvent(string Id, TopicPartition Target, long Offset);

/// <summary>
/// Says events for one source: gives each its id, time, correlation, causation and trace context, and writes it to its type's topic by its
/// type's key. Within a processor ids are derived from the cause, so that working on a record again says the same events. Thread safe.
/// </summary>
public sealed class EventPublisher
{
    private readonly TimeProvider _time;
    private readonly Func<string>? _newId;
    private readonly ReadOnlyMemory<byte> _source;
    private readonly EventWriters _writers = new();
    private readonly ConcurrentDictionary<(Engine Engine, string Topic), int> _partitions = new();

    /// <summary>Makes a publisher.</summary>
    /// <param name="registry">The event types.</param>
    /// <param name="source">
    /// The CloudEvents source, such as <c>/services/order-service</c>. Two processors must not share one: ids derive from it.
    /// </param>
    /// <param name="time">The clock.</param>
    /// <param name="newId">
    /// Where ids come from that are neither stated nor derived, such as version 7 UUIDs; each unique. None by default.
    /// </param>
    /// <exception cref="ArgumentException">The source is empty or holds a character that CloudEvents forbids.</exception>
    public EventPublisher(EventRegistry registry, string source, TimeProvider time, Func<string>? newId = null)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(time);
        (Registry, Source, _time, _newId) = (registry, source, time, newId);
        _source = EventText.Source(source);
    }

    /// <summary>The event types that can be said.</summary>
    public EventRegistry Registry { get; }

    /// <summary>The source that stands in what it says.</summary>
    public string Source { get; }

    /// <summary>
    /// Says an event within a processor's call. Its id derives from this source, the cause and the ordinal; its correlation is the cause's,
    /// or the cause's id when it has none; its causation is the cause's id; its trace context is that of <see cref="Activity.Current"/>,
    /// else the cause's.
    /// </summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="data">The data, of a class in the registry.</param>
    /// <param name="cause">The event that is being worked on.</param>
    /// <param name="ordinal">
    /// Which of the events said for that cause by this source it is, from 0: the same whenever the cause is worked on again.
    /// </param>
    /// <exception cref="ArgumentException">The class is not registered, its key is empty, or there is no cause.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public void Say(ProcessorScope scope, object data, in EventView cause, int ordinal)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        if (cause.Id.IsEmpty)
            throw new ArgumentException("There is no cause. Without one, say the event with options that state an id.", nameof(cause));
        var contract = Registry.Find(data.GetType());
        var writer = _writers.Rent();
        writer.Begin(contract.Mode);
        var id = writer.Reserve(StableId.Length);
        StableId.Write(_source.Span, cause, ordinal, id.Span);
        writer.Set(EventAttribute.Id, id);
        writer.Set(EventAttribute.CorrelationId, cause.CorrelationId.IsEmpty ? cause.Id : cause.CorrelationId);
        writer.Set(EventAttribute.CausationId, cause.Id);
        if (!SetTrace(writer))
        {
            writer.Set(EventAttribute.TraceParent, cause.TraceParent);
            writer.Set(EventAttribute.TraceState, cause.TraceState);
        }

        var (key, timestamp) = Complete(writer, contract, data, null);
        scope.To(contract.Topic, key.Span).Add(timestamp, true, key.Span, true, writer.Value.Span, writer.Headers);
        _writers.Return(writer);
    }

    /// <summary>Says an event within a processor's call that has no event as its cause, such as a timer's.</summary>
    /// <param name="scope">The processor's scope.</param>
    /// <param name="data">The data, of a class in the registry.</param>
    /// <param name="options">It must state an id that is the same whenever the call is repeated.</param>
    /// <exception cref="ArgumentException">No id is stated, the class is not registered, or its key is empty.</exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public void Say(ProcessorScope scope, object data, PublishOptions options)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Id is null)
            throw new ArgumentException("Within a processor an event without a cause needs an id that stays the same.", nameof(options));
        var contract = Registry.Find(data.GetType());
        var writer = _writers.Rent();
        var (key, timestamp) = Write(writer, contract, data, options.Id, options);
        scope.To(contract.Topic, key.Span).Add(timestamp, true, key.Span, true, writer.Value.Span, writer.Headers);
        _writers.Return(writer);
    }

    /// <summary>Adds an event to a commit that is made outside any processor.</summary>
    /// <param name="engine">The engine that will commit: it knows how many partitions the topic has, which is asked once.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="data">The data, of a class in the registry.</param>
    /// <param name="options">Its id and more, or null for the defaults.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ArgumentException">
    /// The class is not registered, its key is empty, or there is no id and no source of ids.
    /// </exception>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public async ValueTask<AddedEvent> AddAsync(
        Engine engine, Commit commit, object data, PublishOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(commit);
        ArgumentNullException.ThrowIfNull(data);
        options ??= new PublishOptions();
        var contract = Registry.Find(data.GetType());
        var id = options.Id ?? _newId?.Invoke()
            ?? throw new ArgumentException("No id is stated and the publisher was given no source of ids.");
        var partitions = await PartitionsOfAsync(engine, contract.Topic, cancellation);

        var writer = _writers.Rent();
        var (key, timestamp) = Write(writer, contract, data, id, options);
        var target = new TopicPartition(contract.Topic, Partitioner.PartitionOf(key.Span, partitions));
        var batch = commit.To(target);
        batch.Add(timestamp, true, key.Span, true, writer.Value.Span, writer.Headers);
        _writers.Return(writer);
        return new AddedEvent(id, target, batch.Count - 1);
    }

    /// <summary>Publishes an event from outside any processor and returns when it is durable.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="data">The data, of a class in the registry.</param>
    /// <param name="options">Its id and more, or null for the defaults.</param>
    /// <param name="cancellation">Ends the wait; whether the event was published is then unknown.</param>
    /// <exception cref="ArgumentException">As <see cref="AddAsync"/>.</exception>
    /// <exception cref="MillraceException">As <see cref="Engine.CommitAsync"/>.</exception>
    public async ValueTask<PublishedEvent> PublishAsync(
        Engine engine, object data, PublishOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        using var commit = new Commit();
        var added = await AddAsync(engine, commit, data, options, cancellation);
        var result = await engine.CommitAsync(commit, cancellation);
        return new PublishedEvent(added.Id, added.Target, result.RequireCommitted()[0] + added.Index);
    }

    private (ReadOnlyMemory<byte> Key, long Timestamp) Write(
        EventWriter writer, EventContract contract, object data, string id, PublishOptions options)
    {
        writer.Begin(contract.Mode);
        writer.Set(EventAttribute.Id, id);
        writer.Set(EventAttribute.CorrelationId, options.CorrelationId ?? id);
        writer.Set(EventAttribute.CausationId, options.CausationId);
        SetTrace(writer);
        return Complete(writer, contract, data, options.Time);
    }

    /// <summary>
    /// What does not depend on where the event comes from. Stamped times are whole milliseconds, as the record's own time is.
    /// </summary>
    private (ReadOnlyMemory<byte> Key, long Timestamp) Complete(
        EventWriter writer, EventContract contract, object data, DateTimeOffset? stated)
    {
        var now = stated ?? _time.GetUtcNow();
        var timestamp = now.ToUnixTimeMilliseconds();
        writer.Set(stated ?? DateTimeOffset.FromUnixTimeMilliseconds(timestamp));
        writer.Set(EventAttribute.Source, _source);
        var key = writer.KeepKey(contract.KeyOf(data));
        writer.Close(contract, data);
        return (key, timestamp);
    }

    private static bool SetTrace(EventWriter writer)
    {
        if (Activity.Current is not { IdFormat: ActivityIdFormat.W3C } activity) return false;
        writer.Set(EventAttribute.TraceParent, activity.Id);
        writer.Set(EventAttribute.TraceState, string.IsNullOrEmpty(activity.TraceStateString) ? null : activity.TraceStateString);
        return true;
    }

    private async ValueTask<int> PartitionsOfAsync(Engine engine, string topic, CancellationToken cancellation)
    {
        if (_partitions.TryGetValue((engine, topic), out var known)) return known;
        var found = await engine.FindTopicAsync(topic, cancellation)
            ?? throw new MillraceException(
                FailureCodes.TopicNotFound, $"The topic '{topic}' does not exist: create it before publishing to it.");
        _partitions[(engine, topic)] = found.Partitions.Count;
        return found.Partitions.Count;
    }
}

/// <summary>
/// Writes events of one registry and one source as records, whoever says where they go: what codecs of streams are made of. Nothing is
/// allocated per event but what its data needs to become JSON. Thread safe.
/// </summary>
/// <param name="registry">The event types.</param>
/// <param name="source">The CloudEvents source of every event, a URI reference such as <c>/services/sensors</c>.</param>
/// <exception cref="ArgumentException">The source is empty or holds a character that CloudEvents forbids.</exception>
public sealed class EventRecordWriter(EventRegistry registry, string source)
{
    private readonly ReadOnlyMemory<byte> _source = EventText.Source(source);
    private readonly EventWriters _writers = new();

    /// <summary>Writes one at the end of a batch.</summary>
    /// <param name="data">The data, of a class in the registry.</param>
    /// <param name="id">The event's id.</param>
    /// <param name="key">The record's key.</param>
    /// <param name="timestamp">The event's and the record's time, in milliseconds since the Unix epoch.</param>
    /// <param name="target">The batch.</param>
    /// <exception cref="ArgumentException">
    /// The class is not in the registry, or the id is empty or holds what CloudEvents forbids.
    /// </exception>
    public void Write(object data, string id, ReadOnlySpan<byte> key, long timestamp, RecordBatchBuilder target)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(target);
        var contract = registry.Find(data.GetType());
        var writer = _writers.Rent();
        writer.Begin(contract.Mode);
        writer.Set(EventAttribute.Id, id);
        writer.Set(EventAttribute.Source, _source);
        writer.Set(DateTimeOffset.FromUnixTimeMilliseconds(timestamp));
        writer.Close(contract, data);
        target.Add(timestamp, true, key, true, writer.Value.Span, writer.Headers);
        _writers.Return(writer);
    }
}

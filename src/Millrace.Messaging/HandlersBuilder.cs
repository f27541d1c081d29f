using System.Text.Json.Serialization.Metadata;

namespace Millrace.Messaging;

/// <summary>
/// Says what a group of handlers reads, keeps and does. Everything is checked when the definition ends, in <see cref="Handlers.Define"/>;
/// values out of their range are refused at once. Not thread safe.
/// </summary>
public sealed class HandlersBuilder
{
    /// <summary>The most keys that may be worked on at once, per partition.</summary>
    public const int ParallelismMax = 1_024;

    /// <summary>The most attempts that one event may get.</summary>
    public const int AttemptsMax = 100;

    /// <summary>The longest pause between two attempts; doubling ends here.</summary>
    public static TimeSpan RetryDelayMax => TimeSpan.FromMinutes(5);

    /// <summary>The longest time that handled events may be remembered for.</summary>
    public static TimeSpan DeduplicationMax => TimeSpan.FromDays(3_650);

    /// <summary>The most events that one partition may be asked to remember.</summary>
    public const int RememberedEventsMax = 100_000_000;

    private readonly List<string> _topics = [];
    private readonly List<StateStore> _stores = [];
    private readonly List<Delegate> _handlers = [];

    internal HandlersBuilder()
    {
    }

    internal IReadOnlyList<string> Topics => _topics;

    internal IReadOnlyList<StateStore> Stores => _stores;

    internal IReadOnlyList<Delegate> Methods => _handlers;

    internal string? Source { get; private set; }

    internal int Parallelism { get; private set; } = 16;

    internal int Attempts { get; private set; } = 3;

    internal TimeSpan RetryDelay { get; private set; } = TimeSpan.FromMilliseconds(200);

    internal TimeSpan Retention { get; private set; } = TimeSpan.FromDays(7);

    internal int RememberedMax { get; private set; } = 10_000_000;

    internal OffsetReset OffsetReset { get; private set; } = OffsetReset.Earliest;

    /// <summary>The topics to read; at least one. They must have equally many partitions, so that the events of a key meet.</summary>
    public HandlersBuilder From(params ReadOnlySpan<string> topics)
    {
        foreach (var topic in topics)
        {
            ArgumentException.ThrowIfNullOrEmpty(topic, nameof(topics));
            if (_topics.Contains(topic)) throw new ArgumentException($"The topic '{topic}' is named twice.", nameof(topics));
            _topics.Add(topic);
        }

        return this;
    }

    /// <summary>Where to begin without a position; at the earliest record by default.</summary>
    public HandlersBuilder StartingAt(OffsetReset reset)
    {
        OffsetReset = reset;
        return this;
    }

    /// <summary>
    /// The CloudEvents source of the events that the handlers say, such as <c>/services/payment-service</c>. Needed when they say any.
    /// </summary>
    public HandlersBuilder WithSource(string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        Source = source;
        return this;
    }

    /// <summary>
    /// How many keys may be worked on at once in each partition, 1 to <see cref="ParallelismMax"/>, 16 by default. It matters to handlers
    /// that wait for something; one that does not wait ends before the next begins. The events of one key are always handled one after the
    /// other.
    /// </summary>
    public HandlersBuilder WithParallelism(int keys)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keys, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keys, ParallelismMax);
        Parallelism = keys;
        return this;
    }

    /// <summary>Keeps a value per key, for handlers with a parameter <see cref="State{T}"/>. One store per type.</summary>
    /// <param name="store">The store's name, unique in the group: 1 to 100 of <c>[a-zA-Z0-9._-]</c>, not beginning with
    /// <c>seen</c>.</param>
    /// <param name="type">How the value is written as JSON, from a source-generated context.</param>
    public HandlersBuilder WithState<T>(string store, JsonTypeInfo<T> type)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(type);
        StateStore.RequireName(store);
        if (_stores.Exists(s => s.Name == store)) throw new ArgumentException($"The state store '{store}' is named twice.", nameof(store));
        if (_stores.Find(s => s.ValueType == typeof(T)) is { } other)
        {
            throw new ArgumentException(
                $"State<{typeof(T).Name}> is kept in the store '{other.Name}' already; '{store}' needs a type of its own.", nameof(type));
        }

        _stores.Add(new StateStore<T>(store, type));
        return this;
    }

    /// <summary>
    /// How often an event is tried before it becomes a dead letter, and how long to wait after the first failure; each further pause is
    /// twice as long, up to <see cref="RetryDelayMax"/>. Three attempts and 200 ms by default. Events of the same key wait meanwhile, and
    /// so does the end of the batch.
    /// </summary>
    /// <param name="attempts">1 to <see cref="AttemptsMax"/>; 1 means no second try.</param>
    /// <param name="firstDelay">0 to <see cref="RetryDelayMax"/>.</param>
    public HandlersBuilder WithRetries(int attempts, TimeSpan firstDelay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempts, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(attempts, AttemptsMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstDelay, RetryDelayMax);
        (Attempts, RetryDelay) = (attempts, firstDelay);
        return this;
    }

    /// <summary>
    /// How long a handled event is remembered by its source and id, so that a second delivery of it does nothing. Remembering an event
    /// takes about 16 bytes on disk and 40 in memory.
    /// </summary>
    /// <param name="retention">More than zero, at most <see cref="DeduplicationMax"/>; 7 days by default.</param>
    /// <param name="eventsMax">
    /// How many events each partition remembers at most, 1 to <see cref="RememberedEventsMax"/>, 10,000,000 by default. Beyond it the
    /// oldest are
    /// forgotten early, which <see cref="HandlerTelemetryNames.ForgottenEarly"/> counts.
    /// </param>
    public HandlersBuilder WithDeduplication(TimeSpan retention, int eventsMax = 10_000_000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(retention, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(retention, DeduplicationMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(eventsMax, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(eventsMax, RememberedEventsMax);
        (Retention, RememberedMax) = (retention, eventsMax);
        return this;
    }

    /// <summary>
    /// Adds a handler: a static method, a lambda, or an instance's method. Its first parameter is the event's record type; then, in any
    /// order, any of <see cref="MessageContext"/>, <see cref="State{T}"/>, <see cref="CancellationToken"/>, <see cref="TimeProvider"/> (the
    /// runtime's clock) and services. It returns the events to say: nothing, one (null for none), a sequence of them, or a task of any of
    /// these.
    /// </summary>
    public HandlersBuilder Handle(Delegate handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _handlers.Add(handler);
        return this;
    }
}

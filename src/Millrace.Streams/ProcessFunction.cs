namespace Millrace.Streams;

/// <summary>
/// What is done with each record of a key, with state and timers of that key: Apache Flink's KeyedProcessFunction. Each partition has an
/// instance of its own, which is called from one loop and works on the records in their order. What it keeps, sets and says is in the
/// commit of what it read. It does no input or output of its own.
/// </summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="TIn">The records' type.</typeparam>
/// <typeparam name="TOut">The type of what it says.</typeparam>
public abstract class ProcessFunction<TKey, TIn, TOut>
    where TKey : notnull
{
    /// <summary>Says which states there are; called once, before anything else. None by default.</summary>
    /// <param name="states">Where they are said.</param>
    public virtual void Open(StateDeclarations states)
    {
    }

    /// <summary>A record came.</summary>
    /// <param name="value">The record.</param>
    /// <param name="context">Its key and time, timers, and where to say something; valid until the call ends.</param>
    public abstract void OnRecord(TIn value, ProcessContext<TKey, TOut> context);

    /// <summary>A timer is due; it is removed already. Nothing by default.</summary>
    /// <param name="timer">The timer.</param>
    /// <param name="context">Its key and time, timers, and where to say something; valid until the call ends.</param>
    public virtual void OnTimer(StreamTimer timer, ProcessContext<TKey, TOut> context)
    {
    }
}

/// <summary>By which time a timer is due.</summary>
public enum TimerKind
{
    /// <summary>When the watermark reaches its time.</summary>
    EventTime = 0,

    /// <summary>When the clock reaches its time.</summary>
    ProcessingTime = 1,
}

/// <summary>A timer that is due.</summary>
/// <param name="Kind">By which time.</param>
/// <param name="Name">Which of the key's timers.</param>
/// <param name="Time">The time that it was set for, in milliseconds since 1970-01-01T00:00:00Z.</param>
public readonly record struct StreamTimer(TimerKind Kind, string Name, long Time);

/// <summary>What a function sees in a call. Not thread safe.</summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="TOut">The type of what is said.</typeparam>
public abstract class ProcessContext<TKey, TOut>
    where TKey : notnull
{
    private protected ProcessContext()
    {
    }

    /// <summary>The key of the record or the timer.</summary>
    public abstract TKey Key { get; }

    /// <summary>
    /// The event time of the record, or the time that the timer was set for, in milliseconds since 1970-01-01T00:00:00Z. What is said has
    /// it.
    /// </summary>
    public abstract long Timestamp { get; }

    /// <summary>The watermark; when it jumped over several timers, it is beyond them while they fire, one after the other.</summary>
    public abstract long Watermark { get; }

    /// <summary>
    /// The processing time in milliseconds since 1970-01-01T00:00:00Z: when the records that are in hand were taken, or the timer fired. It
    /// is the same for all records that were read together, for as long as the work on them takes.
    /// </summary>
    public abstract long Now { get; }

    /// <summary>Says something.</summary>
    public abstract void Say(TOut value);

    /// <summary>Says something with an event time of its own.</summary>
    internal abstract void SayAt(TOut value, long timestamp);

    /// <summary>Says something to a side output that was named with the function.</summary>
    /// <exception cref="ArgumentException">The side output was not named, or has records of another type.</exception>
    public abstract void Say<T>(OutputTag<T> tag, T value);

    /// <summary>
    /// Sets a timer of the key. It fires once; another one of the same key, kind, name and time is the same one. Timers fire in order of
    /// time, and of equal times in the order in which they were set, also after a restart. One that is set for a time that has come already
    /// fires after this call.
    /// </summary>
    /// <param name="kind">By which time.</param>
    /// <param name="name">Which of the key's timers; at most 255 bytes of UTF-8, may be empty.</param>
    /// <param name="time">When, in milliseconds since 1970-01-01T00:00:00Z.</param>
    public abstract void SetTimer(TimerKind kind, string name, long time);

    /// <summary>
    /// Sets a timer of the key that fires again and again: at the start and each period after it. When several of those times have passed
    /// at once, it fires once, and is due next at the first of them to come.
    /// </summary>
    /// <param name="kind">By which time.</param>
    /// <param name="name">Which of the key's timers; it has one that repeats per kind and name: setting it again replaces it.</param>
    /// <param name="period">The period, at least one millisecond.</param>
    /// <param name="start">When it is due first, in milliseconds since 1970-01-01T00:00:00Z.</param>
    /// <exception cref="ArgumentOutOfRangeException">The period is shorter.</exception>
    public abstract void RepeatTimer(TimerKind kind, string name, TimeSpan period, long start);

    /// <summary>Removes a timer of the key that is set for that time, if there is one.</summary>
    public abstract void CancelTimer(TimerKind kind, string name, long time);

    /// <summary>Removes the key's timer of that name that repeats, if there is one.</summary>
    public abstract void CancelRepeating(TimerKind kind, string name);
}

/// <summary>The side outputs that a function says to.</summary>
public sealed class ProcessSides
{
    private readonly List<Action<Definition.SideOutlets>> _added = [];

    internal ProcessSides()
    {
    }

    /// <summary>Names a side output.</summary>
    /// <typeparam name="T">Its type of records.</typeparam>
    /// <param name="tag">Its tag.</param>
    public ProcessSides Add<T>(OutputTag<T> tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        _added.Add(outlets => outlets.Add(tag));
        return this;
    }

    internal void Declare(Definition.SideOutlets outlets) => _added.ForEach(add => add(outlets));
}

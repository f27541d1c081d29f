using Millrace.Streams.Definition;
using Millrace.Streams.Operators;

namespace Millrace.Streams;

/// <summary>A stream whose records have keys. Immutable.</summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="T">The records' type.</typeparam>
public sealed class KeyedStream<TKey, T>
    where TKey : notnull
{
    private readonly DataStream<T> _stream;
    private readonly Keying<TKey, T> _keying;

    internal KeyedStream(DataStream<T> stream, Keying<TKey, T> keying)
    {
        _stream = stream;
        _keying = keying;
    }

    /// <summary>The stream in windows of event time, per key.</summary>
    /// <param name="windows">
    /// Which windows; a <see cref="GlobalWindow"/> also needs <see cref="WindowedStream{TKey, T}.TriggeredBy"/>.
    /// </param>
    public WindowedStream<TKey, T> Window(WindowAssigner windows)
    {
        ArgumentNullException.ThrowIfNull(windows);
        return new WindowedStream<TKey, T>(_stream, _keying, new WindowSettings<T>(windows));
    }
}

/// <summary>
/// A keyed stream in windows. A window of a key exists from its first record until the watermark has reached its greatest event time plus
/// the allowed lateness; a record whose windows are all gone is late: it is counted, and goes to the late side output. Immutable.
/// </summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="T">The records' type.</typeparam>
public sealed class WindowedStream<TKey, T>
    where TKey : notnull
{
    private readonly DataStream<T> _stream;
    private readonly Keying<TKey, T> _keying;
    private readonly WindowSettings<T> _settings;

    internal WindowedStream(DataStream<T> stream, Keying<TKey, T> keying, WindowSettings<T> settings)
    {
        _stream = stream;
        _keying = keying;
        _settings = settings;
    }

    /// <summary>How long a window takes records after the watermark has reached its greatest event time. Zero by default.</summary>
    /// <param name="lateness">Zero or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public WindowedStream<TKey, T> AllowedLateness(TimeSpan lateness)
    {
        if (lateness < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(lateness), lateness, "The allowed lateness is zero or more.");
        return With(_settings with { Lateness = EventTime.Milliseconds(lateness) });
    }

    /// <summary>Late records go to a side output. They are dropped by default, and counted in any case.</summary>
    /// <param name="tag">The side output.</param>
    public WindowedStream<TKey, T> LateTo(OutputTag<T> tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        return With(_settings with { LateTag = tag });
    }

    /// <summary>When a window says its result; <see cref="Trigger.OnTime"/> by default.</summary>
    /// <param name="trigger">The trigger.</param>
    public WindowedStream<TKey, T> TriggeredBy(Trigger trigger)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        return With(_settings with { Trigger = trigger });
    }

    /// <summary>A session that said a result and then grew or joined another takes the result back first. Off by default.</summary>
    /// <exception cref="InvalidOperationException">The windows are no sessions: others never change.</exception>
    public WindowedStream<TKey, T> Retracting()
    {
        if (_settings.Windows is not Session)
            throw new InvalidOperationException($"Only sessions retract; the windows are {_settings.Windows}.");
        return With(_settings with { IsRetracting = true });
    }

    /// <summary>One result of a window's records. Its event time is the greatest of its window.</summary>
    /// <typeparam name="TAccumulator">What is kept meanwhile.</typeparam>
    /// <typeparam name="TOut">The result's type.</typeparam>
    /// <param name="aggregate">How records become the result.</param>
    /// <param name="codec">How accumulators become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    /// <exception cref="InvalidOperationException">The window is global and has no trigger.</exception>
    public DataStream<Windowed<TKey, TOut>> Aggregate<TAccumulator, TOut>(
        IAggregate<T, TAccumulator, TOut> aggregate, StateCodec<TAccumulator>? codec = null)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (_settings.Windows is GlobalWindow && _settings.Trigger is null)
            throw new InvalidOperationException("A global window ends only with the stream: say by TriggeredBy when it has results.");
        var work = new WindowWork<TKey, T, TAccumulator, TOut>(
            _keying, _settings, aggregate, codec ?? StateCodecs.Default<TAccumulator>());
        var sides = new SideFeeds<T>(_stream.Topology);
        var codecOfKeys = _keying.Codec;
        KeyWriter<Windowed<TKey, TOut>> writeKey = (result, keyBytes) =>
        {
            RecordCodecs.WriteKey(result.Key, codecOfKeys, keyBytes);
            return true;
        };
        var stream = _stream.ThenKeyed("window", _settings.ToString(), writeKey, (instance, node, output) =>
        {
            var sinks = new WindowSinks<TKey, T, TOut>(
                instance, sides.Sink(_settings.LateTag, instance), sides.Sink(_keying.Keyless, instance), output);
            var store = $"{node.Id}-window";
            WindowingOperator<TKey, T, TAccumulator, TOut> one = _settings.Windows is Session
                ? new SessionOperator<TKey, T, TAccumulator, TOut>(store, work, sinks)
                : new WindowOperator<TKey, T, TAccumulator, TOut>(store, work, sinks);
            instance.Add(node, one);
            return one;
        });
        sides.Declare(stream.Node, _settings.LateTag, _keying.Keyless);
        return stream;
    }

    /// <summary>A window's records combined one after the other, in the order in which they came.</summary>
    /// <param name="combine">Two into one; also two sessions' results into one.</param>
    /// <param name="codec">How records become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    public DataStream<Windowed<TKey, T>> Reduce(Func<T, T, T> combine, StateCodec<T>? codec = null)
    {
        ArgumentNullException.ThrowIfNull(combine);
        return Aggregate(new ReduceAggregate<T>(combine), Reduced<T>.Codec(codec ?? StateCodecs.Default<T>()));
    }

    /// <summary>How many records a window has.</summary>
    public DataStream<Windowed<TKey, long>> Count() => Aggregate(new SumAggregate<T>(_ => 1));

    /// <summary>The sum of a number of each record of a window. It is checked: beyond 64 bits the instance ends.</summary>
    /// <param name="selector">A record's number.</param>
    public DataStream<Windowed<TKey, long>> Sum(Func<T, long> selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        return Aggregate(new SumAggregate<T>(selector));
    }

    private WindowedStream<TKey, T> With(WindowSettings<T> settings) => new(_stream, _keying, settings);
}

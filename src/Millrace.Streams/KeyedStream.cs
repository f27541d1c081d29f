using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.Windowing;

namespace Millrace.Streams;

/// <summary>A stream whose records have keys. Immutable.</summary>
/// <typeparam name="TKey">The keys' type.</typeparam>
/// <typeparam name="T">The records' type.</typeparam>
public sealed class KeyedStream<TKey, T>
    where TKey : notnull
{
    internal KeyedStream(DataStream<T> stream, Keying<TKey, T> keying)
    {
        Stream = stream;
        Keying = keying;
    }

    internal DataStream<T> Stream { get; }

    internal Keying<TKey, T> Keying { get; }

    /// <summary>The stream in windows of event time, per key.</summary>
    /// <param name="windows">
    /// Which windows; a <see cref="GlobalWindow"/> also needs <see cref="WindowedStream{TKey, T}.TriggeredBy"/>.
    /// </param>
    public WindowedStream<TKey, T> Window(WindowAssigner windows)
    {
        ArgumentNullException.ThrowIfNull(windows);
        return new WindowedStream<TKey, T>(Stream, Keying, new WindowSettings<T>(windows));
    }

    /// <summary>What a function says of each record and each timer, with state per key.</summary>
    /// <typeparam name="TOut">What it says.</typeparam>
    /// <param name="create">Makes the function; each partition has its own, and a new one after a failure.</param>
    /// <param name="sides">Names the side outputs that it says to; none when null.</param>
    public DataStream<TOut> Process<TOut>(Func<ProcessFunction<TKey, T, TOut>> create, Action<ProcessSides>? sides = null) =>
        Process("process", "", create, sides);

    /// <summary>
    /// Pairs with another stream's records of the same key whose times lie within an interval of theirs. A pair's time is the later of the
    /// two. A record whose time is before the watermark is late: it meets nobody, and goes to the late side output of its stream.
    /// </summary>
    /// <typeparam name="TRight">The other records' type.</typeparam>
    /// <typeparam name="TOut">What a pair becomes.</typeparam>
    /// <param name="right">The other stream, by the same key.</param>
    /// <param name="interval">How far the time of its record may be from that of this stream's.</param>
    /// <param name="select">Makes a pair's record.</param>
    /// <param name="options">How records are kept, and where late ones go; the defaults when null.</param>
    public DataStream<TOut> IntervalJoin<TRight, TOut>(
        KeyedStream<TKey, TRight> right, Interval interval, Func<T, TRight, TOut> select, JoinOptions<T, TRight>? options = null)
    {
        ArgumentNullException.ThrowIfNull(interval);
        ArgumentNullException.ThrowIfNull(select);
        options ??= new JoinOptions<T, TRight>();
        return Both(right).Process<TOut>(
            "interval join", interval.ToString(),
            () => new IntervalJoining<TKey, T, TRight, TOut>(
                interval, select, options.Left ?? StateCodecs.Default<T>(), options.Right ?? StateCodecs.Default<TRight>(),
                options.LateLeft, options.LateRight),
            sides =>
            {
                if (options.LateLeft is { } lateLeft) sides.Add(lateLeft);
                if (options.LateRight is { } lateRight) sides.Add(lateRight);
            });
    }

    /// <summary>
    /// Pairs with another stream's records of the same key in the same window, each with each, when the window ends: in the order of this
    /// stream's records, and for each of them in that of the other's.
    /// </summary>
    /// <typeparam name="TRight">The other records' type.</typeparam>
    /// <typeparam name="TOut">What a pair becomes.</typeparam>
    /// <param name="right">The other stream, by the same key.</param>
    /// <param name="windows">The windows; not <see cref="GlobalWindow"/>, which never ends.</param>
    /// <param name="select">Makes a pair's record.</param>
    /// <param name="options">How records are kept; late ones are dropped, and counted. The defaults when null.</param>
    /// <exception cref="ArgumentException">The windows are global.</exception>
    public DataStream<TOut> Join<TRight, TOut>(
        KeyedStream<TKey, TRight> right, WindowAssigner windows, Func<T, TRight, TOut> select, JoinOptions<T, TRight>? options = null)
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(select);
        if (windows is GlobalWindow)
            throw new ArgumentException("A global window never ends, so a join in it says nothing.", nameof(windows));
        options ??= new JoinOptions<T, TRight>();
        var codec = Eithers.Sides(options.Left ?? StateCodecs.Default<T>(), options.Right ?? StateCodecs.Default<TRight>());
        var windowed = Both(right).Window(windows).Aggregate(new WindowJoining<T, TRight>(), codec);
        windowed.Node.IsPart = true;
        return windowed.SelectMany<TOut>((sides, say) =>
        {
            foreach (var left in sides.Value.Left)
            {
                foreach (var other in sides.Value.Right) say(select(left, other));
            }
        });
    }

    /// <summary>
    /// Each record with the latest value of a table for its key: the last that came before it, by the order in which records are read.
    /// Records of keys that have no value are left out.
    /// </summary>
    /// <typeparam name="TTable">The table's values.</typeparam>
    /// <typeparam name="TOut">What they become.</typeparam>
    /// <param name="table">The table: its latest record per key.</param>
    /// <param name="select">Makes one of both.</param>
    /// <param name="codec">How the table's values become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    public DataStream<TOut> JoinTable<TTable, TOut>(
        KeyedStream<TKey, TTable> table, Func<T, TTable, TOut> select, StateCodec<TTable>? codec = null)
    {
        ArgumentNullException.ThrowIfNull(select);
        return Both(table).Process<TOut>("table join", "", () => new TableJoining<TKey, T, TTable, TOut>(
            (value, known) => select(value, known!), codec ?? StateCodecs.Default<TTable>(), isOuter: false), null);
    }

    /// <summary>As <see cref="JoinTable"/>, with the type's default where the table has no value.</summary>
    /// <typeparam name="TTable">The table's values.</typeparam>
    /// <typeparam name="TOut">What they become.</typeparam>
    /// <param name="table">The table: its latest record per key.</param>
    /// <param name="select">Makes one of both.</param>
    /// <param name="codec">How the table's values become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    public DataStream<TOut> LeftJoinTable<TTable, TOut>(
        KeyedStream<TKey, TTable> table, Func<T, TTable?, TOut> select, StateCodec<TTable>? codec = null)
    {
        ArgumentNullException.ThrowIfNull(select);
        return Both(table).Process<TOut>("left table join", "", () => new TableJoining<TKey, T, TTable, TOut>(
            select, codec ?? StateCodecs.Default<TTable>(), isOuter: true), null);
    }

    /// <summary>Two tables: the latest values of a key that both have, each time that one of them changes.</summary>
    /// <typeparam name="TRight">The other table's values.</typeparam>
    /// <typeparam name="TOut">What they become.</typeparam>
    /// <param name="right">The other table: its latest record per key, as of this stream.</param>
    /// <param name="select">Makes one of both.</param>
    /// <param name="options">How values are kept; the defaults when null.</param>
    public DataStream<TOut> JoinTables<TRight, TOut>(
        KeyedStream<TKey, TRight> right, Func<T, TRight, TOut> select, JoinOptions<T, TRight>? options = null)
    {
        ArgumentNullException.ThrowIfNull(select);
        options ??= new JoinOptions<T, TRight>();
        return Both(right).Process<TOut>("tables join", "", () => new TablesJoining<TKey, T, TRight, TOut>(
            select, options.Left ?? StateCodecs.Default<T>(), options.Right ?? StateCodecs.Default<TRight>()), null);
    }

    /// <summary>
    /// Only the first record of each key, and the first one again once the watermark has come a time beyond it. Key by what tells a record
    /// from others, such as a device and a number.
    /// </summary>
    /// <param name="keepFor">For how long, in event time, a key is remembered; at least one millisecond.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is shorter.</exception>
    public DataStream<T> Deduplicate(TimeSpan keepFor)
    {
        var milliseconds = EventTime.Milliseconds(keepFor);
        if (milliseconds < 1)
            throw new ArgumentOutOfRangeException(nameof(keepFor), keepFor, "A key is remembered for at least one millisecond.");
        return Process<T>("deduplicate", $"{milliseconds} ms", () => new Deduplication<TKey, T>(milliseconds), null);
    }

    /// <summary>
    /// The greatest records of each key, with their ranks. Each record that comes among them is said with its rank, and so are those that
    /// move down; of equal records the earlier one is the greater.
    /// </summary>
    /// <param name="count">How many; 1 to 1,000.</param>
    /// <param name="compare">The order.</param>
    /// <param name="codec">How records become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is out of its limits.</exception>
    public DataStream<Ranked<TKey, T>> Top(int count, Comparison<T> compare, StateCodec<T>? codec = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, 1_000);
        ArgumentNullException.ThrowIfNull(compare);
        return Process<Ranked<TKey, T>>(
            "top", $"{count}", () => new Ranking<TKey, T>(count, compare, codec ?? StateCodecs.Default<T>()), null);
    }

    private KeyedStream<TKey, Either<T, TRight>> Both<TRight>(KeyedStream<TKey, TRight> right)
    {
        ArgumentNullException.ThrowIfNull(right);
        return Eithers.Both(this, right);
    }

    private DataStream<TOut> Process<TOut>(
        string kind, string detail, Func<ProcessFunction<TKey, T, TOut>> create, Action<ProcessSides>? sides)
    {
        ArgumentNullException.ThrowIfNull(create);
        var keyless = new SideFeeds<T>(Stream.Topology);
        var work = new ProcessWork<TKey, T, TOut>(Keying, create);
        SideOutlets? outlets = null;
        var stream = Stream.ThenKeyed<TOut>(kind, detail, null, (instance, node, output) =>
        {
            var one = new ProcessOperator<TKey, T, TOut>(node, work, new ProcessSinks<T, TOut>(
                instance, keyless.Sink(Keying.Keyless, instance), outlets!.Open(instance), output));
            instance.Add(node, one);
            return one;
        });
        keyless.Declare(stream.Node, Keying.Keyless);
        outlets = new SideOutlets(Stream.Topology, stream.Node);
        var named = new ProcessSides();
        sides?.Invoke(named);
        named.Declare(outlets);
        return stream;
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
    /// <exception cref="InvalidOperationException">
    /// The windows are sliding, and the trigger is none of <see cref="Trigger.OnTime"/>, <see cref="Trigger.OnClose"/> and <see
    /// cref="Trigger.OnUpdate"/>: such windows share what they hold, so none can count or forget for itself.
    /// </exception>
    public WindowedStream<TKey, T> TriggeredBy(Trigger trigger)
    {
        ArgumentNullException.ThrowIfNull(trigger);
        if (_settings.Windows is Sliding && trigger != Trigger.OnTime && trigger != Trigger.OnClose && trigger != Trigger.OnUpdate)
            throw new InvalidOperationException($"Sliding windows have results on time, on close or on update, not by '{trigger}'.");
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
            var store = $"{node.Prefix}-window";
            WindowingOperator<TKey, T, TAccumulator, TOut> one = _settings.Windows switch
            {
                Session when instance.Spill is { } spill =>
                    new StoredSessionOperator<TKey, T, TAccumulator, TOut>(store, work, sinks, spill),
                Session => new HeapSessionOperator<TKey, T, TAccumulator, TOut>(store, work, sinks),
                Sliding when instance.Spill is { } spill =>
                    new StoredSlidingOperator<TKey, T, TAccumulator, TOut>(store, work, sinks, spill),
                Sliding => new HeapSlidingOperator<TKey, T, TAccumulator, TOut>(store, work, sinks),
                _ when instance.Spill is { } spill => new StoredWindowOperator<TKey, T, TAccumulator, TOut>(store, work, sinks, spill),
                _ => new WindowOperator<TKey, T, TAccumulator, TOut>(store, work, sinks),
            };
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

/// <summary>
/// How records become one result, as Apache Flink's AggregateFunction. The methods are pure but that they may change the accumulator that
/// they are given and return it. One instance serves all keys, from one loop at a time per partition; it keeps nothing itself.
/// </summary>
/// <typeparam name="TIn">The records' type.</typeparam>
/// <typeparam name="TAccumulator">What is kept meanwhile.</typeparam>
/// <typeparam name="TOut">The result's type.</typeparam>
public interface IAggregate<in TIn, TAccumulator, out TOut>
{
    /// <summary>An accumulator of no record.</summary>
    TAccumulator Create();

    /// <summary>The accumulator with one record more.</summary>
    /// <param name="accumulator">So far.</param>
    /// <param name="value">The record.</param>
    TAccumulator Add(TAccumulator accumulator, TIn value);

    /// <summary>
    /// Two accumulators of a key become one, when its sessions do, or for the result of a sliding window. The earlier one is the left one.
    /// </summary>
    /// <param name="left">The earlier one.</param>
    /// <param name="right">The later one.</param>
    TAccumulator Merge(TAccumulator left, TAccumulator right);

    /// <summary>The result of what was added. The accumulator lives on.</summary>
    /// <param name="accumulator">So far.</param>
    TOut Result(TAccumulator accumulator);
}

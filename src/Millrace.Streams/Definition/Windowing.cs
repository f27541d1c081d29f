namespace Millrace.Streams.Definition;

/// <summary>How a stream has keys.</summary>
internal sealed record Keying<TKey, T>(Func<T, TKey> Selector, StateCodec<TKey> Codec, OutputTag<T>? Keyless);

/// <summary>What was asked of windows.</summary>
internal sealed record WindowSettings<T>(WindowAssigner Windows)
{
    public long Lateness { get; init; }

    public Trigger? Trigger { get; init; }

    public OutputTag<T>? LateTag { get; init; }

    public bool IsRetracting { get; init; }

    public override string ToString() =>
        $"{Windows}, {Trigger ?? Trigger.OnTime}"
        + (Lateness == 0 ? "" : $", lateness {Lateness} ms") + (IsRetracting ? ", retracting" : "");
}

/// <summary>What a window operator works by.</summary>
internal sealed record WindowWork<TKey, T, TAccumulator, TOut>(
    Keying<TKey, T> Keying, WindowSettings<T> Settings, IAggregate<T, TAccumulator, TOut> Aggregate, StateCodec<TAccumulator> Codec);

/// <summary>Where a window operator's records go, and the instance that it is in.</summary>
internal sealed record WindowSinks<TKey, T, TOut>(
    TopologyInstance Instance, Sink<T>? Late, Sink<T>? Keyless, Sink<Windowed<TKey, TOut>> Output);

/// <summary>The side outputs of one operator.</summary>
internal sealed class SideFeeds<T>(StreamTopology topology)
{
    private readonly Dictionary<string, Func<TopologyInstance, Sink<T>>> _feeds = new(StringComparer.Ordinal);

    public void Declare(TopologyNode from, params OutputTag<T>?[] tags)
    {
        foreach (var tag in tags)
        {
            if (tag is not null && !_feeds.ContainsKey(tag.Name)) _feeds.Add(tag.Name, topology.Side(tag).Feed(from));
        }
    }

    /// <summary>The sink of a tag in an instance; the same one when two tags are the same.</summary>
    public Sink<T>? Sink(OutputTag<T>? tag, TopologyInstance instance) => tag is null ? null : _feeds[tag.Name](instance);
}

internal sealed class SumAggregate<T>(Func<T, long> selector) : IAggregate<T, long, long>
{
    public long Create() => 0;

    public long Add(long accumulator, T value) => checked(accumulator + selector(value));

    public long Merge(long left, long right) => checked(left + right);

    public long Result(long accumulator) => accumulator;
}

/// <summary>What was combined so far, if anything.</summary>
internal readonly record struct Reduced<T>(bool HasValue, T Value)
{
    public static StateCodec<Reduced<T>> Codec(StateCodec<T> codec) =>
        codec.Wrap(reduced => reduced.Value, value => new Reduced<T>(true, value));
}

internal sealed class ReduceAggregate<T>(Func<T, T, T> combine) : IAggregate<T, Reduced<T>, T>
{
    public Reduced<T> Create() => default;

    public Reduced<T> Add(Reduced<T> accumulator, T value) => new(true, accumulator.HasValue ? combine(accumulator.Value, value) : value);

    public Reduced<T> Merge(Reduced<T> left, Reduced<T> right) =>
        !right.HasValue ? left : !left.HasValue ? right : new(true, combine(left.Value, right.Value));

    public T Result(Reduced<T> accumulator) => accumulator.Value;
}

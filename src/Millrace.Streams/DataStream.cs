using Millrace.Streams.Definition;
using Millrace.Streams.Operators;

namespace Millrace.Streams;

/// <summary>
/// A stream of a topology: records with their event time. Its methods add operators, which keep the event time of the record that they work
/// on. What several operators read goes to them in the order of their definition. A delegate that throws ends the instance.
/// </summary>
/// <typeparam name="T">The records' type.</typeparam>
public sealed class DataStream<T>
{
    private readonly List<Func<TopologyInstance, Sink<T>>> _consumers = [];

    internal DataStream(StreamTopology topology, TopologyNode node)
    {
        Topology = topology;
        Node = node;
    }

    internal StreamTopology Topology { get; }

    internal TopologyNode Node { get; }

    /// <summary>Only the records for which the condition holds.</summary>
    /// <param name="condition">The condition.</param>
    public DataStream<T> Where(Func<T, bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return Then<T>("where", "", (_, output) => new WhereOperator<T>(condition, output));
    }

    /// <summary>Each record made into another.</summary>
    /// <typeparam name="TOut">The other's type.</typeparam>
    /// <param name="selector">Makes it.</param>
    public DataStream<TOut> Select<TOut>(Func<T, TOut> selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        return Then<TOut>("select", "", (_, output) => new SelectOperator<T, TOut>(selector, output));
    }

    /// <summary>Each record made into any number of others.</summary>
    /// <typeparam name="TOut">The others' type.</typeparam>
    /// <param name="selector">Says them to the second parameter. It must not be called after the selector has returned.</param>
    public DataStream<TOut> SelectMany<TOut>(Action<T, Action<TOut>> selector)
    {
        ArgumentNullException.ThrowIfNull(selector);
        return Then<TOut>("select many", "", (_, output) => new SelectManyOperator<T, TOut>(selector, output));
    }

    /// <summary>The records of both. Its watermark is the lesser of the two; an idle stream is not waited for.</summary>
    /// <param name="other">Another stream of the same topology, or this one: then each record comes twice.</param>
    /// <exception cref="ArgumentException">The other stream belongs to another topology.</exception>
    public DataStream<T> Union(DataStream<T> other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Topology != Topology)
            throw new ArgumentException($"The other stream belongs to topology '{other.Topology.Name}'.", nameof(other));
        var joint = new Joint<T>(new DataStream<T>(Topology, Topology.Add("union", "", Node, other.Node)));
        _consumers.Add(joint.Feed());
        other._consumers.Add(joint.Feed());
        return joint.Stream;
    }

    /// <summary>The records for which the condition does not hold; the others go to a side output.</summary>
    /// <param name="aside">The side output.</param>
    /// <param name="condition">Whether a record goes there.</param>
    public DataStream<T> Split(OutputTag<T> aside, Func<T, bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var stream = new DataStream<T>(Topology, Topology.Add("split", aside?.Name ?? "", Node));
        var feed = Topology.Side(aside!).Feed(stream.Node);
        _consumers.Add(instance => new SplitOperator<T>(condition, feed(instance), stream.Build(instance)));
        return stream;
    }

    /// <summary>
    /// The stream by key: what follows keeps its state per key. Records of a key are to be in one partition of the source.
    /// </summary>
    /// <typeparam name="TKey">The key's type; it has value equality that does not change.</typeparam>
    /// <param name="selector">
    /// A record's key. A record whose key is null is dropped, counted, and goes to <paramref name="keyless"/>.
    /// </param>
    /// <param name="codec">How keys become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    /// <param name="keyless">Where records without a key go; nowhere when null.</param>
    public KeyedStream<TKey, T> KeyBy<TKey>(Func<T, TKey> selector, StateCodec<TKey>? codec = null, OutputTag<T>? keyless = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(selector);
        return new KeyedStream<TKey, T>(this, new Keying<TKey, T>(selector, codec ?? StateCodecs.Default<TKey>(), keyless));
    }

    /// <summary>The records become an output of the topology.</summary>
    /// <param name="output">Its name, as of a topic; a topology has it once.</param>
    /// <exception cref="ArgumentException">The name is not that of a topic, or there is such an output already.</exception>
    public void To(string output)
    {
        Topology.AddOutput(output);
        Topology.Add("output", output, Node);
        _consumers.Add(instance => instance.Outputs.Of<T>(output));
    }

    /// <summary>The records go to a sink. Each instance of the topology has its own.</summary>
    /// <param name="sink">Makes it.</param>
    public void To(Func<Sink<T>> sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Topology.Add("sink", "", Node);
        _consumers.Add(_ => sink());
    }

    internal DataStream<TOut> Then<TOut>(string kind, string detail, Func<TopologyInstance, Sink<TOut>, Sink<T>> build) =>
        Then<TOut>(kind, detail, (instance, _, output) => build(instance, output));

    internal DataStream<TOut> Then<TOut>(string kind, string detail, Func<TopologyInstance, TopologyNode, Sink<TOut>, Sink<T>> build)
    {
        var stream = new DataStream<TOut>(Topology, Topology.Add(kind, detail, Node));
        _consumers.Add(instance => build(instance, stream.Node, stream.Build(instance)));
        return stream;
    }

    /// <summary>The sink of everything that reads this stream.</summary>
    internal Sink<T> Build(TopologyInstance instance)
    {
        var sinks = _consumers.Select(consumer => consumer(instance)).ToArray();
        return sinks.Length == 1 ? sinks[0] : new FanOut<T>(sinks);
    }
}

using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.Tables;

namespace Millrace.Streams;

/// <summary>
/// A stream of a topology: records with their event time. Its methods add operators, which keep the event time of the record that they work
/// on. What several operators read goes to them in the order of their definition. A record for which a delegate throws is a dead
/// letter on the runtime; in the test driver the call throws.
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

    /// <summary>How records are keyed in an output that says nothing of keys: windows' results by theirs.</summary>
    internal KeyWriter<T>? DefaultKey { get; init; }

    /// <summary>Only the records for which the condition holds.</summary>
    /// <param name="condition">The condition.</param>
    public DataStream<T> Where(Func<T, bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return Then<T>("where", "", (_, output) => new WhereOperator<T>(condition, output), DefaultKey);
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
        var joint = new Joint<T>(new DataStream<T>(Topology, Topology.Add("union", "", Node, other.Node)) { DefaultKey = DefaultKey });
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
        var stream = new DataStream<T>(Topology, Topology.Add("split", aside?.Name ?? "", Node)) { DefaultKey = DefaultKey };
        var feed = Topology.Side(aside!).Feed(stream.Node);
        _consumers.Add(instance => new SplitOperator<T>(condition, feed(instance), stream.Build(instance)));
        return stream;
    }

    /// <summary>
    /// The stream by key: what follows keeps its state per key, so the records of a key have to be in one partition. A stream that comes
    /// from its sources by operators that leave the key is taken to be so: topics are partitioned by the key, or by a part of it. Behind an
    /// operator that works per key the key is another one, and the records go through a topic, <c>TOPOLOGY-N-repartition</c>.
    /// </summary>
    /// <typeparam name="TKey">The key's type; it has value equality that does not change.</typeparam>
    /// <param name="selector">
    /// A record's key. A record whose key is null is dropped, counted, and goes to <paramref name="keyless"/>.
    /// </param>
    /// <param name="codec">How keys become bytes of state; <see cref="StateCodecs.Default"/> when null.</param>
    /// <param name="keyless">Where records without a key go; nowhere when null.</param>
    /// <param name="partitioning">Whether records go through a topic; when it is needed, by default.</param>
    /// <param name="through">How they travel there; <see cref="StateCodecs.Default"/> when null.</param>
    /// <param name="name">What the topic is called by instead of N, and found by after changes, as of <see cref="Named"/>.</param>
    public KeyedStream<TKey, T> KeyBy<TKey>(
        Func<T, TKey> selector, StateCodec<TKey>? codec = null, OutputTag<T>? keyless = null,
        Partitioning partitioning = Partitioning.Auto, StateCodec<T>? through = null, string? name = null)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(selector);
        if (!Enum.IsDefined(partitioning))
            throw new ArgumentOutOfRangeException(nameof(partitioning), partitioning, "There is no such partitioning.");
        var keying = new Keying<TKey, T>(selector, codec ?? StateCodecs.Default<TKey>(), keyless);
        var isMoved = partitioning == Partitioning.ThroughTopic || partitioning == Partitioning.Auto && Node.IsKeyed;
        return new KeyedStream<TKey, T>(isMoved ? Move(keying, through ?? StateCodecs.Default<T>(), name) : this, keying);
    }

    /// <summary>
    /// Each record with what a global table holds for a key now. Records without a key, or for whose key the table has nothing, are left
    /// out. The stream needs no keys, and stays in its partitions.
    /// </summary>
    /// <typeparam name="TKey">The table's keys.</typeparam>
    /// <typeparam name="TTable">The table's values.</typeparam>
    /// <typeparam name="TOut">What they become.</typeparam>
    /// <param name="table">The table, of the same topology.</param>
    /// <param name="key">Which key a record looks for; null for none.</param>
    /// <param name="select">Makes one of both.</param>
    /// <exception cref="ArgumentException">The table belongs to another topology.</exception>
    public DataStream<TOut> JoinTable<TKey, TTable, TOut>(
        GlobalTable<TKey, TTable> table, Func<T, TKey?> key, Func<T, TTable, TOut> select)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(select);
        return Join("global table join", table, new TableJoinWork<T, TKey, TTable, TOut>(
            key, (value, known) => select(value, known!), IsOuter: false));
    }

    /// <summary>
    /// As <see cref="JoinTable"/>, with the type's default for records without a key and where the table has nothing.
    /// </summary>
    /// <typeparam name="TKey">The table's keys.</typeparam>
    /// <typeparam name="TTable">The table's values.</typeparam>
    /// <typeparam name="TOut">What they become.</typeparam>
    /// <param name="table">The table, of the same topology.</param>
    /// <param name="key">Which key a record looks for; null for none.</param>
    /// <param name="select">Makes one of both.</param>
    /// <exception cref="ArgumentException">The table belongs to another topology.</exception>
    public DataStream<TOut> LeftJoinTable<TKey, TTable, TOut>(
        GlobalTable<TKey, TTable> table, Func<T, TKey?> key, Func<T, TTable?, TOut> select)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(select);
        return Join("left global table join", table, new TableJoinWork<T, TKey, TTable, TOut>(key, select, IsOuter: true));
    }

    /// <summary>
    /// Each record made into another by asking the outside world, several at a time: Apache Flink's AsyncDataStream.orderedWait. The
    /// answers go on in the order of the records, and event time keeps its place between them. A commit never has a record whose answer
    /// has not come; after a failure the world is asked again for what was not committed, so asking should change nothing there. A batch
    /// of records that was read is finished before the next one begins.
    /// </summary>
    /// <typeparam name="TOut">What it becomes.</typeparam>
    /// <param name="find">
    /// Asks. Several calls may be under way, those after a pause from any thread. It should heed its token, which ends with the time or the
    /// partition.
    /// </param>
    /// <param name="options">How many at a time, for how long, how often; the defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of its limits.</exception>
    public DataStream<TOut> Lookup<TOut>(Func<T, CancellationToken, ValueTask<TOut>> find, LookupOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(find);
        options ??= new LookupOptions();
        options.Validate();
        var stream = new DataStream<TOut>(Topology, Topology.Add("lookup", $"{options.Capacity} at a time", Node));
        var work = new LookupWork<T, TOut>(find, options);
        _consumers.Add(instance =>
        {
            var one = new LookupOperator<T, TOut>(stream.Node, work, instance, stream.Build(instance));
            instance.Add(stream.Node, one);
            return one;
        });
        return stream;
    }

    /// <summary>
    /// Names the operator that this stream comes from, as Apache Flink's uid: its state is found by the name after a restart, whatever was
    /// added or removed before it. Without one it is found by the operator's number. A name given to an operator that has state already is
    /// another place: that state is refused, or dropped by <see cref="StreamTopology.AllowsDroppedState"/>.
    /// </summary>
    /// <param name="name">A letter, and up to 99 more of <c>[a-zA-Z0-9._-]</c>; once per topology.</param>
    /// <exception cref="ArgumentException">The name is not possible or used already, or the operator has one.</exception>
    public DataStream<T> Named(string name)
    {
        Topology.SetName(Node, name);
        return this;
    }

    /// <summary>The records become an output of the topology.</summary>
    /// <param name="output">Its name, as of a topic; a topology has it once.</param>
    /// <param name="options">How values become records; the defaults when null.</param>
    /// <exception cref="ArgumentException">The name is not that of a topic, or there is such an output already.</exception>
    public void To(string output, OutputOptions<T>? options = null)
    {
        Topology.AddOutput(output);
        var node = Topology.Add("output", output, Node);
        if (options?.Name is { } name) Topology.SetName(node, name);
        var writing = new OutputWriting<T>(options ?? new OutputOptions<T>(), DefaultKey);
        _consumers.Add(instance => instance.Host.OutputOf(node, output, writing, instance));
    }

    /// <summary>The records go to a sink. Each instance of the topology has its own.</summary>
    /// <param name="sink">Makes it.</param>
    public void To(Func<Sink<T>> sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        Topology.Add("sink", "", Node);
        _consumers.Add(_ => sink());
    }

    internal DataStream<TOut> Then<TOut>(
        string kind, string detail, Func<TopologyInstance, Sink<TOut>, Sink<T>> build, KeyWriter<TOut>? key = null)
    {
        var stream = new DataStream<TOut>(Topology, Topology.Add(kind, detail, Node)) { DefaultKey = key };
        _consumers.Add(instance => build(instance, stream.Build(instance)));
        return stream;
    }

    /// <summary>An operator that works per key.</summary>
    internal DataStream<TOut> ThenKeyed<TOut>(
        string kind, string detail, KeyWriter<TOut>? key, Func<TopologyInstance, TopologyNode, Sink<TOut>, Sink<T>> build)
    {
        var stream = new DataStream<TOut>(Topology, Topology.Add(kind, detail, NodeRole.Keyed, Node)) { DefaultKey = key };
        _consumers.Add(instance => build(instance, stream.Node, stream.Build(instance)));
        return stream;
    }

    /// <summary>One more reader of this stream, which is part of an operator that reads several.</summary>
    internal void FeedTo(Func<TopologyInstance, Sink<T>> build) => _consumers.Add(build);

    private DataStream<TOut> Join<TKey, TTable, TOut>(
        string kind, GlobalTable<TKey, TTable> table, TableJoinWork<T, TKey, TTable, TOut> work)
        where TKey : notnull
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(work.Key, "key");
        if (table.Topology != Topology)
            throw new ArgumentException($"Global table '{table.Name}' belongs to topology '{table.Topology.Name}'.", nameof(table));
        var stream = new DataStream<TOut>(Topology, Topology.Add(kind, table.Name, Node));
        table.Definition.Readers.Add(stream.Node);
        _consumers.Add(instance =>
        {
            var copy = (TableCopy<TKey, TTable>)instance.Host.TableOf(table.Definition);
            var one = new TableJoinOperator<T, TKey, TTable, TOut>(work, copy, stream.Build(instance));
            instance.Add(stream.Node, one);
            return one;
        });
        return stream;
    }

    /// <summary>The stream behind a topic, where records are in the partition of their key. A record without one stays where it
    /// is.</summary>
    private DataStream<T> Move<TKey>(Keying<TKey, T> keying, StateCodec<T> codec, string? name)
        where TKey : notnull
    {
        var topic = $"{Topology.Name}-{name ?? $"{Topology.Nodes.Count}"}-repartition";
        var stream = new DataStream<T>(Topology, Topology.Add("repartition", topic, NodeRole.Source, Node)) { DefaultKey = DefaultKey };
        if (name is not null) stream.Named(name);
        Repartition<T>? repartition = null;
        var source = new SourceDefinition(topic, stream.Node, Node, (definition, instance) =>
            instance.Add(definition, new RepartitionSource<T>(repartition!, instance, stream.Build(instance))));
        repartition = new Repartition<T>(source, (value, output) =>
        {
            if (keying.Selector(value) is not { } key) return false;
            keying.Codec.Write(key, output);
            return true;
        }, codec);
        Topology.AddSource(source);
        _consumers.Add(instance => instance.Host.RepartitionOf(repartition, instance));
        return stream;
    }

    /// <summary>The sink of everything that reads this stream.</summary>
    internal Sink<T> Build(TopologyInstance instance)
    {
        var sinks = _consumers.Select(consumer => consumer(instance)).ToArray();
        return sinks.Length == 1 ? sinks[0] : new FanOut<T>(sinks);
    }
}

/// <summary>
/// What takes a stream's records and its event time: the next operator of a fused chain, or an output. A record costs one virtual call.
/// Called from one loop, never two calls at a time; not thread safe.
/// </summary>
/// <typeparam name="T">The records' type.</typeparam>
public abstract class Sink<T>
{
    /// <summary>Takes a record.</summary>
    /// <param name="value">The record.</param>
    /// <param name="timestamp">Its event time, in milliseconds since 1970-01-01T00:00:00Z.</param>
    public abstract void Push(T value, long timestamp);

    /// <summary>
    /// Event time has come to <paramref name="watermark"/>: no record at or before it is expected any more. It never goes back, and
    /// <see cref="long.MaxValue"/> is the end of the stream.
    /// </summary>
    /// <param name="watermark">In milliseconds since 1970-01-01T00:00:00Z.</param>
    public abstract void Advance(long watermark);

    /// <summary>
    /// Whether the stream is idle now: then who waits for several streams does not wait for this one. Nothing by default.
    /// </summary>
    /// <param name="isIdle">True when it became idle, false when it is active again.</param>
    public virtual void SetIdle(bool isIdle)
    {
    }
}

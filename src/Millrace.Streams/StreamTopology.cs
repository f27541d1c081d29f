using Millrace.Streams.Definition;
using Millrace.Streams.Operators;

namespace Millrace.Streams;

/// <summary>How a source's records have their event time, and when its partitions advance it. Immutable.</summary>
/// <typeparam name="T">The records' type.</typeparam>
public sealed record SourceOptions<T>
{
    /// <summary>
    /// The event time of a record, in milliseconds since 1970-01-01T00:00:00Z, given the record and the time that it came with. The latter
    /// by default.
    /// </summary>
    public Func<T, long, long>? Timestamp { get; init; }

    /// <summary>
    /// How far records of a partition may be out of order: its watermark stays that and a millisecond behind the greatest event time. Zero
    /// by default; null for a source whose watermarks are only those that it is given.
    /// </summary>
    public TimeSpan? OutOfOrderness { get; init; } = TimeSpan.Zero;

    /// <summary>After what time without a record a partition is idle and not waited for; 30 seconds by default, null for never.</summary>
    public TimeSpan? IdleAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How the topic's records become values; <see cref="RecordCodecs.Default"/> when null. The test driver needs none.</summary>
    public RecordCodec<T>? Codec { get; init; }

    /// <summary>Whether a partition that runs ahead of others in event time stops reading until they come closer. Null, the default, for
    /// no.</summary>
    public WatermarkAlignment? Alignment { get; init; }
}

/// <summary>
/// Source partitions that stay together in event time, as Apache Flink's watermark alignment: one that is more than <see cref="MaxDrift"/>
/// ahead of the least of its group that is not idle reads nothing more until that has come closer. So what waits for the watermark of the
/// slowest does not pile up in state. It is looked at after each fetched batch, which may go beyond; only the partitions that run in the
/// same process are seen. In the test driver it has no effect.
/// </summary>
/// <param name="Group">The group's name. Sources of a topology that say the same name are one group; not empty.</param>
/// <param name="MaxDrift">How far ahead a partition of this source may be; zero or more.</param>
public sealed record WatermarkAlignment(string Group, TimeSpan MaxDrift);

/// <summary>How an output's values become records. Immutable.</summary>
/// <typeparam name="T">The records' type.</typeparam>
public sealed record OutputOptions<T>
{
    /// <summary>
    /// A record's key, which places it; null for none. By default a window's result has its key, as text, and what is no window's result
    /// has none. A record without a key goes to the partition whose number is that of the one that it comes from, counted on from 0 where
    /// the topic has fewer.
    /// </summary>
    public Func<T, string?>? Key { get; init; }

    /// <summary>How values become records; <see cref="RecordCodecs.Default"/> when null. The test driver needs none.</summary>
    public RecordCodec<T>? Codec { get; init; }

    /// <summary>
    /// What its state, the number of records written, is found by after changes of the topology, as of <see cref="DataStream{T}.Named"/>;
    /// it is in the ids of events that are written. By its number when null.
    /// </summary>
    public string? Name { get; init; }
}

/// <summary>Whether keying a stream moves its records between partitions.</summary>
public enum Partitioning
{
    /// <summary>
    /// In place where the stream comes from its sources by operators that leave the key; through a topic behind an operator that works per
    /// key, since the new key is another one. The default.
    /// </summary>
    Auto = 0,

    /// <summary>In place: all records of a key are in one partition already.</summary>
    InPlace = 1,

    /// <summary>Through a topic of the topology's own, by the key.</summary>
    ThroughTopic = 2,
}

/// <summary>The name of a side output, and the type of what it takes.</summary>
/// <typeparam name="T">The records' type.</typeparam>
/// <param name="Name">The name; not empty. A name has one type in a topology.</param>
public sealed record OutputTag<T>(string Name);

/// <summary>
/// What is to be done with streams, described: sources, operators, outputs. It runs when something makes an instance of it, as
/// a <see cref="RunningTopology"/> or a test's driver does; each instance has its own state. Define it on one thread; reading it is thread
/// safe afterwards.
/// </summary>
public sealed class StreamTopology
{
    private const int OperatorNameCharactersMax = 100;
    private const long StateBytesMaxMost = 1L << 40;

    private readonly List<TopologyNode> _nodes = [];
    private readonly Dictionary<string, SourceDefinition> _sources = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TableDefinition> _tables = new(StringComparer.Ordinal);
    private readonly HashSet<string> _outputs = new(StringComparer.Ordinal);
    private readonly List<string> _alignments = [];
    private readonly Dictionary<string, object> _sides = new(StringComparer.Ordinal);

    /// <summary>An empty topology.</summary>
    /// <param name="name">Its name: 1 to 249 of <c>[a-zA-Z0-9._-]</c>, as it is to be a group's id.</param>
    /// <exception cref="ArgumentException">The name is not possible.</exception>
    public StreamTopology(string name)
    {
        DemandName("Topology name", name, nameof(name));
        Name = name;
    }

    /// <summary>The topology's name.</summary>
    public string Name { get; }

    /// <summary>
    /// Whether state whose operator is gone is dropped at the start instead of stopping it. False by default; Apache Flink's
    /// allowNonRestoredState.
    /// </summary>
    public bool AllowsDroppedState { get; set; }

    /// <summary>
    /// How much of the topology's state is in memory in one process, in bytes as they are stored: about so many, and what a commit uses;
    /// objects take about two to four times as much. The rest is in the engine's store, which has to be one on disk (<c>OpenStateStore</c>
    /// of the engine's options), and is read when it is needed. It holds for all that is kept by key, timers included, and not for global
    /// tables. Null, the default, for all state in memory; else 0, for what a commit uses only, to 1 TiB. It may be changed from one
    /// start to the next.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less or more than that.</exception>
    public long? StateBytesMax
    {
        get;
        set
        {
            if (value is < 0 or > StateBytesMaxMost)
                throw new ArgumentOutOfRangeException(nameof(value), value, "StateBytesMax is 0 to 1 TiB, or null for no limit.");
            field = value;
        }
    }

    internal IReadOnlyList<TopologyNode> Nodes => _nodes;

    /// <summary>Sources and the topics in between, in the order of definition.</summary>
    internal IReadOnlyCollection<SourceDefinition> Sources => _sources.Values;

    /// <summary>Global tables in the order of definition.</summary>
    internal IReadOnlyCollection<TableDefinition> Tables => _tables.Values;

    /// <summary>The groups of sources that stay together.</summary>
    internal IReadOnlyList<string> Alignments => _alignments;

    /// <summary>A stream of a source's records.</summary>
    /// <typeparam name="T">The records' type.</typeparam>
    /// <param name="source">The source's name; a topology has it once.</param>
    /// <param name="options">Event time; the defaults when null.</param>
    /// <exception cref="ArgumentException">The name is not that of a topic, or there is such a source already.</exception>
    public DataStream<T> From<T>(string source, SourceOptions<T>? options = null)
    {
        DemandName("Source", source, nameof(source));
        if (_sources.ContainsKey(source) || _tables.ContainsKey(source))
            throw new ArgumentException($"Topology '{Name}' reads source '{source}' already.", nameof(source));
        options ??= new SourceOptions<T>();
        if (options.OutOfOrderness < TimeSpan.Zero)
            throw new ArgumentException(
                $"Source '{source}' has an out-of-orderness of {options.OutOfOrderness}; it is zero or more.", nameof(options));
        if (options.IdleAfter <= TimeSpan.Zero)
            throw new ArgumentException($"Source '{source}' is idle after {options.IdleAfter}; it is more than zero.", nameof(options));
        if (options.Alignment is { } alignment && (string.IsNullOrWhiteSpace(alignment.Group) || alignment.MaxDrift < TimeSpan.Zero))
        {
            throw new ArgumentException(
                $"Source '{source}' is aligned in group '{alignment.Group}' with a drift of {alignment.MaxDrift}; "
                + "a group has a name, and the drift is zero or more.", nameof(options));
        }

        if (options.Alignment is not null) _alignments.Add(options.Alignment.Group);
        var stream = new DataStream<T>(this, Add("source", source, NodeRole.Source));
        AddSource(new SourceDefinition(source, stream.Node, null, (definition, instance) =>
        {
            var output = stream.Build(instance);
            instance.Add(definition, new SourceOperator<T>(options, definition, instance, output));
        }));
        return stream;
    }

    /// <summary>
    /// A table of a topic's latest values that every partition has whole. What lies in the topic when a process starts is there before the
    /// first record is worked on; after that the table changes as its topic does.
    /// </summary>
    /// <typeparam name="TKey">The keys' type.</typeparam>
    /// <typeparam name="T">The values' type.</typeparam>
    /// <param name="topic">The topic's name; a topology has it once, and not as a source besides. Any number of partitions.</param>
    /// <param name="options">Keys, values and the limit; the defaults when null.</param>
    /// <exception cref="ArgumentException">
    /// The name is not that of a topic or is used already, the limit is out of bounds, or the type of keys has no reader by default.
    /// </exception>
    public GlobalTable<TKey, T> GlobalTable<TKey, T>(string topic, GlobalTableOptions<TKey, T>? options = null)
        where TKey : notnull
    {
        DemandName("Global table", topic, nameof(topic));
        if (_sources.ContainsKey(topic) || _tables.ContainsKey(topic))
            throw new ArgumentException($"Topology '{Name}' reads topic '{topic}' already.", nameof(topic));
        options ??= new GlobalTableOptions<TKey, T>();
        const int most = GlobalTableOptions<TKey, T>.EntriesMaxLimit;
        if (options.EntriesMax is < 1 or > most)
        {
            throw new ArgumentException(
                $"Global table '{topic}' may have {options.EntriesMax} entries; 1 to {most} are possible.", nameof(options));
        }

        var readKey = options.Key ?? TableKeys.Default<TKey>() ?? throw new ArgumentException(
            $"Global table '{topic}' has keys of type {typeof(TKey).Name}: say by Key how a record's key becomes one.", nameof(options));
        var definition = new TableDefinition<TKey, T>(topic, options, readKey);
        _tables.Add(topic, definition);
        return new GlobalTable<TKey, T>(this, definition);
    }

    /// <summary>
    /// The stream of a side output: late records, records without a key, or what <see cref="DataStream{T}.Split"/> put aside.
    /// </summary>
    /// <typeparam name="T">The records' type.</typeparam>
    /// <param name="tag">Its tag.</param>
    /// <exception cref="ArgumentException">The tag's name is empty, or is used with another type.</exception>
    public DataStream<T> SideOutput<T>(OutputTag<T> tag) => Side(tag).Stream;

    /// <summary>The topology as text, a line per operator in the order of definition, with what each reads.</summary>
    public string Describe() => TopologyText.Lines(this);

    /// <summary>The topology as a Mermaid flowchart.</summary>
    public string DescribeMermaid() => TopologyText.Mermaid(this);

    internal TopologyNode Add(string kind, string detail, params TopologyNode[] inputs) => Add(kind, detail, NodeRole.Keeping, inputs);

    internal TopologyNode Add(string kind, string detail, NodeRole role, params TopologyNode[] inputs)
    {
        var node = new TopologyNode(_nodes.Count, kind, detail, role, [.. inputs]);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Names an operator and its parts.</summary>
    internal void SetName(TopologyNode node, string name)
    {
        if (!TopicSpecification.IsValidName(name) || name.Length > OperatorNameCharactersMax || !char.IsAsciiLetter(name[0]))
        {
            throw new ArgumentException(
                $"Operator name '{name}' is not a letter and up to {OperatorNameCharactersMax - 1} more of [a-zA-Z0-9._-].", nameof(name));
        }

        if (node.Name is not null) throw new ArgumentException($"Operator '{node.Id}: {node.Title}' has a name already.", nameof(name));
        if (_nodes.Exists(other => other.Name == name))
            throw new ArgumentException($"Topology '{Name}' has an operator '{name}' already.", nameof(name));
        node.Name = name;
        foreach (var part in node.Inputs.Where(input => input is { IsPart: true, Name: null })) SetName(part, $"{name}.{part.Kind}");
    }

    internal void AddSource(SourceDefinition source) => _sources.Add(source.Name, source);

    internal void AddOutput(string output)
    {
        DemandName("Output", output, nameof(output));
        if (!_outputs.Add(output)) throw new ArgumentException($"Topology '{Name}' writes output '{output}' already.", nameof(output));
    }

    internal SideStream<T> Side<T>(OutputTag<T> tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        ArgumentException.ThrowIfNullOrWhiteSpace(tag.Name);
        if (_sides.TryGetValue(tag.Name, out var known))
        {
            return known as SideStream<T>
                ?? throw new ArgumentException($"Side output '{tag.Name}' is used with another type than {typeof(T).Name}.", nameof(tag));
        }

        var side = new SideStream<T>(tag.Name, new DataStream<T>(this, Add("side output", tag.Name)));
        _sides.Add(tag.Name, side);
        return side;
    }

    internal void Build(TopologyInstance instance)
    {
        foreach (var source in _sources.Values.Where(instance.Host.Runs)) source.Build(source, instance);
    }

    private static void DemandName(string what, string name, string parameter)
    {
        if (TopicSpecification.IsValidName(name)) return;
        throw new ArgumentException($"{what} '{name}' is not 1 to 249 characters of [a-zA-Z0-9._-] (and not '.' or '..').", parameter);
    }
}

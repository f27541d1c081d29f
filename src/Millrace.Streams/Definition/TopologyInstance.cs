using Millrace.Streams.Operators;
using Millrace.Streams.States;

namespace Millrace.Streams.Definition;

/// <summary>Where an instance's outputs go.</summary>
internal abstract class OutputSinks
{
    public abstract Sink<T> Of<T>(string output);

    /// <summary>Who wants to read a side output besides the topology; null for nobody.</summary>
    public abstract Sink<T>? OfSide<T>(string tag);
}

/// <summary>A topology that runs: its chains of operators with their state. Not thread safe.</summary>
internal sealed class TopologyInstance
{
    private readonly Dictionary<int, object> _once = [];
    private readonly Dictionary<string, SourceOperator> _sources = new(StringComparer.Ordinal);
    private readonly List<(TopologyNode Node, IStatefulOperator Operator)> _operators = [];

    public TopologyInstance(StreamTopology topology, int partitions, Func<long> now, OutputSinks outputs)
    {
        Partitions = partitions;
        Now = now;
        Outputs = outputs;
        topology.Build(this);
    }

    public int Partitions { get; }

    /// <summary>The processing time in milliseconds.</summary>
    public Func<long> Now { get; }

    public OutputSinks Outputs { get; }

    public IEnumerable<(TopologyNode Node, IStatefulOperator Operator)> Operators => _operators;

    public IReadOnlyDictionary<string, SourceOperator> Sources => _sources;

    public void Add(TopologyNode node, IStatefulOperator one) => _operators.Add((node, one));

    public void Add(string source, SourceOperator one) => _sources.Add(source, one);

    public TPart Once<TPart>(TopologyNode node, Func<TPart> make)
        where TPart : class
    {
        if (_once.TryGetValue(node.Id, out var known)) return (TPart)known;
        var made = make();
        _once.Add(node.Id, made);
        return made;
    }

    public void Restore(StateScope scope)
    {
        foreach (var (_, one) in _operators) one.Restore(scope);
        foreach (var source in _sources.Values) source.Restore(scope);
    }

    /// <summary>Writes what changed since the last time.</summary>
    public void Save(StateScope scope)
    {
        foreach (var (_, one) in _operators) one.Save(scope);
        foreach (var source in _sources.Values) source.Save(scope);
    }
}

using Millrace.Streams.Operators;
using Millrace.Streams.Running;
using Millrace.Streams.States;
using Millrace.Streams.Tables;

namespace Millrace.Streams.Definition;

/// <summary>What an instance of a topology runs in: what it reads and writes, and its clock.</summary>
internal abstract class InstanceHost
{
    /// <summary>The processing time in milliseconds, as of the last <see cref="Tick"/>.</summary>
    public abstract long Now { get; }

    /// <summary>Looks at the clock. Operators ask for the time several times a record: it is taken once for all in hand.</summary>
    public virtual void Tick()
    {
    }

    /// <summary>The clock that time-outs and pauses go by.</summary>
    public virtual TimeProvider Time => TimeProvider.System;

    /// <summary>Whether it matters that a partition is idle.</summary>
    public virtual bool NeedsIdleness => true;

    /// <summary>Whether the instance has that source and what follows it.</summary>
    public virtual bool Runs(SourceDefinition source) => true;

    /// <summary>How many channels, each with a watermark of its own, a source of the application has.</summary>
    public abstract int ChannelsOf(SourceDefinition source);

    /// <summary>Where an output's records go.</summary>
    public abstract Sink<T> OutputOf<T>(TopologyNode node, string output, OutputWriting<T> writing, TopologyInstance instance);

    /// <summary>Where records go that are to be moved to the partition of their key.</summary>
    public abstract Sink<T> RepartitionOf<T>(Repartition<T> repartition, TopologyInstance instance);

    /// <summary>What is held here of a global table.</summary>
    public abstract TableCopy TableOf(TableDefinition table);

    /// <summary>How many bytes of state, as stored, the instance keeps in memory at the moment; null for all.</summary>
    public virtual Func<long>? StateBytesMax => null;

    /// <summary>Who wants to read a side output besides the topology; null for nobody.</summary>
    public virtual Sink<T>? TapOf<T>(string tag) => null;
}

/// <summary>How an output writes: what was asked for, and the key of records for which nothing was.</summary>
internal sealed record OutputWriting<T>(OutputOptions<T> Options, KeyWriter<T>? Key);

/// <summary>Writes a record's key; false when it has none.</summary>
internal delegate bool KeyWriter<in T>(T value, System.Buffers.ArrayBufferWriter<byte> output);

/// <summary>A topology, or a stage of it, that runs: its chains of operators with their state. Not thread safe.</summary>
internal sealed class TopologyInstance
{
    private readonly StreamTopology _topology;
    private readonly OperatorRegister _register;
    private readonly Dictionary<int, object> _once = [];
    private readonly Dictionary<string, SourceOperator> _sources = new(StringComparer.Ordinal);
    private readonly List<(TopologyNode Node, IStatefulOperator Operator)> _operators = [];
    private readonly List<IClockedOperator> _clocked = [];
    private readonly List<IDeferredOperator> _deferred = [];

    public TopologyInstance(StreamTopology topology, InstanceHost host)
    {
        (_topology, _register) = (topology, new OperatorRegister(topology.Name));
        Host = host;
        Spill = host.StateBytesMax is { } bytesMax ? new Spill(bytesMax) : null;
        topology.Build(this);
    }

    public InstanceHost Host { get; }

    /// <summary>What is not all in memory; null when everything is.</summary>
    public Spill? Spill { get; }

    /// <summary>
    /// Whether anything was kept or said since the record in hand came: then the record cannot be left out as if it had never come.
    /// </summary>
    public bool HasActed { get; set; }

    /// <summary>The offset of the source's record in hand; -1 when what is done is done for none.</summary>
    public long Origin { get; set; } = -1;

    /// <summary>Whether an operator has something to finish that it was given.</summary>
    public bool HasDeferred { get; set; }

    public IEnumerable<(TopologyNode Node, IStatefulOperator Operator)> Operators => _operators;

    public IReadOnlyDictionary<string, SourceOperator> Sources => _sources;

    /// <summary>When the clock is waited for next; the end of time when it is not.</summary>
    public long NextDue
    {
        get
        {
            var next = long.MaxValue;
            foreach (var one in _clocked) next = Math.Min(next, one.NextDue);
            return next;
        }
    }

    public void Add(TopologyNode node, IStatefulOperator one)
    {
        _operators.Add((node, one));
        if (one is IClockedOperator clocked) _clocked.Add(clocked);
        if (one is IDeferredOperator deferred) _deferred.Add(deferred);
    }

    public void Add(SourceDefinition source, SourceOperator one)
    {
        _sources.Add(source.Name, one);
        Add(source.Node, one);
    }

    public TPart Once<TPart>(TopologyNode node, Func<TPart> make)
        where TPart : class
    {
        if (_once.TryGetValue(node.Id, out var known)) return (TPart)known;
        var made = make();
        _once.Add(node.Id, made);
        return made;
    }

    /// <summary>Processing time has come to a moment: what waits for it is done, source by source and operator by operator.</summary>
    public void AdvanceClock(long now)
    {
        foreach (var one in _clocked) one.AdvanceClock(now);
    }

    /// <summary>Finishes what operators were given and have not finished, and what comes of that.</summary>
    public async ValueTask CompleteAsync(DeadLetterGuard? guard, CancellationToken cancellation)
    {
        while (HasDeferred)
        {
            HasDeferred = false;
            foreach (var one in _deferred)
            {
                if (one.HasPending) await one.CompleteAsync(guard, cancellation);
            }
        }

        Origin = -1;
    }

    public void Restore(StateScope scope)
    {
        if (Spill is not null) Spill.Scope = scope;
        _register.Restore(scope, prefix => _operators.Exists(one => one.Node.Prefix == prefix), _topology.AllowsDroppedState);
        foreach (var (_, one) in _operators) one.Restore(scope);
    }

    /// <summary>Writes what changed since the last time.</summary>
    public void Save(StateScope scope)
    {
        foreach (var (node, one) in _operators) one.Save(_register.Of(node.Prefix, scope));
        _register.Save(scope);
        Spill?.Settle();
    }
}

using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.States;
using Millrace.Streams.Tables;

namespace Millrace.Streams.Running;

/// <summary>A stage's instance on one partition: its topics, and the runtime's clock.</summary>
internal sealed class ScopeHost(StageRun run, ProcessorScope scope) : InstanceHost
{
    private long _now = scope.Time.GetUtcNow().ToUnixTimeMilliseconds();

    public override long Now => _now;

    public override TimeProvider Time => scope.Time;

    public override void Tick() => _now = scope.Time.GetUtcNow().ToUnixTimeMilliseconds();

    public override Func<long>? StateBytesMax => run.State.BytesMax is null ? null : () => run.State.Share;

    public override bool NeedsIdleness => run.Stage.NeedsIdleness;

    public override bool Runs(SourceDefinition source) => run.Stage.Sources.Contains(source);

    /// <summary>One partition of a topic of the application; of a topic in between all partitions of the stage that writes it.</summary>
    public override int ChannelsOf(SourceDefinition source) =>
        source.From is null ? 1 : scope.PartitionsOf(run.Stages.First(other => other.Written.Contains(source)).Model);

    public override Sink<T> OutputOf<T>(TopologyNode node, string output, OutputWriting<T> writing, TopologyInstance instance)
    {
        var one = new TopicOutput<T>(node, output, writing, scope, instance);
        instance.Add(node, one);
        return one;
    }

    public override TableCopy TableOf(TableDefinition table) => run.Tables[table];

    public override Sink<T> RepartitionOf<T>(Repartition<T> repartition, TopologyInstance instance)
    {
        var one = new RepartitionOutput<T>($"{repartition.Source.Node.Prefix}-repartition", repartition, scope, instance);
        instance.Add(repartition.Source.Node, one);
        return one;
    }
}

/// <summary>State in a partition's keyed state.</summary>
internal sealed class ScopeState(ProcessorScope scope) : StateScope
{
    public override void Put(string store, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => scope.Put(store, key, value);

    public override void Delete(string store, ReadOnlySpan<byte> key) => scope.Delete(store, key);

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) =>
        scope.TryGet(store, key, out value);

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        scope.Scan(store, range);
}

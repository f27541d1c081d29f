using System.Collections.Concurrent;
using System.Diagnostics;
using Millrace.Streams.Definition;
using Millrace.Streams.Tables;

namespace Millrace.Streams.Running;

/// <summary>What the instances of a stage in this process share. Thread safe.</summary>
internal sealed class StageRun
{
    private readonly ConcurrentDictionary<int, (PartitionStreams Instance, IReadOnlyList<OperatorStatus> Operators)> _shown = new();

    public StageRun(StreamTopology topology, Stage stage, IReadOnlyList<Stage> stages, StreamsMeter meter)
    {
        (Topology, Stage, Stages, Meter) = (topology, stage, stages, meter);
        var tags = new TagList { { TelemetryNames.ConsumerGroup, stage.Name } };
        Tables = topology.Tables.Where(table => table.Readers.Exists(stage.Nodes.Contains))
            .ToDictionary(table => table, table => table.Open(() => meter.TableRefused.Add(1, tags)));
    }

    public StreamTopology Topology { get; }

    public Stage Stage { get; }

    public IReadOnlyList<Stage> Stages { get; }

    public StreamsMeter Meter { get; }

    /// <summary>Source partitions of the topology that stay together, by their groups' names.</summary>
    public required IReadOnlyDictionary<string, AlignmentGroup> Alignments { get; init; }

    /// <summary>The global tables that operators of the stage look into: one copy for all partitions of the process.</summary>
    public IReadOnlyDictionary<TableDefinition, TableCopy> Tables { get; }

    /// <summary>What the instances of all stages keep in memory.</summary>
    public required StateLimit State { get; init; }

    public Condemned Condemned { get; } = new();

    public Processor Processor => new()
    {
        Name = Stage.Name,
        Topics = [.. Stage.Sources.Select(source => source.Name)],
        NeedsStateOnDisk = State.BytesMax is not null,
        Create = scope => new PartitionStreams(this, scope),
        GlobalTopics = [.. Tables.Values.Select(table => new GlobalTopic { Name = table.Name, Begin = table.Begin })],
        Companions =
        [
            .. Stage.Sources.Where(source => source.From is null).Select(source => DeadLetters.CompanionOf(source.Name)),
            .. Stage.Sources.Where(source => source.From is not null).Select(source => DeadLetters.CompanionOf(source.Name)),
            .. Stage.Written.Select(source => new CompanionTopic(source.Name, Stage.Model)),
        ],
    };

    public void Show(int partition, PartitionStreams instance, IReadOnlyList<OperatorStatus> operators) =>
        _shown[partition] = (instance, operators);

    /// <summary>An instance has ended; the partition's next one may be there already.</summary>
    public void Hide(int partition, PartitionStreams instance)
    {
        if (_shown.TryGetValue(partition, out var shown) && shown.Instance == instance)
            _shown.TryRemove(new(partition, shown));
    }

    public StageStatus Status() => new()
    {
        Name = Stage.Name,
        Topics = [.. Stage.Sources.Select(source => source.Name)],
        Tables = [.. Tables.Values.Select(table => table.Status())],
        Partitions =
        [
            // Copied first: ordering asks a collection for its size and then for its entries, and there may be more of them by then.
            .. _shown.ToArray().OrderBy(pair => pair.Key).Select(pair => new StagePartitionStatus(pair.Key, pair.Value.Operators)),
        ],
    };
}

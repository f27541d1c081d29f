using System.Collections.Concurrent;
using Millrace.Streams.Definition;

namespace Millrace.Streams.Running;

/// <summary>What the instances of a stage in this process share. Thread safe.</summary>
internal sealed class StageRun(StreamTopology topology, Stage stage, IReadOnlyList<Stage> stages, StreamsMeter meter)
{
    private readonly ConcurrentDictionary<int, (PartitionStreams Instance, IReadOnlyList<OperatorStatus> Operators)> _shown = new();

    public StreamTopology Topology { get; } = topology;

    public Stage Stage { get; } = stage;

    public IReadOnlyList<Stage> Stages { get; } = stages;

    public StreamsMeter Meter { get; } = meter;

    public Condemned Condemned { get; } = new();

    public Processor Processor => new()
    {
        Name = Stage.Name,
        Topics = [.. Stage.Sources.Select(source => source.Name)],
        Create = scope => new PartitionStreams(this, scope),
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
        Partitions =
        [
            .. _shown.OrderBy(pair => pair.Key).Select(pair => new StagePartitionStatus(pair.Key, pair.Value.Operators)),
        ],
    };
}

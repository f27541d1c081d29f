using System.Globalization;
using System.Text;
using Millrace.Streams.Running;

namespace Millrace.Streams;

/// <summary>One of the channels that an operator's watermark is made of.</summary>
/// <param name="Name">Which: a partition, or an input.</param>
/// <param name="Watermark">Its own watermark; <see cref="long.MinValue"/> before the first.</param>
/// <param name="IsIdle">Whether it is not waited for.</param>
public readonly record struct ChannelStatus(string Name, long Watermark, bool IsIdle);

/// <summary>What an operator that keeps state, reads, writes or joins streams has done, and what it waits for.</summary>
public sealed record OperatorStatus
{
    /// <summary>The operator as <see cref="StreamTopology.Describe"/> writes it.</summary>
    public required string Name { get; init; }

    /// <summary>Records in, late ones included.</summary>
    public required long RecordsIn { get; init; }

    /// <summary>Records out; for windows, results.</summary>
    public required long RecordsOut { get; init; }

    /// <summary>
    /// Of an output to a topic: records that it has written on its partition since the topology first ran, over restarts, each counted
    /// once. Where offsets have gaps, as on Kafka, that is how many there are. 0 of other operators.
    /// </summary>
    public required long RecordsWritten { get; init; }

    /// <summary>Records that were late for each of their windows.</summary>
    public required long RecordsLate { get; init; }

    /// <summary>Pairs of a record and a window for which it was late; more than late records when windows overlap.</summary>
    public required long WindowsLate { get; init; }

    /// <summary>Records that were dropped because their key is null.</summary>
    public required long RecordsKeyless { get; init; }

    /// <summary>Records that are in no window, as between windows that leave gaps, or on no day of a calendar.</summary>
    public required long RecordsInNoWindow { get; init; }

    /// <summary>Whether it is a source that reads nothing more for now, as it runs ahead of others of its group.</summary>
    public required bool IsHeld { get; init; }

    /// <summary>Lookups that were tried again.</summary>
    public required long LookupsRetried { get; init; }

    /// <summary>Entries of state now: keys in windows, buffered records, values of keys.</summary>
    public required int StateEntries { get; init; }

    /// <summary>About how many bytes they have as they are stored, by the mean of those stored so far.</summary>
    public required long StateBytes { get; init; }

    /// <summary>About how many of those bytes are in memory; all of them without a <see
    /// cref="StreamTopology.StateBytesMax"/>.</summary>
    public required long StateBytesInMemory { get; init; }

    /// <summary>The operator's watermark; <see cref="long.MinValue"/> before the first.</summary>
    public required long Watermark { get; init; }

    /// <summary>
    /// How far the watermark has to come for the next result, end or timer; <see cref="long.MaxValue"/> when nothing waits for it.
    /// </summary>
    public required long WaitsFor { get; init; }

    /// <summary>The channels that its watermark is made of; none when it has that of its input.</summary>
    public required IReadOnlyList<ChannelStatus> Channels { get; init; }

    /// <summary>The channel that holds the watermark back: the one that is behind the others and not idle; null when there is
    /// none.</summary>
    public ChannelStatus? HeldBackBy
    {
        get
        {
            ChannelStatus? least = null;
            foreach (var channel in Channels)
            {
                if (!channel.IsIdle && (least is null || channel.Watermark < least.Value.Watermark)) least = channel;
            }

            return least;
        }
    }
}

/// <summary>An operator over the partitions of a stage that run in this process.</summary>
/// <param name="Partitions">It on each of them, with the partition's number; at least one.</param>
public sealed record OperatorTotals(IReadOnlyList<(int Partition, OperatorStatus Operator)> Partitions)
{
    private readonly (int Partition, OperatorStatus Operator) _slowest = SlowestOf(Partitions);

    /// <summary>The operator as <see cref="StreamTopology.Describe"/> writes it.</summary>
    public string Name => _slowest.Operator.Name;

    /// <summary>
    /// It where its watermark is the least. A partition that has had no record, or is idle, holds nobody back: it is passed over while
    /// another one is there.
    /// </summary>
    public OperatorStatus Slowest => _slowest.Operator;

    /// <summary>The number of that partition.</summary>
    public int SlowestPartition => _slowest.Partition;

    /// <summary>How many partitions have had a record and are not idle.</summary>
    public int Awake => Partitions.Count(one => IsAwake(one.Operator));

    /// <summary>A number of it, over the partitions.</summary>
    /// <param name="number">Which one.</param>
    public long Sum(Func<OperatorStatus, long> number) => Partitions.Sum(one => number(one.Operator));

    private static (int Partition, OperatorStatus Operator) SlowestOf(IReadOnlyList<(int Partition, OperatorStatus Operator)> partitions)
    {
        var awake = partitions.Where(one => IsAwake(one.Operator)).ToList();
        return (awake.Count > 0 ? awake : partitions).MinBy(one => one.Operator.Watermark);
    }

    private static bool IsAwake(OperatorStatus one) =>
        one.Watermark != long.MinValue && (one.Channels.Count == 0 || one.Channels.Any(channel => !channel.IsIdle));
}

/// <summary>A stage on one partition.</summary>
/// <param name="Partition">The partition's number.</param>
/// <param name="Operators">Its operators as of the last call, in the order of the topology.</param>
public sealed record StagePartitionStatus(int Partition, IReadOnlyList<OperatorStatus> Operators);

/// <summary>A part of a topology that runs as one processor.</summary>
public sealed record StageStatus
{
    /// <summary>Its name, which is its processor's and its group's.</summary>
    public required string Name { get; init; }

    /// <summary>The topics that it reads.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>The global tables that its operators look into, as this process holds them.</summary>
    public required IReadOnlyList<GlobalTableStatus> Tables { get; init; }

    /// <summary>The partitions that run in this process, in order.</summary>
    public required IReadOnlyList<StagePartitionStatus> Partitions { get; init; }

    /// <summary>Its operators over those partitions, in the order of the topology; none while no partition runs here.</summary>
    public IReadOnlyList<OperatorTotals> Operators =>
    [
        .. Partitions.SelectMany(partition => partition.Operators.Select(one => (partition.Partition, Operator: one)))
            .GroupBy(pair => pair.Operator.Name, StringComparer.Ordinal).Select(group => new OperatorTotals([.. group])),
    ];
}

/// <summary>A topology that runs: the answer to "why is there no output?".</summary>
public sealed record TopologyStatus
{
    /// <summary>The topology's name.</summary>
    public required string Name { get; init; }

    /// <summary>Its stages, those that write a topic before those that read it.</summary>
    public required IReadOnlyList<StageStatus> Stages { get; init; }

    /// <summary>
    /// As text: per operator what came in and went out, what it keeps, what it waits for, and who holds its watermark back, summed over the
    /// partitions of this process; the watermark is that of the partition that is farthest behind.
    /// </summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"topology {Name}\n");
        foreach (var stage in Stages)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"  stage {stage.Name} reads {string.Join(", ", stage.Topics)}; {stage.Partitions.Count} partitions run here\n");
            foreach (var table in stage.Tables) StatusView.Write(text, table);
            foreach (var one in stage.Operators) StatusView.Write(text, one);
        }

        return text.ToString();
    }
}

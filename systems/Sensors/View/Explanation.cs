using System.Globalization;
using Millrace.Streams;
using Sensors.Api;
using Sensors.Readings;

namespace Sensors.View;

/// <summary>A topology's status as an answer: per operator over the partitions of this process.</summary>
internal static class Explanation
{
    public static TopologyAnswer Of(TopologyStatus status) => new()
    {
        Name = status.Name,
        Stages =
        [
            .. status.Stages.Select(stage => new StageAnswer
            {
                Name = stage.Name,
                Topics = stage.Topics,
                Partitions = stage.Partitions.Count,
                Operators =
                [
                    .. stage.Partitions.SelectMany(partition => partition.Operators.Select(one => (partition.Partition, Operator: one)))
                        .GroupBy(pair => pair.Operator.Name, StringComparer.Ordinal).Select(group => Of(group.Key, [.. group])),
                ],
            }),
        ],
    };

    private static OperatorAnswer Of(string name, (int Partition, OperatorStatus Operator)[] parts)
    {
        (int Partition, OperatorStatus Operator)? least = null;
        foreach (var part in parts)
        {
            // A partition that never had a record, or whose only channel is idle, holds nobody back.
            if (part.Operator.Watermark == long.MinValue || part.Operator.Channels is [{ IsIdle: true }]) continue;
            if (least is null || part.Operator.Watermark < least.Value.Operator.Watermark) least = part;
        }

        return new OperatorAnswer
        {
            Name = name,
            RecordsIn = parts.Sum(part => part.Operator.RecordsIn),
            RecordsOut = parts.Sum(part => part.Operator.RecordsOut),
            RecordsLate = parts.Sum(part => part.Operator.RecordsLate),
            RecordsKeyless = parts.Sum(part => part.Operator.RecordsKeyless),
            StateEntries = parts.Sum(part => (long)part.Operator.StateEntries),
            StateBytes = parts.Sum(part => part.Operator.StateBytes),
            Watermark = least is { } one ? EventClock.Time(one.Operator.Watermark) : null,
            HeldBackBy = least is { } slow
                ? string.Create(CultureInfo.InvariantCulture, $"partition {slow.Partition}")
                    + (slow.Operator.HeldBackBy is { } channel && slow.Operator.Channels.Count > 1 ? $", {channel.Name}" : "")
                : null,
            WaitsFor = least is { } waiting && waiting.Operator.WaitsFor != long.MaxValue
                ? EventClock.Time(waiting.Operator.WaitsFor)
                : null,
        };
    }
}

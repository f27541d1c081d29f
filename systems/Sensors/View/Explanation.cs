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
                Operators = [.. stage.Operators.Select(Of)],
            }),
        ],
    };

    private static OperatorAnswer Of(OperatorTotals totals)
    {
        var slowest = totals.Slowest;
        var isWaitedFor = totals.Awake > 0;
        return new OperatorAnswer
        {
            Name = totals.Name,
            RecordsIn = totals.Sum(one => one.RecordsIn),
            RecordsOut = totals.Sum(one => one.RecordsOut),
            RecordsLate = totals.Sum(one => one.RecordsLate),
            RecordsKeyless = totals.Sum(one => one.RecordsKeyless),
            StateEntries = totals.Sum(one => one.StateEntries),
            StateBytes = totals.Sum(one => one.StateBytes),
            Watermark = isWaitedFor ? EventClock.Time(slowest.Watermark) : null,
            HeldBackBy = isWaitedFor
                ? string.Create(CultureInfo.InvariantCulture, $"partition {totals.SlowestPartition}")
                    + (slowest.Channels.Count > 1 && slowest.HeldBackBy is { } channel ? $", {channel.Name}" : "")
                : null,
            WaitsFor = isWaitedFor && slowest.WaitsFor != long.MaxValue ? EventClock.Time(slowest.WaitsFor) : null,
        };
    }
}

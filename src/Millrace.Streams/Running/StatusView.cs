using System.Globalization;
using System.Text;
using Millrace.Streams.Definition;
using Millrace.Streams.Operators;
using Millrace.Streams.States;

namespace Millrace.Streams.Running;

/// <summary>Looks at operators, and writes down what was seen.</summary>
internal static class StatusView
{
    public static IReadOnlyList<OperatorStatus> Of(TopologyInstance instance) =>
        [.. instance.Operators.OrderBy(one => one.Node.Id).Select(one => Of(one.Node, one.Operator))];

    /// <summary>One operator, over partitions.</summary>
    public static void Write(StringBuilder text, OperatorTotals totals)
    {
        var (slowest, count) = (totals.Slowest, totals.Partitions.Count);
        text.Append(CultureInfo.InvariantCulture,
            $"    {totals.Name}: {totals.Sum(one => one.RecordsIn)} in, {totals.Sum(one => one.RecordsOut)} out");
        Count(text, "written before this run", totals.Sum(one => Math.Max(0, one.RecordsWritten - one.RecordsOut)));
        Count(text, "late", totals.Sum(one => one.RecordsLate));
        Count(text, "without a key", totals.Sum(one => one.RecordsKeyless));
        Count(text, "in no window", totals.Sum(one => one.RecordsInNoWindow));
        Count(text, "lookups tried again", totals.Sum(one => one.LookupsRetried));
        if (totals.Sum(one => one.StateEntries) is > 0 and var entries)
        {
            var (bytes, inMemory) = (totals.Sum(one => one.StateBytes), totals.Sum(one => one.StateBytesInMemory));
            var where = inMemory < bytes ? $", {inMemory} in memory" : "";
            text.Append(CultureInfo.InvariantCulture, $", {entries} entries of state (about {bytes} bytes{where})");
        }

        text.Append(CultureInfo.InvariantCulture, $"\n      watermark {Time(slowest.Watermark)}");
        if (count > 1)
        {
            text.Append(CultureInfo.InvariantCulture, $" (the least, of partition {totals.SlowestPartition}");
            if (totals.Awake is > 0 and var awake && awake < count) text.Append(CultureInfo.InvariantCulture, $"; {count - awake} idle");
            text.Append(')');
        }

        if (slowest.Channels.Count > 1 && slowest.HeldBackBy is { } holding)
            text.Append(CultureInfo.InvariantCulture, $", held back by {holding.Name}");
        var idle = slowest.Channels.Count(channel => channel.IsIdle);
        if (idle > 0) text.Append(CultureInfo.InvariantCulture, $", {idle} of {slowest.Channels.Count} channels idle");
        Count(text, "partitions held as they run ahead", totals.Sum(one => one.IsHeld ? 1 : 0));
        var waits = totals.Partitions.Min(one => one.Operator.WaitsFor);
        if (waits != long.MaxValue) text.Append(CultureInfo.InvariantCulture, $"; waits for {Time(waits)}");
        text.Append('\n');
    }

    public static void Write(StringBuilder text, GlobalTableStatus table)
    {
        text.Append(CultureInfo.InvariantCulture, $"    global table {table.Name}: {table.RecordsIn} in, {table.Entries} entries");
        if (table.RecordsRefused > 0)
            text.Append(CultureInfo.InvariantCulture, $", {table.RecordsRefused} refused (the last: {table.LastRefusal})");
        text.Append('\n');
    }

    private static OperatorStatus Of(TopologyNode node, IStatefulOperator one) => new()
    {
        Name = $"{node.Id}: {node.Title}",
        RecordsIn = one.Counts.In,
        RecordsOut = one.Counts.Out,
        RecordsWritten = one.Written,
        RecordsLate = one.Counts.Late,
        WindowsLate = one.Counts.LateWindows,
        RecordsKeyless = one.Counts.Keyless,
        RecordsInNoWindow = one.Counts.Unassigned,
        IsHeld = one is SourceOperator { IsHeld: true },
        LookupsRetried = Interlocked.Read(ref one.Counts.Retried),
        StateEntries = one.Entries,
        StateBytes = one.EntryBytes,
        StateBytesInMemory = one.MemoryBytes,
        Watermark = one.Watermark,
        WaitsFor = one.WaitsFor,
        Channels = one.ShowChannels(),
    };

    private static void Count(StringBuilder text, string what, long count)
    {
        if (count > 0) text.Append(CultureInfo.InvariantCulture, $", {count} {what}");
    }

    private static string Time(long milliseconds)
    {
        if (milliseconds == long.MinValue) return "none yet";
        if (milliseconds == long.MaxValue) return "the end of time";
        var (least, greatest) = (DateTimeOffset.MinValue.ToUnixTimeMilliseconds(), DateTimeOffset.MaxValue.ToUnixTimeMilliseconds());
        if (milliseconds < least || milliseconds > greatest) return $"{milliseconds} ms";
        var time = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime;
        return time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
    }
}

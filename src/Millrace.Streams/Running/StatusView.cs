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
    public static void Write(StringBuilder text, IReadOnlyList<(int Partition, OperatorStatus Operator)> seen)
    {
        // A partition that has had no record, or is idle, holds nobody back: it is passed over while another one is there.
        var awake = seen.Where(pair => IsAwake(pair.Operator)).ToList();
        var (behind, one) = (awake.Count > 0 ? awake : seen).MinBy(pair => pair.Operator.Watermark);
        text.Append(CultureInfo.InvariantCulture,
            $"    {one.Name}: {seen.Sum(pair => pair.Operator.RecordsIn)} in, {seen.Sum(pair => pair.Operator.RecordsOut)} out");
        Count(text, "late", seen.Sum(pair => pair.Operator.RecordsLate));
        Count(text, "without a key", seen.Sum(pair => pair.Operator.RecordsKeyless));
        Count(text, "in no window", seen.Sum(pair => pair.Operator.RecordsInNoWindow));
        Count(text, "lookups tried again", seen.Sum(pair => pair.Operator.LookupsRetried));
        var entries = seen.Sum(pair => (long)pair.Operator.StateEntries);
        var bytes = seen.Sum(pair => pair.Operator.StateBytes);
        if (entries > 0)
            text.Append(CultureInfo.InvariantCulture, $", {entries} entries of state (about {bytes} bytes)");
        text.Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"      watermark {Time(one.Watermark)}");
        var others = awake.Count > 0 ? seen.Count - awake.Count : 0;
        if (seen.Count > 1) text.Append(CultureInfo.InvariantCulture, $" (the least, of partition {behind}");
        if (seen.Count > 1) text.Append(others > 0 ? string.Create(CultureInfo.InvariantCulture, $"; {others} are idle)") : ")");
        if (one.Channels.Count > 1 && one.HeldBackBy is { } holding)
            text.Append(CultureInfo.InvariantCulture, $", held back by {holding.Name}");
        var idle = one.Channels.Count(channel => channel.IsIdle);
        if (idle > 0) text.Append(CultureInfo.InvariantCulture, $", {idle} of {one.Channels.Count} channels idle");
        if (seen.Count(pair => pair.Operator.IsHeld) is > 0 and var held)
            text.Append(CultureInfo.InvariantCulture, $", {held} partitions held as they run ahead");
        var waits = seen.Min(pair => pair.Operator.WaitsFor);
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
        RecordsLate = one.Counts.Late,
        WindowsLate = one.Counts.LateWindows,
        RecordsKeyless = one.Counts.Keyless,
        RecordsInNoWindow = one.Counts.Unassigned,
        IsHeld = one is SourceOperator { IsHeld: true },
        LookupsRetried = Interlocked.Read(ref one.Counts.Retried),
        StateEntries = one.Entries,
        StateBytes = one.EntryBytes,
        Watermark = one.Watermark,
        WaitsFor = one.WaitsFor,
        Channels = one.ShowChannels(),
    };

    private static bool IsAwake(OperatorStatus one) =>
        one.Watermark != long.MinValue && (one.Channels.Count == 0 || one.Channels.Any(channel => !channel.IsIdle));

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

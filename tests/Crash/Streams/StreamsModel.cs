using System.Globalization;
using Millrace.Streams;

namespace Millrace.Crash.Streams;

/// <summary>What the topology has to say, recomputed by plain loops over the whole input.</summary>
internal static class StreamsModel
{
    /// <summary>The lines of an output, in order of their characters.</summary>
    public static List<string> Expect(string output, IReadOnlyList<List<Input>> partitions) =>
    [
        .. (output switch
        {
            StreamsTopology.Sums => partitions.SelectMany(Sums).Select(sum => StreamsTopology.Line(sum.Key, sum.Window, sum.Value)),
            StreamsTopology.Sessions => ByKey(partitions).SelectMany(Sessions),
            StreamsTopology.Slides => ByKey(partitions).SelectMany(Slides),
            StreamsTopology.Timers => partitions.SelectMany(Timers),
            StreamsTopology.Counts => Counts(partitions),
            _ => throw new InvalidOperationException($"Unknown output {output}."),
        }).Order(StringComparer.Ordinal),
    ];

    public static string Asked(string key, long time, long count, IEnumerable<(long Key, long Value)> values) => string.Create(
        CultureInfo.InvariantCulture,
        $"{key} {time} {count} {string.Join(',', values.OrderBy(one => one.Key).Select(one => $"{one.Key}:{one.Value}"))}");

    private static IEnumerable<IGrouping<string, Input>> ByKey(IReadOnlyList<List<Input>> partitions) =>
        partitions.SelectMany(partition => Ended(partition).GroupBy(input => input.Key));

    /// <summary>The records whose windows have ended: all but the last of a partition, which ended them.</summary>
    private static IEnumerable<Input> Ended(List<Input> partition) => partition.Take(partition.Count - 1);

    private static IEnumerable<(string Key, Window Window, long Value)> Sums(List<Input> partition) => Ended(partition)
        .GroupBy(input => (input.Key, Start: input.Time - (input.Time % StreamsTopology.Minute)))
        .Select(group => (group.Key.Key, new Window(group.Key.Start, group.Key.Start + StreamsTopology.Minute), group.Sum(input => input.Value)));

    private static IEnumerable<string> Counts(IReadOnlyList<List<Input>> partitions) => partitions.SelectMany(Sums)
        .GroupBy(sum => (Kind: sum.Value % StreamsTopology.SumKinds, Start: sum.Window.MaxTimestamp - (sum.Window.MaxTimestamp % StreamsTopology.FiveMinutes)))
        .Select(group => StreamsTopology.Line(
            group.Key.Kind.ToString(CultureInfo.InvariantCulture),
            new Window(group.Key.Start, group.Key.Start + StreamsTopology.FiveMinutes), group.Count()));

    private static IEnumerable<string> Sessions(IGrouping<string, Input> key)
    {
        var (start, last, count) = (0L, 0L, 0L);
        foreach (var time in key.Select(input => input.Time).Order())
        {
            if (count > 0 && time > last + StreamsTopology.Gap)
            {
                yield return Session();
                count = 0;
            }

            if (count == 0) start = time;
            (last, count) = (time, count + 1);
        }

        yield return Session();

        string Session() => StreamsTopology.Line(key.Key, new Window(start, last + StreamsTopology.Gap), count);
    }

    private static IEnumerable<string> Slides(IGrouping<string, Input> key)
    {
        var times = key.Select(input => input.Time).Order().ToList();
        var starts = times.SelectMany(time => new[] { time - StreamsTopology.Difference, time + 1 }).Distinct();
        foreach (var start in starts)
        {
            var window = new Window(start, start + StreamsTopology.Difference + 1);
            var count = CountFrom(times, window.End) - CountFrom(times, window.Start);
            if (count > 0) yield return StreamsTopology.Line(key.Key, window, count);
        }
    }

    /// <summary>How many of ordered times are before a moment.</summary>
    private static int CountFrom(List<long> times, long moment)
    {
        var (low, high) = (0, times.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (times[middle] < moment) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    /// <summary>Record by record: timers fire once the watermark has come to them, behind the record that brought it.</summary>
    private static IEnumerable<string> Timers(List<Input> partition)
    {
        var (greatest, counts, timers) = (long.MinValue, new Dictionary<string, SortedDictionary<long, long>>(), new SortedSet<(long Time, string Key)>());
        foreach (var input in partition)
        {
            if (!counts.TryGetValue(input.Key, out var values)) counts.Add(input.Key, values = []);
            values[input.Value % 3] = values.GetValueOrDefault(input.Value % 3) + 1;
            timers.Add((StreamsTopology.AskedAt(input.Time), input.Key));
            greatest = Math.Max(greatest, input.Time);
            while (timers.Count > 0 && timers.Min.Time <= greatest - StreamsScript.OutOfOrderness - 1)
            {
                var (time, key) = timers.Min;
                timers.Remove(timers.Min);
                yield return Asked(key, time, counts[key].Values.Sum(), counts[key].Select(one => (one.Key, one.Value)));
            }
        }
    }
}

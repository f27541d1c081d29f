namespace Millrace.Streams.Tests;

internal readonly record struct Event(string Key, long Value);

/// <summary>Topologies of the cases, and their results as text: key-value [start, end).</summary>
internal static class Cases
{
    public const string Source = "in";
    public const string Output = "out";

    /// <summary>Sums per key in windows, of a source whose watermarks are given.</summary>
    public static StreamTopology Sums(
        WindowAssigner windows, Func<WindowedStream<string, Event>, WindowedStream<string, Event>>? settings = null,
        TimeSpan? outOfOrderness = null)
    {
        var topology = new StreamTopology("sums");
        var windowed = topology.From<Event>(Source, new SourceOptions<Event> { OutOfOrderness = outOfOrderness })
            .KeyBy(e => e.Key).Window(windows);
        (settings?.Invoke(windowed) ?? windowed).Sum(e => e.Value).To(Output);
        return topology;
    }

    public static void Put(this TopologyTestDriver driver, string key, long value, params long[] timestamps)
    {
        foreach (var timestamp in timestamps) driver.Pipe(Source, new Event(key, value), timestamp);
    }

    public static void Watermark(this TopologyTestDriver driver, long watermark) => driver.Watermark(Source, watermark);

    /// <summary>Results as <c>key-value@timestamp</c>.</summary>
    public static string[] Results(this TopologyTestDriver driver) =>
        [.. driver.Read<Windowed<string, long>>(Output).Select(r => $"{r.Value.Key}-{r.Value.Value}@{r.Timestamp}")];

    /// <summary>Results as <c>key-value [start, end)</c>, a minus before one that is taken back.</summary>
    public static string[] Windows(this TopologyTestDriver driver) =>
        [.. driver.Read<Windowed<string, long>>(Output)
            .Select(r => $"{(r.Value.IsRetraction ? "-" : "")}{r.Value.Key}-{r.Value.Value} {r.Value.Window}")];
}

/// <summary>The values of a window one after the other, so that a result shows which records it has.</summary>
internal sealed class Listing : IAggregate<Event, string, string>
{
    public string Create() => "";

    public string Add(string accumulator, Event value) => $"{accumulator}+{value.Value}";

    public string Merge(string left, string right) => left + right;

    public string Result(string accumulator) => accumulator;
}

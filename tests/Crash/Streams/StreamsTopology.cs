using System.Globalization;
using Millrace.Streams;

namespace Millrace.Crash.Streams;

/// <summary>What the killed process runs: windows of each kind, a function with states and timers, and a stage behind a topic in between.</summary>
internal static class StreamsTopology
{
    public const string Name = "streams", In = "in", Sums = "sums", Sessions = "sessions", Slides = "slides", Timers = "timers", Counts = "counts";

    public const long Minute = 60_000, FiveMinutes = 300_000, Gap = 30_000, Difference = 10_000, SumKinds = 97;

    public static readonly string[] Outputs = [Sums, Sessions, Slides, Timers, Counts];

    public static StreamTopology Define(long? stateBytesMax)
    {
        var topology = new StreamTopology(Name) { StateBytesMax = stateBytesMax };
        var keyed = topology.From<string>(In, new SourceOptions<string>
        {
            Codec = RecordCodecs.Text, OutOfOrderness = TimeSpan.FromMilliseconds(StreamsScript.OutOfOrderness), IdleAfter = null,
        }).Named("in").Select(text => Input.Read(text, 0)).KeyBy(input => input.Key);
        var sums = keyed.Window(Tumbling.Of(TimeSpan.FromMilliseconds(Minute))).Sum(input => input.Value).Named("sums");
        sums.Select(sum => Line(sum.Key, sum.Window, sum.Value)).To(Sums, Text(Sums));
        keyed.Window(Session.WithGap(TimeSpan.FromMilliseconds(Gap))).Count().Named("sessions")
            .Select(count => Line(count.Key, count.Window, count.Value)).To(Sessions, Text(Sessions));
        keyed.Window(Sliding.Of(TimeSpan.FromMilliseconds(Difference))).Count().Named("slides")
            .Select(count => Line(count.Key, count.Window, count.Value)).To(Slides, Text(Slides));
        keyed.Process(() => new Every()).Named("timers").To(Timers, Text(Timers));
        sums.KeyBy(sum => sum.Value % SumKinds, name: "kinds").Window(Tumbling.Of(TimeSpan.FromMilliseconds(FiveMinutes))).Count().Named("counts")
            .Select(count => Line(count.Key.ToString(CultureInfo.InvariantCulture), count.Window, count.Value)).To(Counts, Text(Counts));
        return topology;
    }

    public static string Line(string key, Window window, long value) =>
        string.Create(CultureInfo.InvariantCulture, $"{key} [{window.Start}, {window.End}) {value}");

    /// <summary>When a key that has a record is asked again.</summary>
    public static long AskedAt(long time) => ((time / FiveMinutes) + 1) * FiveMinutes;

    private static OutputOptions<string> Text(string name) =>
        new() { Name = $"to-{name}", Codec = RecordCodecs.Text, Key = line => line[..line.IndexOf(' ', StringComparison.Ordinal)] };

    /// <summary>Counts a key's records by value, and says at the end of five minutes how many there were.</summary>
    private sealed class Every : ProcessFunction<string, Input, string>
    {
        private ValueState<long> _count = null!;
        private MapState<long, long> _values = null!;

        public override void Open(StateDeclarations states) =>
            (_count, _values) = (states.Value<long>("count"), states.Map<long, long>("values"));

        public override void OnRecord(Input value, ProcessContext<string, string> context)
        {
            _count.Value++;
            _values.Set(value.Value % 3, _values.TryGet(value.Value % 3, out var known) ? known + 1 : 1);
            context.SetTimer(TimerKind.EventTime, "", AskedAt(context.Timestamp));
        }

        public override void OnTimer(StreamTimer timer, ProcessContext<string, string> context) =>
            context.Say(StreamsModel.Asked(context.Key, context.Timestamp, _count.Value, _values.Entries.Select(entry => (entry.Key, entry.Value))));
    }
}

using Millrace.Streams.Contract;

namespace Millrace.Streams.Tests;

/// <summary>Names by which operators find their state after the topology has changed.</summary>
public sealed class NamingTests
{
    private static readonly OutputTag<Event> Aside = new("aside");

    private static readonly Dictionary<string, Func<DataStream<Event>, StreamTopology, string?, DataStream<string>>> Kinds = new()
    {
        ["window"] = (stream, _, name) => Name(stream.KeyBy(e => e.Key).Window(Tumbling.Of(1.Seconds())).Sum(e => e.Value), name).Select(Text),
        ["session"] = (stream, _, name) => Name(stream.KeyBy(e => e.Key).Window(Session.WithGap(1.Seconds())).Sum(e => e.Value), name).Select(Text),
        ["sliding"] = (stream, _, name) => Name(stream.KeyBy(e => e.Key).Window(Sliding.Of(1.Seconds())).Sum(e => e.Value), name).Select(Text),
        ["deduplicate"] = (stream, _, name) => Name(stream.KeyBy(e => e.Key).Deduplicate(1.Minutes()), name).Select(e => $"{e.Key} {e.Value}"),
        ["top"] = (stream, _, name) => Name(stream.KeyBy(e => e.Key).Top(2, (one, other) => one.Value.CompareTo(other.Value)), name)
            .Select(ranked => $"{ranked.Key} {ranked.Rank} {ranked.Value.Value}"),
        ["interval join"] = (stream, topology, name) => Name(stream.KeyBy(e => e.Key).IntervalJoin(
            topology.SideOutput(Aside).KeyBy(e => e.Key), Interval.Between(-1.Seconds(), 1.Seconds()), (l, r) => $"{l.Value}+{r.Value}"), name),
        ["window join"] = (stream, topology, name) => Name(stream.KeyBy(e => e.Key).Join(
            topology.SideOutput(Aside).KeyBy(e => e.Key), Tumbling.Of(1.Seconds()), (l, r) => $"{l.Value}+{r.Value}"), name),
        ["tables join"] = (stream, topology, name) => Name(stream.KeyBy(e => e.Key).JoinTables(
            topology.SideOutput(Aside).KeyBy(e => e.Key), (l, r) => $"{l.Value}+{r.Value}"), name),
    };

    public static TheoryData<string> AllKinds => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(AllKinds))]
    public void A_named_operator_finds_its_state_when_others_were_added_before_it(string kind)
    {
        var straight = new TopologyTestDriver(Define(kind, "it", isLonger: false));
        Pipe(straight, 0);
        Pipe(straight, 1);
        straight.Watermark("in", 1_000_000);
        var before = new TopologyTestDriver(Define(kind, "it", isLonger: false));
        Pipe(before, 0);
        var said = before.Read<string>("out").ToList();

        var after = new TopologyTestDriver(Define(kind, "it", isLonger: true), 1, before.Snapshot());
        Pipe(after, 1);
        after.Watermark("in", 1_000_000);
        said.AddRange(after.Read<string>("out"));

        var expected = straight.Read<string>("out");
        Assert.NotEmpty(expected);
        Assert.Equal(expected, said);
    }

    [Theory]
    [MemberData(nameof(AllKinds))]
    public void Without_a_name_state_whose_operator_has_moved_is_refused(string kind)
    {
        var before = new TopologyTestDriver(Define(kind, null, isLonger: false));
        Pipe(before, 0);
        var snapshot = before.Snapshot();

        var failure = Assert.Throws<MillraceException>(() => new TopologyTestDriver(Define(kind, null, isLonger: true), 1, snapshot));

        Assert.Equal(FailureCodes.DataMismatch, failure.Code);
    }

    [Fact]
    public void State_whose_named_operator_is_gone_is_refused_with_the_reason_unless_it_may_be_dropped()
    {
        var before = new TopologyTestDriver(Define("window", "sums", isLonger: false));
        Pipe(before, 0);
        var snapshot = before.Snapshot();

        var failure = Assert.Throws<MillraceException>(() => new TopologyTestDriver(Define("window", "totals", isLonger: false), 1, snapshot));
        var allowing = Define("window", "totals", isLonger: false);
        allowing.AllowsDroppedState = true;
        var dropped = new TopologyTestDriver(allowing, 1, snapshot);
        Pipe(dropped, 1);
        dropped.Watermark("in", 1_000_000);
        var fresh = new TopologyTestDriver(Define("window", "totals", isLonger: false));
        Pipe(fresh, 1);
        fresh.Watermark("in", 1_000_000);

        Assert.Equal(FailureCodes.DataMismatch, failure.Code);
        Assert.Contains("operator 'sums' (sums-window)", failure.Message, StringComparison.Ordinal);
        Assert.Contains("AllowsDroppedState", failure.Message, StringComparison.Ordinal);
        Assert.Equal(fresh.Read<string>("out"), dropped.Read<string>("out"));
        dropped.Snapshot();
        fresh.Snapshot();
        Assert.Equal(fresh.SavedEntries, dropped.SavedEntries);
        Assert.NotNull(new TopologyTestDriver(Define("window", "totals", isLonger: false), 1, dropped.Snapshot()));
    }

    [Fact]
    public void Names_that_are_not_possible_or_used_already_are_refused()
    {
        var topology = new StreamTopology("t");
        var stream = topology.From<Event>("in").Named("source");

        foreach (var wrong in new[] { "", "3", "a b", "-x", new string('x', 101), "source" })
            Assert.Throws<ArgumentException>("name", () => stream.Where(_ => true).Named(wrong));
        Assert.Throws<ArgumentException>("name", () => stream.Named("again"));
        Assert.Contains("source in 'source'", topology.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_named_topic_in_between_and_its_stage_have_the_name_whatever_lies_before()
    {
        var topology = new StreamTopology("t");
        topology.From<Event>("in").Where(_ => true).KeyBy(e => e.Key, partitioning: Partitioning.ThroughTopic, name: "by-key")
            .Deduplicate(1.Minutes()).To("out", new OutputOptions<Event> { Name = "written" });
        using var running = new RunningTopology(topology);

        Assert.Equal(["t", "t-by-key"], running.Processors.Select(processor => processor.Name));
        Assert.Equal(["t-by-key-repartition"], running.Processors[1].Topics);
    }

    [Fact]
    public async Task A_topology_that_has_grown_goes_on_on_the_runtime_with_its_windows_and_the_numbers_of_its_events()
    {
        await using var rig = await StreamsRig.OpenAsync(new FolderHost(), 1, ["in", "out"], TestContext.Current.CancellationToken);
        await rig.AppendAsync("in", ("a", 1, 1_000), ("a", 2, 2_100));
        await rig.RunAsync(Grow(isLonger: false));
        await rig.AppendAsync("in", ("a", 4, 3_500), ("a", 8, 9_000));
        await rig.RunAsync(Grow(isLonger: true));

        Assert.Equal(["a 1 [0, 2000) is 0", "a 6 [2000, 4000) is 1"], (await rig.ValuesAsync("out")).Select(value => value.Replace(
            $"{rig.Name("topology")}-written-0-", "", StringComparison.Ordinal)));

        StreamTopology Grow(bool isLonger)
        {
            var topology = rig.Topology();
            var readings = topology.From<Reading>(rig.Name("in")).Named("readings");
            if (isLonger) readings = readings.Where(_ => true).Select(reading => reading).Where(_ => true);
            readings.KeyBy(reading => reading.Key).Window(Tumbling.Of(2.Seconds())).Sum(reading => reading.Value).Named("sums")
                .Select(Text).To(rig.Name("out"), new OutputOptions<string> { Name = "written", Codec = new Numbered() });
            return topology;
        }
    }

    /// <summary>Text with the record's id behind it.</summary>
    private sealed class Numbered : RecordCodec<string>
    {
        public override bool TryRead(in Record record, out string value, out long timestamp, out string reason) => throw new NotSupportedException();

        public override void Write(string value, in OutgoingRecord record, RecordBatchBuilder target) =>
            target.Add(record.Timestamp, record.Key, System.Text.Encoding.UTF8.GetBytes($"{value} is {record.Id}"));
    }

    private static string Text(Windowed<string, long> sum) => $"{sum.Key} {sum.Value} {sum.Window}";

    private static DataStream<T> Name<T>(DataStream<T> stream, string? name) => name is null ? stream : stream.Named(name);

    /// <summary>Odd values also come by a side output, which joins have on their other side.</summary>
    private static StreamTopology Define(string kind, string? name, bool isLonger)
    {
        var topology = new StreamTopology("named");
        var stream = topology.From<Event>("in");
        if (isLonger) stream = stream.Where(_ => true).Select(e => e).Where(_ => true);
        stream = stream.Split(Aside, e => e.Value % 2 == 1);
        Name(topology.SideOutput(Aside), name is null ? null : "odd");
        Kinds[kind](stream, topology, name).To("out");
        return topology;
    }

    private static void Pipe(TopologyTestDriver driver, int part)
    {
        for (var i = 0; i < 10; i++)
        {
            var number = part * 10 + i;
            driver.Pipe("in", new Event($"k{number % 3}", number), 1_000 + 170 * number);
        }
    }
}

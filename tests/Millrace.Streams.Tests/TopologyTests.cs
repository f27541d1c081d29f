using System.Buffers;
using System.Text;

namespace Millrace.Streams.Tests;

/// <summary>
/// Operators without windows, descriptions, idle sources, and state over restarts and versions: C16 and C17 where they apply.
/// </summary>
public sealed class TopologyTests
{
    private static readonly OutputTag<int> Odd = new("odd");
    private static readonly OutputTag<Event> Keyless = new("keyless");

    [Fact]
    public void Operators_keep_the_event_time_and_the_order_of_records()
    {
        var topology = new StreamTopology("chain");
        var numbers = topology.From<int>("numbers").Where(n => n > 1).Split(Odd, n => n % 2 == 1);
        numbers.Select(n => $"{n}").SelectMany<string>((text, say) =>
        {
            say(text);
            say(text + text);
        }).To("texts");
        topology.SideOutput(Odd).Select(n => n * 10).To("tens");
        var driver = new TopologyTestDriver(topology);

        for (var n = 1; n <= 4; n++) driver.Pipe("numbers", n, n * 100);

        Assert.Equal([new("2", 200), new("22", 200), new("4", 400), new("44", 400)], driver.Read<string>("texts"));
        Assert.Equal([new Timed<int>(30, 300)], driver.Read<int>("tens"));
        Assert.Equal([new Timed<int>(3, 300)], driver.Read(Odd));
        Assert.Empty(driver.Read<string>("texts"));
    }

    [Fact]
    public void A_union_has_the_lesser_watermark_until_one_stream_is_idle_for_its_time()
    {
        var topology = new StreamTopology("union");
        var options = new SourceOptions<Event> { IdleAfter = 30.Seconds() };
        topology.From("a", options).Union(topology.From("b", options)).KeyBy(e => e.Key).Window(Tumbling.Of(1.Seconds())).Count().To("out");
        var driver = new TopologyTestDriver(topology);

        driver.Pipe("a", new Event("k", 1), 500);
        driver.Pipe("b", new Event("k", 1), 600);
        driver.Pipe("a", new Event("k", 1), 5000);
        Assert.Empty(driver.Read<Windowed<string, long>>("out"));
        driver.AdvanceProcessingTime(29.Seconds());
        driver.Pipe("a", new Event("k", 1), 5001);
        Assert.Empty(driver.Read<Windowed<string, long>>("out"));
        driver.AdvanceProcessingTime(1.Seconds());

        var result = Assert.Single(driver.Read<Windowed<string, long>>("out"));
        Assert.Equal(new Windowed<string, long>("k", new Window(0, 1000), 2), result.Value);
    }

    [Fact]
    public void A_partition_that_is_behind_holds_the_watermark_back_and_an_idle_one_does_not()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(1.Seconds())), partitions: 2);

        driver.Put("k", 1, 10);
        driver.Watermark(Cases.Source, 2000, partition: 0);
        Assert.Empty(driver.Results());
        driver.SetIdle(Cases.Source, partition: 1);

        Assert.Equal(["k-1@999"], driver.Results());
    }

    [Fact]
    public void C16_A_record_without_a_key_goes_aside_and_is_counted_and_the_others_go_on()
    {
        var topology = new StreamTopology("keys");
        topology.From<Event>("in").KeyBy(e => e.Key, keyless: Keyless).Window(Tumbling.Of(1.Seconds())).Count().To("out");
        var driver = new TopologyTestDriver(topology);

        driver.Pipe("in", new Event(null!, 7), 1);
        driver.Pipe("in", new Event("k", 1), 2);
        driver.Pipe("in", new Event("k", 1), 5000);

        Assert.Equal([new Timed<Event>(new Event(null!, 7), 1)], driver.Read(Keyless));
        Assert.Equal(1, driver.Read<Windowed<string, long>>("out")[0].Value.Value);
        Assert.Equal(1, driver.Operators.Sum(one => one.RecordsKeyless));
    }

    [Fact]
    public void C17_Built_in_codecs_write_the_same_bytes_on_every_machine()
    {
        Assert.Equal("8000000000000001", Hex(StateCodecs.Longs, long.MinValue + 1));
        Assert.Equal("FFFFFFFE", Hex(StateCodecs.Integers, -2));
        Assert.Equal("6BC3A9", Hex(StateCodecs.Texts, "ké"));
        Assert.Throws<EncoderFallbackException>(() => Hex(StateCodecs.Texts, "\ud800"));
    }

    [Fact]
    public void State_of_an_older_version_is_read_by_an_upcaster_and_refused_without_one()
    {
        var old = new TopologyTestDriver(Listing(StateCodecs.Texts));
        old.Put("k", 1, 10);
        var snapshot = old.Snapshot();
        var today = new StateCodec<string>(
            2, (value, output) => Encoding.UTF8.GetBytes("v2:" + value, output), bytes => Encoding.UTF8.GetString(bytes)[3..]);

        var refused = Assert.Throws<MillraceException>(() => new TopologyTestDriver(Listing(today), snapshot: snapshot));
        var driver = new TopologyTestDriver(Listing(today.Upcast(1, bytes => Encoding.UTF8.GetString(bytes))), snapshot: snapshot);
        driver.Put("k", 2, 20);
        driver.Watermark(999);

        Assert.Equal(FailureCodes.UnknownVersion, refused.Code);
        Assert.Contains("holds a String of version 1, and its codec reads 2", refused.Message, StringComparison.Ordinal);
        Assert.Equal("+1+2", Assert.Single(driver.Read<Windowed<string, string>>("out")).Value.Value);
    }

    [Fact]
    public void State_of_other_operators_or_of_another_topology_is_refused()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(1.Seconds())));
        driver.Put("k", 1, 10);
        var snapshot = driver.Snapshot();

        var changed = Assert.Throws<MillraceException>(
            () => new TopologyTestDriver(Cases.Sums(Session.WithGap(1.Seconds())), snapshot: snapshot));
        var other = Assert.Throws<MillraceException>(() => new TopologyTestDriver(new StreamTopology("other"), snapshot: snapshot));

        Assert.Equal(FailureCodes.DataMismatch, changed.Code);
        Assert.Contains("changed places", changed.Message, StringComparison.Ordinal);
        Assert.Contains("'sums', not of 'other'", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void State_whose_keys_have_another_version_is_refused()
    {
        var driver = new TopologyTestDriver(KeyedBy(StateCodecs.Texts));
        driver.Put("k", 1, 0);
        var snapshot = driver.Snapshot();
        var changed = new StateCodec<string>(2, (value, output) => output.Write(Encoding.UTF8.GetBytes(value)), Encoding.UTF8.GetString);

        var failure = Assert.Throws<MillraceException>(() => new TopologyTestDriver(KeyedBy(changed), snapshot: snapshot));

        Assert.Equal(FailureCodes.UnknownVersion, failure.Code);
        Assert.Contains("keys of version 1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stream_that_was_idle_before_a_restart_counts_again_when_it_wakes()
    {
        var topology = new StreamTopology("woken");
        var given = new SourceOptions<Event> { OutOfOrderness = null };
        topology.From<Event>("one", given).Union(topology.From<Event>("other", given)).KeyBy(e => e.Key)
            .Window(Tumbling.Of(10.Milliseconds())).Count().To(Cases.Output);
        var driver = new TopologyTestDriver(topology);
        driver.Watermark("other", 50);
        driver.SetIdle("other");
        driver.Watermark("one", 100);
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());

        driver.Watermark("other", 150);
        driver.Watermark("one", 200);

        Assert.Equal(150, driver.Operators[^1].Watermark);
    }

    [Fact]
    public void State_that_is_gone_is_gone_from_the_snapshot_too()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(1.Seconds())));
        driver.Snapshot();
        driver.Put("a", 1, 10);
        driver.Put("b", 1, 20);
        driver.Snapshot();
        var withTwo = driver.SavedEntries;

        driver.Watermark(5000);
        driver.Snapshot();

        Assert.Equal(withTwo - 2, driver.SavedEntries);
    }

    /// <summary>
    /// Random records and watermarks, with a restart from bytes after each step or not: the results are equal, order included.
    /// </summary>
    [Theory]
    [InlineData("tumbling")]
    [InlineData("hopping")]
    [InlineData("session")]
    public void C14_A_restart_after_every_step_gives_the_results_of_a_run_without_one(string kind)
    {
        WindowAssigner windows = kind switch
        {
            "tumbling" => Tumbling.Of(50.Milliseconds()),
            "hopping" => Hopping.Of(60.Milliseconds(), 20.Milliseconds()),
            _ => Session.WithGap(15.Milliseconds()),
        };
        for (var seed = 0; seed < 100; seed++)
        {
            var expected = Run(windows, seed, restarts: false);
            var actual = Run(windows, seed, restarts: true);

            Assert.True(expected.SequenceEqual(actual), $"seed {seed}: {string.Join(' ', expected)} is not {string.Join(' ', actual)}");
            Assert.NotEmpty(expected);
        }
    }

    [Fact]
    public void A_topology_describes_itself_as_text_and_as_a_flowchart()
    {
        var topology = new StreamTopology("described");
        topology.From<Event>("readings").Where(e => e.Value > 0).KeyBy(e => e.Key)
            .Window(Tumbling.Of(1.Minutes())).LateTo(Keyless).Count().To("counts");

        Assert.Equal(
            """
            topology described
              0: source readings
              1: where <- 0
              2: window tumbling 60000 ms, on time <- 1
              3: side output keyless <- 2
              4: output counts <- 2

            """, topology.Describe());
        Assert.Contains("  n2[\"window tumbling 60000 ms, on time\"]\n", topology.DescribeMermaid(), StringComparison.Ordinal);
        Assert.Contains("  n2 --> n4\n", topology.DescribeMermaid(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_is_refused_with_its_name()
    {
        var topology = new StreamTopology("wrong");
        var stream = topology.From<int>("a");
        stream.To("out");

        Assert.Contains("'a b'", Assert.Throws<ArgumentException>(() => new StreamTopology("a b")).Message, StringComparison.Ordinal);
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => topology.From<int>("a")).Message, StringComparison.Ordinal);
        Assert.Contains("'out'", Assert.Throws<ArgumentException>(() => stream.To("out")).Message, StringComparison.Ordinal);
        Assert.Contains("'odd'", Assert.Throws<ArgumentException>(() =>
        {
            topology.SideOutput(Odd);
            topology.SideOutput(new OutputTag<string>("odd"));
        }).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => stream.Union(new StreamTopology("other").From<int>("b")));
        Assert.Throws<ArgumentException>(() => topology.From("c", new SourceOptions<int> { OutOfOrderness = (-1).Seconds() }));
        Assert.Throws<ArgumentException>(() => topology.From("c", new SourceOptions<int> { IdleAfter = 0.Seconds() }));
        var driver = new TopologyTestDriver(topology);
        Assert.Throws<ArgumentException>(() => driver.Pipe("b", 1, 0));
        Assert.Throws<ArgumentException>(() => driver.Pipe("a", "text", 0));
        Assert.Throws<ArgumentException>(() => driver.Pipe("a", 1, 0, partition: 1));
        Assert.Throws<ArgumentException>(() => driver.Read<string>("out"));
    }

    private static StreamTopology KeyedBy(StateCodec<string> codec)
    {
        var topology = new StreamTopology("keyed");
        topology.From<Event>(Cases.Source).KeyBy(e => e.Key, codec).Window(Tumbling.Of(1.Seconds())).Count().To(Cases.Output);
        return topology;
    }

    private static StreamTopology Listing(StateCodec<string> codec)
    {
        var topology = new StreamTopology("listing");
        topology.From<Event>(Cases.Source, new SourceOptions<Event> { OutOfOrderness = null }).KeyBy(e => e.Key)
            .Window(Tumbling.Of(1.Seconds())).Aggregate(new Listing(), codec).To("out");
        return topology;
    }

    private static string[] Run(WindowAssigner windows, int seed, bool restarts)
    {
        var topology = Cases.Sums(windows, w => w.AllowedLateness(10.Milliseconds()), outOfOrderness: 20.Milliseconds());
        var driver = new TopologyTestDriver(topology, partitions: 2);
        var random = new Random(seed);
        var results = new List<string>();
        for (var step = 0; step < 60; step++)
        {
            driver.Pipe(Cases.Source, new Event($"k{random.Next(4)}", step), step * 4 + random.Next(60), partition: random.Next(2));
            results.AddRange(driver.Windows());
            if (restarts) driver = new TopologyTestDriver(topology, partitions: 2, driver.Snapshot());
        }

        for (var partition = 0; partition < 2; partition++) driver.Watermark(Cases.Source, long.MaxValue, partition);
        results.AddRange(driver.Windows());
        return [.. results];
    }

    private static string Hex<T>(StateCodec<T> codec, T value)
    {
        var output = new ArrayBufferWriter<byte>();
        codec.Write(value, output);
        return Convert.ToHexString(output.WrittenSpan);
    }
}

using Millrace.Streams.Tables;

namespace Millrace.Streams.Tests;

/// <summary>Global tables in the driver, and what of them is refused.</summary>
public sealed class GlobalTableTests
{
    [Fact]
    public void A_record_meets_what_the_table_holds_when_it_comes_whatever_its_partition()
    {
        var driver = new TopologyTestDriver(Define(isOuter: false), partitions: 2);

        driver.Pipe("in", new Event("a", 1), 10, partition: 0);
        driver.SetInTable("names", "a", "A");
        driver.Pipe("in", new Event("a", 2), 20, partition: 1);
        driver.SetInTable("names", "a", "A2");
        driver.Pipe("in", new Event("a", 3), 5, partition: 0);
        driver.RemoveFromTable("names", "a");
        driver.Pipe("in", new Event("a", 4), 40, partition: 1);

        Assert.Equal([new("A 2", 20), new("A2 3", 5)], driver.Read<string>("out"));
        Assert.Equal((4L, 2L), (driver.Operators[1].RecordsIn, driver.Operators[1].RecordsOut));
    }

    [Fact]
    public void A_left_join_takes_the_default_where_the_table_has_nothing_and_for_a_record_without_a_key()
    {
        var driver = new TopologyTestDriver(Define(isOuter: true));

        driver.Pipe("in", new Event("a", 1), 10);
        driver.Pipe("in", new Event("", 2), 20);

        Assert.Equal(["? 1", "? 2"], driver.Read<string>("out").Select(one => one.Value));
        Assert.Equal(1, driver.Operators[1].RecordsKeyless);
    }

    [Fact]
    public void A_snapshot_has_nothing_of_a_table_as_no_commit_has()
    {
        var driver = new TopologyTestDriver(Define(isOuter: true));
        driver.SetInTable("names", "a", "A");

        var restored = new TopologyTestDriver(Define(isOuter: true), 1, driver.Snapshot());
        restored.Pipe("in", new Event("a", 1), 10);

        Assert.Equal("? 1", Assert.Single(restored.Read<string>("out")).Value);
    }

    [Fact]
    public void Event_time_passes_a_join_and_the_stream_is_keyed_in_place_behind_it()
    {
        var topology = new StreamTopology("global");
        var names = topology.GlobalTable<string, string>("names");
        topology.From<Event>("in").JoinTable(names, e => e.Key, (e, name) => new Event(name, e.Value))
            .KeyBy(e => e.Key).Window(Tumbling.Of(10.Milliseconds())).Sum(e => e.Value).To("out");
        var driver = new TopologyTestDriver(topology);
        driver.SetInTable("names", "a", "A");

        driver.Pipe("in", new Event("a", 1), 5);
        driver.Pipe("in", new Event("unknown", 1), 10);

        Assert.Equal(1, Assert.Single(driver.Read<Windowed<string, long>>("out")).Value.Value);
        Assert.DoesNotContain("repartition", topology.Describe(), StringComparison.Ordinal);
        Assert.Contains("global table join names", topology.Describe(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_a_global_table_is_refused_with_its_name_and_value()
    {
        var topology = new StreamTopology("global");
        topology.From<Event>("in");
        var names = topology.GlobalTable<string, string>("names");
        var other = new StreamTopology("other").From<Event>("in");

        var failures = new Action[]
        {
            () => topology.GlobalTable<string, string>("in"),
            () => topology.GlobalTable<string, string>("names"),
            () => topology.From<string>("names"),
            () => topology.GlobalTable<string, string>("no such name"),
            () => topology.GlobalTable("t", new GlobalTableOptions<string, string> { EntriesMax = 0 }),
            () => topology.GlobalTable<DateOnly, string>("t"),
            () => other.JoinTable(names, e => e.Key, (e, name) => name),
        }.Select(action => Assert.Throws<ArgumentException>(action).Message).ToList();

        Assert.Contains("'in'", failures[0], StringComparison.Ordinal);
        Assert.Contains("0 entries", failures[4], StringComparison.Ordinal);
        Assert.Contains("DateOnly", failures[5], StringComparison.Ordinal);
        Assert.Contains("'global'", failures[6], StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_takes_no_more_entries_than_its_limit_but_changes_those_it_has()
    {
        var topology = new StreamTopology("global");
        var numbers = topology.GlobalTable("numbers", new GlobalTableOptions<long, string> { EntriesMax = 2 });
        topology.From<Event>("in").JoinTable(numbers, e => e.Value, (e, text) => text).To("out");
        var driver = new TopologyTestDriver(topology);
        driver.SetInTable("numbers", 1L, "one");
        driver.SetInTable("numbers", 2L, "two");
        driver.SetInTable("numbers", 2L, "deux");

        var failure = Assert.Throws<MillraceException>(() => driver.SetInTable("numbers", 3L, "three"));
        driver.RemoveFromTable("numbers", 1L);
        driver.SetInTable("numbers", 3L, "three");

        Assert.Equal(FailureCodes.TooLarge, failure.Code);
        Assert.Throws<ArgumentException>(() => driver.SetInTable("numbers", "1", "one"));
        Assert.Throws<ArgumentException>(() => driver.RemoveFromTable("numbers", "1"));
    }

    [Fact]
    public void A_topic_that_is_read_anew_keeps_what_was_there_until_the_end_and_then_what_it_brought()
    {
        var table = (TableCopy<string, string>)new StreamTopology("global").GlobalTable<string, string>("names").Definition.Open(() => { });
        Read(("a", "A"), ("b", "B")).Complete();
        var again = Read(("b", "B2"), ("c", "C"));
        var meanwhile = table.TryGet("a", out var stillThere) ? stillThere : null;
        again.Complete();

        Assert.Equal("A", meanwhile);
        Assert.False(table.TryGet("a", out _));
        Assert.True(table.TryGet("b", out var kept));
        Assert.Equal(("B2", 2), (kept, table.Entries));

        GlobalTopicIntake Read(params (string Key, string Value)[] entries)
        {
            var reading = table.Begin();
            foreach (var (key, value) in entries) table.Put(key, value);
            return reading;
        }
    }

    private static StreamTopology Define(bool isOuter)
    {
        var topology = new StreamTopology("global");
        var names = topology.GlobalTable<string, string>("names");
        var events = topology.From<Event>("in");
        var joined = isOuter
            ? events.LeftJoinTable(names, e => e.Key.Length == 0 ? null : e.Key, (e, name) => $"{name ?? "?"} {e.Value}")
            : events.JoinTable(names, e => e.Key, (e, name) => $"{name} {e.Value}");
        joined.To("out");
        return topology;
    }
}

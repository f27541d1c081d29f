namespace Millrace.Streams.Tests;

/// <summary>Windows of fixed places: the cases C1, C2, C3, C10, C11 and C15.</summary>
public sealed class WindowTests
{
    private static readonly OutputTag<Event> Late = new("late");

    [Fact]
    public void C1_A_tumbling_window_fires_at_its_last_millisecond_and_then_takes_nothing_more()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(2.Seconds())));

        driver.Put("k2", 1, 1000);
        driver.Watermark(1985);
        Assert.Empty(driver.Results());
        driver.Put("k2", 1, 1980);
        driver.Watermark(1998);
        Assert.Empty(driver.Results());
        driver.Watermark(1999);
        Assert.Equal(["k2-2@1999"], driver.Results());
        driver.Put("k2", 1, 1998);
        driver.Put("k2", 1, 2001);
        driver.Watermark(2999);
        Assert.Empty(driver.Results());
        driver.Watermark(3999);
        Assert.Equal(["k2-1@3999"], driver.Results());
        Assert.Equal(1, driver.Operators[1].RecordsLate);
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C2_A_record_within_the_allowed_lateness_fires_at_once_and_one_after_it_goes_aside()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(2.Seconds()), w => w.AllowedLateness(500.Milliseconds()).LateTo(Late)));

        driver.Put("k", 1, 500);
        driver.Watermark(1999);
        Assert.Equal(["k-1@1999"], driver.Results());
        driver.Put("k", 1, 1500);
        Assert.Equal(["k-2@1999"], driver.Results());
        driver.Watermark(2498);
        driver.Put("k", 1, 1600);
        Assert.Equal(["k-3@1999"], driver.Results());
        Assert.Equal(1, driver.StateEntries);
        driver.Watermark(2499);
        Assert.Equal(0, driver.StateEntries);
        driver.Put("k", 1, 1700);

        Assert.Empty(driver.Results());
        Assert.Equal([new Timed<Event>(new Event("k", 1), 1700)], driver.Read(Late));
        Assert.Equal(0, driver.StateEntries);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C3_A_late_record_is_dropped_only_from_the_windows_that_are_closed(bool restarts)
    {
        var topology = Cases.Sums(Hopping.Of(3.Seconds(), 1.Seconds()));
        var driver = new TopologyTestDriver(topology);

        driver.Put("k2", 1, 1000);
        driver.Watermark(1999);
        // At 999 the window from -2000 has ended, and does not hold the record.
        Assert.Equal(["k2-1@1999"], driver.Results());
        driver.Put("k2", 1, 2000);
        driver.Watermark(3000);
        Assert.Equal(["k2-2@2999"], driver.Results());
        driver.Put("k1", 1, 3001);
        driver.Put("k2", 1, 2400, 2400);
        if (restarts) driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("k1", 1, 3001);
        driver.Put("k2", 1, 3900);
        driver.Watermark(6000);
        Assert.Equal(
            ["k1-2@3999", "k1-2@4999", "k1-2@5999", "k2-1@5999", "k2-4@4999", "k2-5@3999"], driver.Results().Order(StringComparer.Ordinal));
        driver.Put("k1", 1, 3001);
        driver.Watermark(25000);
        Assert.Empty(driver.Results());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C10_Records_are_dropped_from_expired_windows_and_kept_in_the_others()
    {
        var driver = Hopped(Trigger.OnUpdate);

        Assert.Equal(
            ["[95, 105)+100", "[100, 110)+100", "[5, 15)+5", "[5, 15)+5+6", "[100, 110)+100+105", "[105, 115)+105",
                "[100, 110)+100+105+106",
                "[105, 115)+105+106"],
            Listed(driver));
        // Kafka Streams counts seven for [0, 10). Here windows before 0 exist as well, and records 0 to 4 are late for [-5, 5), too.
        Assert.Equal(7 + 5, driver.Operators[1].WindowsLate);
        Assert.Equal(5, driver.Operators[1].RecordsLate);
    }

    [Fact]
    public void C10_The_final_result_is_said_when_the_grace_has_passed()
    {
        var driver = Hopped(Trigger.OnClose);

        Assert.Equal(["[5, 15)+5+6"], Listed(driver));
    }

    [Fact]
    public void C11_Updates_are_said_with_every_record()
    {
        var driver = Graced(Trigger.OnUpdate);

        Assert.Equal(["k-1 [0, 2)", "k-2 [0, 2)", "k-1 [2, 4)", "k-3 [0, 2)", "k-4 [0, 2)", "k-1 [4, 6)"], driver.Windows());
        Assert.Equal(1, driver.Operators[1].RecordsLate);
    }

    [Fact]
    public void C11_A_final_result_is_said_once()
    {
        var driver = Graced(Trigger.OnClose);

        Assert.Equal(["k-4 [0, 2)", "k-1 [2, 4)"], driver.Windows());
        Assert.Equal(1, driver.StateEntries);
    }

    [Fact]
    public void C15_A_window_near_the_end_of_time_with_lateness_does_not_wrap()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Tumbling.Of(1.Seconds()), w => w.AllowedLateness(2.Seconds()).LateTo(Late)));
        const long timestamp = long.MaxValue - 1750;
        var end = Assert.Single(Tumbling.Of(1.Seconds()).Of(timestamp)).MaxTimestamp;

        driver.Watermark(long.MaxValue - 1500 - 1000);
        driver.Put("k", 1, timestamp);
        Assert.Empty(driver.Read(Late));
        driver.Watermark(long.MaxValue - 1500 < end ? long.MaxValue - 1500 : end - 1);
        Assert.Empty(driver.Results());
        Assert.Equal(1, driver.StateEntries);
        driver.Watermark(end);
        Assert.Equal([$"k-1@{end}"], driver.Results());
        driver.Watermark(long.MaxValue);
        Assert.Empty(driver.Results());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void A_count_trigger_on_the_global_window_fires_with_every_third_record_of_a_key_over_a_restart()
    {
        var topology = Cases.Sums(GlobalWindow.All, w => w.TriggeredBy(Trigger.Count(3, isPurging: true)));
        var driver = new TopologyTestDriver(topology);

        driver.Put("a", 1, 1, 2);
        driver.Put("b", 1, 3);
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("a", 5, 4);
        driver.Put("a", 1, 5, 6, 7);

        Assert.Equal(["a-7", "a-3"], driver.Results().Select(r => r[..3]));
    }

    [Fact]
    public void A_global_window_without_a_trigger_and_retractions_of_other_windows_than_sessions_are_refused()
    {
        Assert.Throws<InvalidOperationException>(() => Cases.Sums(GlobalWindow.All));
        Assert.Throws<InvalidOperationException>(() => Cases.Sums(Tumbling.Of(1.Seconds()), w => w.Retracting()));
        Assert.Throws<ArgumentOutOfRangeException>("lateness",
            () => Cases.Sums(Tumbling.Of(1.Seconds()), w => w.AllowedLateness((-1).Seconds())));
        Assert.Throws<ArgumentOutOfRangeException>("count", () => Trigger.Count(0));
    }

    [Fact]
    public void What_a_trigger_forgot_at_the_end_of_a_window_is_forgotten_after_a_restart()
    {
        var topology = Cases.Sums(Tumbling.Of(2.Seconds()), w => w.AllowedLateness(1.Seconds()).TriggeredBy(new PurgingTrigger()));
        var driver = new TopologyTestDriver(topology);

        driver.Put("k", 1, 500);
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Watermark(1999);
        Assert.Equal(["k-1@1999"], driver.Results());
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("k", 5, 600);
        driver.Watermark(2999);

        Assert.Equal(["k-5@1999"], driver.Results());
    }

    private static TopologyTestDriver Graced(Trigger trigger)
    {
        var driver = new TopologyTestDriver(
            Cases.Sums(Tumbling.Of(2.Milliseconds()), w => w.AllowedLateness(1.Milliseconds()).TriggeredBy(trigger), TimeSpan.Zero));
        driver.Put("k", 1, 0, 1, 2, 1, 0, 5, 0);
        return driver;
    }

    private static TopologyTestDriver Hopped(Trigger trigger)
    {
        var topology = new StreamTopology("hopped");
        topology.From<Event>(Cases.Source).KeyBy(e => e.Key).Window(Hopping.Of(10.Milliseconds(), 5.Milliseconds()))
            .AllowedLateness(90.Milliseconds()).TriggeredBy(trigger).Aggregate(new Listing()).To(Cases.Output);
        var driver = new TopologyTestDriver(topology);
        foreach (var timestamp in new long[] { 100, 0, 1, 2, 3, 4, 5, 6, 105, 106 }) driver.Put("k", timestamp, timestamp);
        return driver;
    }

    private static string[] Listed(TopologyTestDriver driver) =>
        [.. driver.Read<Windowed<string, string>>(Cases.Output).Select(r => $"{r.Value.Window}{r.Value.Value}")];

    /// <summary>Says what came until the end, and at the close only what came after it.</summary>
    private sealed class PurgingTrigger : Trigger
    {
        public override TriggerActions OnRecord(Window window, long timestamp, long watermark, ref long state) => TriggerActions.None;

        public override TriggerActions OnEnd(Window window, ref long state) => TriggerActions.FireAndPurge;

        public override TriggerActions OnClosing(Window window, ref long state) => TriggerActions.Fire;
    }
}

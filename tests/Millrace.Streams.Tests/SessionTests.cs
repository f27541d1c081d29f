namespace Millrace.Streams.Tests;

/// <summary>Sessions: the cases C5, C6, C7 and C8.</summary>
public sealed class SessionTests
{
    private static readonly OutputTag<Event> Late = new("late");

    [Fact]
    public void C5_Sessions_merge_out_of_order_and_over_a_restart()
    {
        var topology = Cases.Sums(Session.WithGap(3.Seconds()));
        var driver = new TopologyTestDriver(topology);

        driver.Put("k2", 1, 0);
        driver.Put("k2", 2, 1000);
        driver.Put("k2", 3, 2500);
        driver.Put("k1", 1, 10);
        driver.Put("k1", 2, 1000);
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("k1", 3, 2500);
        driver.Put("k2", 4, 5501);
        driver.Put("k2", 5, 6000, 6000);
        driver.Put("k2", 6, 6050);
        driver.Watermark(12000);
        Assert.Equal(
            ["k1-6 [10, 5500)", "k2-20 [5501, 9050)", "k2-6 [0, 5500)"], driver.Windows().Order(StringComparer.Ordinal));
        driver.Put("k2", 10, 15000);
        driver.Put("k2", 20, 15000);
        driver.Watermark(17999);
        Assert.Equal(["k2-30 [15000, 18000)"], driver.Windows());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void C6_A_record_that_looks_late_is_saved_by_a_live_session_and_one_that_bridges_two_makes_them_one()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Session.WithGap(3.Seconds()), w => w.LateTo(Late)));

        driver.Put("k", 1, 1000);
        driver.Watermark(1999);
        driver.Put("k", 1, 2000);
        driver.Watermark(4998);
        driver.Put("k", 1, 4500, 8500);
        Assert.Equal(2, driver.StateEntries);
        driver.Watermark(7400);
        driver.Put("k", 1, 7000);
        Assert.Equal(1, driver.StateEntries);
        driver.Watermark(11501);
        Assert.Equal(["k-5 [1000, 11500)"], driver.Windows());
        driver.Put("k", 1, 11600);
        driver.Watermark(14600);
        Assert.Equal(["k-1 [11600, 14600)"], driver.Windows());
        driver.Put("k", 1, 10000, 10100);
        Assert.Equal([10000, 10100], driver.Read(Late).Select(late => late.Timestamp));
        driver.Put("k", 1, 14500);
        driver.Watermark(20000);
        Assert.Equal(["k-1 [14500, 17500)"], driver.Windows());
        Assert.Equal(0, driver.StateEntries);
    }

    [Fact]
    public void Records_exactly_a_gap_apart_share_a_session_and_a_millisecond_more_parts_them()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Session.WithGap(3.Seconds())));

        driver.Put("k", 1, 0, 3000, 6001);
        driver.Watermark(long.MaxValue);

        Assert.Equal(["k-2 [0, 6000)", "k-1 [6001, 9001)"], driver.Windows());
    }

    [Fact]
    public void C7_A_record_between_two_sessions_makes_one_of_them_and_takes_both_results_back()
    {
        var driver = new TopologyTestDriver(
            Cases.Sums(Session.WithGap(300_000.Milliseconds()), w => w.TriggeredBy(Trigger.OnUpdate).Retracting()));

        driver.Put("k", 1, 0, 300_001, 150_000);

        Assert.Equal(
            ["k-1 [0, 300000)", "k-1 [300001, 600001)", "-k-1 [0, 300000)", "-k-1 [300001, 600001)", "k-3 [0, 600001)"], driver.Windows());
        Assert.Equal(1, driver.StateEntries);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void C7_A_session_that_grows_takes_its_result_back_first_also_after_a_restart(bool restarts)
    {
        var topology = Cases.Sums(Session.WithGap(10.Milliseconds()), w => w.TriggeredBy(Trigger.OnUpdate).Retracting());
        var driver = new TopologyTestDriver(topology);

        driver.Put("k", 1, 0);
        Assert.Equal(["k-1 [0, 10)"], driver.Windows());
        if (restarts) driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("k", 1, 5);

        Assert.Equal(["-k-1 [0, 10)", "k-2 [0, 15)"], driver.Windows());
    }

    /// <summary>
    /// The edges are those of the one rule for lateness: late iff maxTs + lateness &lt;= WM, with a session's end excluded. Kafka Streams,
    /// whose
    /// session ends with its last record, keeps a record a millisecond longer when there is grace.
    /// </summary>
    [Theory]
    [InlineData(0, 8, false)]
    [InlineData(0, 9, true)]
    [InlineData(0, 10, true)]
    [InlineData(1, 9, false)]
    [InlineData(1, 10, true)]
    public void C7_A_session_is_late_when_its_end_and_the_grace_have_passed(int lateness, long watermark, bool isLate)
    {
        var driver = new TopologyTestDriver(
            Cases.Sums(Session.WithGap(10.Milliseconds()), w => w.AllowedLateness(lateness.Milliseconds()).LateTo(Late)));

        driver.Watermark(watermark);
        driver.Put("k", 1, 0);

        Assert.Equal(isLate ? 1 : 0, driver.Read(Late).Count);
    }

    [Fact]
    public void C8_A_count_trigger_counts_over_sessions_that_merge()
    {
        var topology = Cases.Sums(Session.WithGap(3.Seconds()), w => w.TriggeredBy(Trigger.Count(4, isPurging: true)));
        var driver = new TopologyTestDriver(topology);

        driver.Put("k2", 1, 0);
        driver.Put("k2", 2, 1000);
        driver.Put("k2", 3, 2500);
        driver.Put("k2", 4, 3500);
        Assert.Equal(["k2-10 [0, 6500)"], driver.Windows());
        driver.Put("k1", 1, 10);
        driver.Put("k1", 2, 1000);
        driver = new TopologyTestDriver(topology, snapshot: driver.Snapshot());
        driver.Put("k1", 3, 2500);
        driver.Put("k1", 1, 6000);
        driver.Put("k1", 2, 6500);
        driver.Put("k1", 3, 7000);
        Assert.Empty(driver.Windows());
        driver.Put("k1", 10, 4500);
        Assert.Equal(["k1-22 [10, 10000)"], driver.Windows());
    }

    [Fact]
    public void A_count_trigger_has_counted_the_records_of_both_sessions_that_merge()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Session.WithGap(3.Seconds()), w => w.TriggeredBy(Trigger.Count(4))));

        driver.Put("k", 1, 0, 6000, 6500);
        Assert.Empty(driver.Windows());
        driver.Put("k", 1, 3000);

        Assert.Equal(["k-4 [0, 9500)"], driver.Windows());
    }

    [Fact]
    public void A_session_that_ended_and_grows_within_its_lateness_ends_again_before_its_first_close()
    {
        var driver = new TopologyTestDriver(Cases.Sums(Session.WithGap(100.Milliseconds()), w => w.AllowedLateness(500.Milliseconds())));

        driver.Put("k", 1, 0);
        driver.Watermark(120);
        Assert.Equal(["k-1 [0, 100)"], driver.Windows());
        driver.Put("k", 1, 90);
        Assert.Empty(driver.Windows());
        driver.Watermark(189);
        Assert.Equal(["k-2 [0, 190)"], driver.Windows());
        driver.Watermark(688);
        Assert.Equal(1, driver.StateEntries);
        driver.Watermark(689);
        Assert.Equal(0, driver.StateEntries);
        Assert.Empty(driver.Windows());
    }
}

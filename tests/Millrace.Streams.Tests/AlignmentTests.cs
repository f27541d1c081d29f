using Millrace.Streams.Running;

namespace Millrace.Streams.Tests;

/// <summary>Who is held, and by whom.</summary>
public sealed class AlignmentTests
{
    private readonly AlignmentGroup _group = new();

    [Fact]
    public void One_that_is_further_ahead_than_its_drift_is_held_until_the_least_has_come_closer()
    {
        Assert.Null(_group.Report("slow", 1_000, true, 500));
        Assert.Null(_group.Report("fast", 1_500, true, 500));
        var hold = _group.Report("fast", 1_501, true, 500);
        _group.Report("slow", 1_000, true, 500);
        var isHeldStill = !hold!.IsCompleted;
        _group.Report("slow", 1_001, true, 500);

        Assert.True(isHeldStill);
        Assert.True(hold.IsCompletedSuccessfully);
        Assert.Null(_group.Report("fast", 1_501, true, 500));
    }

    [Fact]
    public void One_that_has_no_watermark_yet_holds_the_others_until_it_is_idle()
    {
        _group.Report("silent", long.MinValue, true, 500);
        var hold = _group.Report("fast", 1_000, true, 500);
        var isHeld = !hold!.IsCompleted;
        _group.Report("silent", long.MinValue, false, 500);

        Assert.True(isHeld);
        Assert.True(hold.IsCompletedSuccessfully);
    }

    [Fact]
    public void One_that_leaves_holds_nobody_and_is_not_held_itself()
    {
        _group.Report("slow", 0, true, 500);
        var hold = _group.Report("fast", 1_000, true, 500);
        var own = _group.Report("faster", 2_000, true, 500);
        _group.Leave("faster");
        var (isHeld, isGone) = (!hold!.IsCompleted, own!.IsCompleted);
        _group.Leave("slow");

        Assert.True(isHeld && isGone);
        Assert.True(hold.IsCompletedSuccessfully);
    }

    [Fact]
    public void The_ends_of_time_do_not_go_round()
    {
        _group.Report("ended", long.MaxValue, true, 500);
        Assert.Null(_group.Report("fast", long.MaxValue - 1, true, 500));

        Assert.Null(_group.Report("late", long.MinValue + 1, true, long.MaxValue));
    }

    [Fact]
    public void An_alignment_without_a_name_or_with_a_negative_drift_is_refused()
    {
        var topology = new StreamTopology("t");

        foreach (var wrong in new[] { new WatermarkAlignment(" ", 1.Seconds()), new WatermarkAlignment("g", -1.Seconds()) })
        {
            var failure = Assert.Throws<ArgumentException>(() => topology.From<Event>("in", new SourceOptions<Event> { Alignment = wrong }));
            Assert.Contains("'in'", failure.Message, StringComparison.Ordinal);
        }
    }
}

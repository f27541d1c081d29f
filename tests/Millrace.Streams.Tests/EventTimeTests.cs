using System.Globalization;

namespace Millrace.Streams.Tests;

/// <summary>Watermarks, the assignment of windows, and arithmetic on time: the cases C4, C9 and C15.</summary>
public sealed class EventTimeTests
{
    [Theory]
    [InlineData(0, 0, new long[] { -4000, -3000, -2000, -1000, 0 })]
    [InlineData(0, 4999, new long[] { 0, 1000, 2000, 3000, 4000 })]
    [InlineData(0, 5000, new long[] { 1000, 2000, 3000, 4000, 5000 })]
    [InlineData(100, 5099, new long[] { 100, 1100, 2100, 3100, 4100 })]
    [InlineData(100, 5100, new long[] { 1100, 2100, 3100, 4100, 5100 })]
    [InlineData(-100, 4899, new long[] { -100, 900, 1900, 2900, 3900 })]
    [InlineData(-100, 4900, new long[] { 900, 1900, 2900, 3900, 4900 })]
    public void C4_Hopping_windows_are_assigned_also_around_zero_and_by_an_offset(int offset, long timestamp, long[] starts)
    {
        var windows = Hopping.Of(5.Seconds(), 1.Seconds(), offset.Milliseconds()).Of(timestamp);

        Assert.Equal(starts.Select(start => new Window(start, start + 5000)), windows);
    }

    [Fact]
    public void C4_A_size_a_slide_or_an_offset_out_of_its_limits_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("size", () => Tumbling.Of(0.Seconds()));
        Assert.Throws<ArgumentOutOfRangeException>("size", () => Hopping.Of((-1).Seconds(), 1.Seconds()));
        Assert.Throws<ArgumentOutOfRangeException>("slide", () => Hopping.Of(5.Seconds(), 0.Seconds()));
        Assert.Throws<ArgumentOutOfRangeException>("offset", () => Hopping.Of(5.Seconds(), 1.Seconds(), 1.Seconds()));
        Assert.Throws<ArgumentOutOfRangeException>("offset", () => Hopping.Of(5.Seconds(), 1.Seconds(), (-1).Seconds()));
        Assert.Throws<ArgumentOutOfRangeException>("gap", () => Session.WithGap(0.Seconds()));
    }

    [Fact]
    public void A_record_between_windows_is_in_none()
    {
        var windows = Hopping.Of(2.Seconds(), 5.Seconds());

        Assert.Equal([new Window(5000, 7000)], windows.Of(6999));
        Assert.Empty(windows.Of(7000));
    }

    [Fact]
    public void C9_The_watermark_is_the_least_of_the_channels_that_are_not_idle()
    {
        var watermark = new WatermarkCombiner(3);

        Assert.False(watermark.Advance(0, 15));
        Assert.False(watermark.Advance(1, 10));
        Assert.True(watermark.SetIdle(2));
        Assert.Equal(10, watermark.Current);
        Assert.True(watermark.Advance(1, 18));
        Assert.Equal(15, watermark.Current);
        Assert.True(watermark.Advance(0, 20));
        Assert.Equal(18, watermark.Current);
        Assert.False(watermark.Advance(0, 19), "a watermark that goes back says nothing");
        Assert.Equal(20, watermark.WatermarkOf(0));
    }

    [Fact]
    public void C9_A_channel_that_resumes_behind_the_watermark_counts_when_it_has_caught_up()
    {
        var watermark = Combined(10, 7, 3);

        Assert.Equal(3, watermark.Current);
        Assert.True(watermark.SetIdle(2));
        Assert.Equal(7, watermark.Current);
        watermark.SetActive(2);
        Assert.Equal(7, watermark.Current);
        Assert.False(watermark.Advance(2, 5));
        Assert.False(watermark.Advance(2, 9));
        Assert.True(watermark.Advance(1, 12));
        Assert.Equal(9, watermark.Current);
    }

    [Fact]
    public void C9_A_channel_that_resumes_behind_the_watermark_does_not_hold_the_others_back_meanwhile()
    {
        var watermark = Combined(10, 7, 3);

        watermark.SetIdle(2);
        watermark.SetActive(2);
        watermark.Advance(2, 5);

        Assert.True(watermark.Advance(1, 12));
        Assert.Equal(10, watermark.Current);
    }

    [Fact]
    public void C9_When_all_become_idle_the_greatest_watermark_is_passed_on()
    {
        var watermark = Combined(10, 5, 3);

        Assert.False(watermark.SetIdle(0));
        Assert.False(watermark.SetIdle(1));
        Assert.False(watermark.IsIdle);
        Assert.True(watermark.SetIdle(2));
        Assert.Equal(10, watermark.Current);
        Assert.True(watermark.IsIdle);
    }

    [Fact]
    public void C9_The_end_of_time_is_never_said_while_the_only_active_channel_has_not_caught_up()
    {
        var watermark = Combined(10, 5);
        watermark.SetIdle(1);

        watermark.SetActive(1);
        watermark.SetIdle(0);

        Assert.Equal(10, watermark.Current);
        Assert.False(watermark.Advance(1, 7));
        Assert.Equal(10, watermark.Current);
        Assert.True(watermark.Advance(1, 11));
        Assert.Equal(11, watermark.Current);
    }

    [Fact]
    public void C9_A_watermark_on_an_idle_channel_is_ignored()
    {
        var watermark = Combined(10, 5);
        watermark.SetIdle(1);

        Assert.False(watermark.Advance(1, 99));

        Assert.Equal(5, watermark.WatermarkOf(1));
        Assert.Equal(10, watermark.Current);
    }

    [Fact]
    public void A_partition_watermark_stays_a_bound_and_a_millisecond_behind_the_greatest_event_time()
    {
        var watermark = new BoundedOutOfOrderness(100.Milliseconds());

        Assert.Equal(long.MinValue, watermark.Current);
        watermark.Observe(1000);
        watermark.Observe(500);

        Assert.Equal(899, watermark.Current);
        Assert.Throws<ArgumentOutOfRangeException>("bound", () => new BoundedOutOfOrderness((-1).Milliseconds()));
    }

    [Theory]
    [InlineData("2026-03-28T12:00:00Z", 24, 1774652400000)]
    [InlineData("2026-03-29T12:00:00Z", 23, 1774738800000)]
    [InlineData("2026-10-25T12:00:00Z", 25, 1792879200000)]
    public void C15_A_calendar_day_has_the_hours_of_its_zone(string instant, int hours, long start)
    {
        var day = Assert.Single(CalendarDay.In(TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin")).Of(At(instant)));

        Assert.Equal(new Window(start, start + hours * 3_600_000L), day);
    }

    /// <summary>Newfoundland's clocks went from 00:01 back to 23:01: midnight came twice, and an hour of the day showed the date before.</summary>
    [Theory]
    [InlineData("2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z", 24)]
    [InlineData("2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z", 25)]
    [InlineData("2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z", 25)]
    [InlineData("2010-11-08T03:29:59Z", "2010-11-07T02:30:00Z", 25)]
    [InlineData("2010-11-08T03:30:00Z", "2010-11-08T03:30:00Z", 24)]
    public void A_day_begins_at_the_first_of_two_midnights_and_holds_whatever_is_in_it(string instant, string start, int hours)
    {
        var day = Assert.Single(CalendarDay.In(TimeZoneInfo.FindSystemTimeZoneById("America/St_Johns")).Of(At(instant)));

        Assert.Equal(new Window(At(start), At(start) + hours * 3_600_000L), day);
    }

    /// <summary>Zones whose clocks go at midnight or about it, one that left out a whole day, one that moves by half an hour.</summary>
    [Theory]
    [InlineData("America/Scoresbysund")]
    [InlineData("America/St_Johns")]
    [InlineData("America/Sao_Paulo")]
    [InlineData("America/Havana")]
    [InlineData("Europe/Kyiv")]
    [InlineData("Asia/Beirut")]
    [InlineData("Africa/Cairo")]
    [InlineData("Pacific/Apia")]
    [InlineData("Australia/Lord_Howe")]
    public void Days_lie_one_beside_the_other_and_hold_what_is_in_them(string id)
    {
        const long hour = 3_600_000;
        var zone = TimeZoneInfo.FindSystemTimeZoneById(id);
        var days = CalendarDay.In(zone);
        TimeSpan OffsetAt(long time) => zone.GetUtcOffset(DateTimeOffset.FromUnixTimeMilliseconds(time));
        var changes = 0;
        for (var time = 5 * 365 * 24 * hour; time < 67 * 365 * 24 * hour; time += 6 * hour)
        {
            if (OffsetAt(time) == OffsetAt(time + 6 * hour)) continue;
            changes++;
            var day = days.Assign(time - 30 * hour).First;
            for (var near = time - 30 * hour; near < time + 36 * hour; near += hour / 4)
            {
                var found = days.Assign(near).First;
                if (found != day) Assert.Equal(day.End, found.Start);
                Assert.InRange(near, found.Start, found.End - 1);
                Assert.Equal((found, found), (days.Assign(found.Start).First, days.Assign(found.End - 1).First));
                day = found;
            }
        }

        Assert.True(changes > 5);
    }

    [Fact]
    public void Times_that_are_said_to_have_the_same_windows_have_them()
    {
        var random = new Random(15);
        for (var round = 0; round < 2_000; round++)
        {
            var slide = random.Next(1, 50);
            var windows = Hopping.Of(
                random.Next(1, 150).Milliseconds(), slide.Milliseconds(), random.Next(-slide + 1, slide).Milliseconds());
            var timestamp = random.Next(4) switch
            {
                0 => long.MinValue + random.Next(300),
                1 => long.MaxValue - random.Next(300),
                _ => random.Next(-500, 500),
            };
            var same = windows.Assign(timestamp).Times;
            Assert.True(same.End - same.Start <= slide);
            if (timestamp > long.MinValue + 300 && timestamp < long.MaxValue) Assert.InRange(timestamp, same.Start, same.End - 1);
            for (var time = same.Start; time < same.End; time++) Assert.Equal(windows.Of(timestamp), windows.Of(time));
        }
    }

    [Fact]
    public void C15_A_day_of_fixed_length_does_not_follow_the_clocks()
    {
        var days = Tumbling.Of(1.Days(), (-1).Hours());

        Assert.Equal([new Window(1774738800000, 1774825200000)], days.Of(1774738800000));
        Assert.Equal([new Window(1774738800000 - 86_400_000, 1774738800000)], days.Of(1774738799999));
    }

    [Fact]
    public void C15_Windows_at_both_ends_of_time_do_not_wrap()
    {
        var last = Assert.Single(Tumbling.Of(1.Seconds()).Of(long.MaxValue));
        var first = Hopping.Of(5.Seconds(), 1.Seconds()).Of(long.MinValue + 2000);

        Assert.Equal(long.MaxValue, last.End);
        Assert.Equal(long.MaxValue, last.MaxTimestamp);
        Assert.All(first, window => Assert.True(window.Start < window.End && window.Start <= long.MinValue + 2000));
        Assert.Equal(long.MaxValue, Assert.Single(Session.WithGap(1.Seconds()).Of(long.MaxValue - 5)).End);
    }

    [Fact]
    public void Sums_and_differences_stop_at_the_ends_of_time()
    {
        Assert.Equal(long.MaxValue, EventTime.Add(long.MaxValue - 1, 2));
        Assert.Equal(long.MinValue, EventTime.Add(long.MinValue, -1));
        Assert.Equal(long.MinValue, EventTime.Subtract(long.MinValue, 1));
        Assert.Equal(long.MaxValue, EventTime.Subtract(long.MaxValue, -1));
        Assert.Equal(-3, EventTime.Subtract(2, 5));
        Assert.Equal(4, EventTime.FloorMod(-1, 5));
    }

    private static WatermarkCombiner Combined(params long[] watermarks)
    {
        var combiner = new WatermarkCombiner(watermarks.Length);
        for (var channel = 0; channel < watermarks.Length; channel++) combiner.Advance(channel, watermarks[channel]);
        return combiner;
    }

    private static long At(string time) => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
}

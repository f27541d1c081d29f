using System.Text;
using CsCheck;

namespace Millrace.Tests.Events;

public sealed class EventTimeTests
{
    [Theory]
    [InlineData("2026-01-25T10:30:00Z", "2026-01-25T10:30:00.0000000")]
    [InlineData("2026-01-25t10:30:00z", "2026-01-25T10:30:00.0000000")]
    [InlineData("2026-01-25T10:30:00.5Z", "2026-01-25T10:30:00.5000000")]
    [InlineData("2026-01-25T10:30:00.1234567Z", "2026-01-25T10:30:00.1234567")]
    [InlineData("2026-01-25T10:30:00.123456789Z", "2026-01-25T10:30:00.1234567")]
    [InlineData("2026-01-25T12:30:00+02:00", "2026-01-25T10:30:00.0000000")]
    [InlineData("2026-01-25T00:00:00.25-05:30", "2026-01-25T05:30:00.2500000")]
    [InlineData("2026-01-25T10:30:00-00:00", "2026-01-25T10:30:00.0000000")]
    [InlineData("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.0000000")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000")]
    [InlineData("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999")]
    public void A_time_of_RFC_3339_is_read_in_UTC(string text, string utc)
    {
        Assert.True(EventTime.TryRead(Encoding.UTF8.GetBytes(text), out var time));

        Assert.Equal(TimeSpan.Zero, time.Offset);
        Assert.Equal(utc, time.ToString("yyyy-MM-ddTHH:mm:ss.fffffff", null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("2026-01-25")]
    [InlineData("2026-01-25T10:30:00")]
    [InlineData("2026-01-25 10:30:00Z")]
    [InlineData("2026-01-25T10:30Z")]
    [InlineData("2026-01-25T10:30:00.Z")]
    [InlineData("2026-01-25T10:30:00.123")]
    [InlineData("2026-01-25T10:30:00,5Z")]
    [InlineData("2026-01-25T10:30:00+2:00")]
    [InlineData("2026-01-25T10:30:00+0200")]
    [InlineData("2026-01-25T10:30:00+24:00")]
    [InlineData("2026-01-25T10:30:00ZZ")]
    [InlineData("2026-01-25T10:30:00\u001a")]
    [InlineData("2026-00-25T10:30:00Z")]
    [InlineData("2026-13-25T10:30:00Z")]
    [InlineData("2026-02-29T10:30:00Z")]
    [InlineData("2026-01-25T24:00:00Z")]
    [InlineData("2026-01-25T10:60:00Z")]
    [InlineData("2016-12-31T23:59:60Z")]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("0001-01-01T00:00:00+00:01")]
    [InlineData("9999-12-31T23:59:59-00:01")]
    [InlineData("+026-01-25T10:30:00Z")]
    [InlineData("٢٠٢٦-01-25T10:30:00Z")]
    public void What_is_not_one_is_refused(string text) => Assert.False(EventTime.TryRead(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData(0, "2026-01-25T10:30:00Z")]
    [InlineData(5_000_000, "2026-01-25T10:30:00.5Z")]
    [InlineData(1, "2026-01-25T10:30:00.0000001Z")]
    [InlineData(1_230_000, "2026-01-25T10:30:00.123Z")]
    public void A_fraction_is_written_only_when_there_is_one(long ticks, string text) =>
        Assert.Equal(text, Write(Records.Noon.AddTicks(ticks)));

    [Fact]
    public void Every_time_comes_back_exactly() =>
        Gen.Select(Gen.Long[TimeSpan.TicksPerDay, DateTime.MaxValue.Ticks - TimeSpan.TicksPerDay], Gen.Int[-840, 840], Gen.Int[0, 7])
            .Sample((ticks, offsetMinutes, zeros) =>
            {
                var unit = (long)Math.Pow(10, zeros);
                var time = new DateTimeOffset(ticks / unit * unit, TimeSpan.FromMinutes(offsetMinutes));
                return EventTime.TryRead(Encoding.UTF8.GetBytes(Write(time)), out var read) && read.UtcTicks == time.UtcTicks;
            });

    private static string Write(DateTimeOffset time)
    {
        var text = new byte[EventTime.BytesMax];
        return Encoding.UTF8.GetString(text, 0, EventTime.Write(time, text));
    }
}

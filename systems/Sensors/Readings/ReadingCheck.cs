using System.Globalization;

namespace Sensors.Readings;

/// <summary>What a device's time is held against.</summary>
/// <param name="AheadMax">How far a device's clock may be ahead; 5 minutes by default.</param>
/// <param name="BehindMax">How old a reading may be; null for any, as in a replay of old series.</param>
internal readonly record struct ClockBounds(TimeSpan AheadMax, TimeSpan? BehindMax)
{
    /// <summary>Five minutes ahead, seven days behind.</summary>
    public static ClockBounds Live { get; } = new(TimeSpan.FromMinutes(5), TimeSpan.FromDays(7));

    /// <summary>Any age.</summary>
    public static ClockBounds Replay { get; } = new(TimeSpan.FromMinutes(5), null);

    /// <summary>Whether a time is within the bounds of the clock.</summary>
    /// <param name="time">In milliseconds since 1970-01-01T00:00:00Z, as the clock.</param>
    /// <param name="now">The clock.</param>
    public bool Hold(long time, long now) =>
        time - now <= (long)AheadMax.TotalMilliseconds && (BehindMax is not { } behind || now - time <= (long)behind.TotalMilliseconds);
}

/// <summary>
/// The rules that a reading has to pass, all but that of duplicates, which needs memory. Pure. The first that fails is the reason.
/// </summary>
internal static class ReadingCheck
{
    /// <summary>Below so many percent sensors measure wrong.</summary>
    public const double BatteryMin = 5;

    private const double SignalMin = -130;
    private const double SignalMax = 0;

    /// <summary>Why a reading does not pass; null when it does.</summary>
    /// <param name="reading">The reading.</param>
    /// <param name="bounds">What its time is held against.</param>
    /// <param name="now">The clock, in milliseconds since 1970-01-01T00:00:00Z.</param>
    public static (string Reason, string Detail)? Fault(SensorReading reading, ClockBounds bounds, long now)
    {
        if (reading.SensorType.Length == 0) return (Rejections.Incomplete, "sensorType is missing");
        if (double.IsNaN(reading.Value)) return (Rejections.Incomplete, "value is missing");
        var rules = SensorRules.Of(reading.SensorType);
        if (rules.Units.Count > 0 && !rules.Units.Contains(reading.Unit))
            return (Rejections.Unit, $"unit is '{reading.Unit}'; a {rules.Type} sensor has {string.Join(" or ", rules.Units)}");
        if (!double.IsFinite(reading.Value) || reading.Value < rules.Minimum || reading.Value > rules.Maximum)
            return (Rejections.Range, Say($"value is {reading.Value}; a {rules.Type} sensor measures {rules.Minimum} to {rules.Maximum}"));
        if (!bounds.Hold(reading.Time, now))
            return (Rejections.Clock, $"time is {Iso(reading.Time)}, and the clock says {Iso(now)}");
        if (reading.BatteryLevel is { } battery && !(battery >= BatteryMin && battery <= 100))
            return (Rejections.Battery, Say($"batteryLevel is {battery}; readings count from {BatteryMin} to 100"));
        if (reading.SignalStrength is { } signal && !(signal >= SignalMin && signal <= SignalMax))
            return (Rejections.Signal, Say($"signalStrength is {signal}; it is {SignalMin} to {SignalMax} dBm"));
        return null;
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Iso(long time) => EventClock.Time(time).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>Milliseconds as times.</summary>
internal static class EventClock
{
    private static readonly long Least = DateTimeOffset.MinValue.ToUnixTimeMilliseconds();
    private static readonly long Greatest = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>The time of so many milliseconds since 1970-01-01T00:00:00Z; the nearest possible one beyond the calendar.</summary>
    public static DateTimeOffset Time(long milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(milliseconds, Least, Greatest));
}

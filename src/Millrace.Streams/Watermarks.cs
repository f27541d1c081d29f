namespace Millrace.Streams;

/// <summary>
/// A partition's watermark when records may come out of order by at most a known time: the greatest event time so far, less that time, less
/// one millisecond (Apache Flink's BoundedOutOfOrdernessWatermarks). Not thread safe.
/// </summary>
public sealed class BoundedOutOfOrderness
{
    private readonly long _bound;
    private long _greatest = long.MinValue;

    /// <summary>Begins without any record.</summary>
    /// <param name="bound">How far records may be out of order; zero or more, whole milliseconds count.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bound is negative.</exception>
    public BoundedOutOfOrderness(TimeSpan bound)
    {
        if (bound < TimeSpan.Zero) throw new ArgumentOutOfRangeException(nameof(bound), bound, "The out-of-orderness is zero or more.");
        _bound = EventTime.Milliseconds(bound);
    }

    /// <summary>The watermark; <see cref="long.MinValue"/> before the first record.</summary>
    public long Current => EventTime.Subtract(_greatest, EventTime.Add(_bound, 1));

    /// <summary>A record of that event time was seen.</summary>
    /// <param name="timestamp">Milliseconds since 1970-01-01T00:00:00Z.</param>
    public void Observe(long timestamp) => _greatest = Math.Max(_greatest, timestamp);
}

/// <summary>
/// One watermark of several channels: the least of those that are active and aligned. The rules are Apache Flink's (StatusWatermarkValve):
/// an idle channel is not waited for; a channel that becomes active again behind the watermark is left out until it has caught up, so the
/// watermark never goes back; when the last active channel becomes idle while it held the watermark back, the greatest watermark of all is
/// passed on. Not thread safe.
/// </summary>
public sealed class WatermarkCombiner
{
    private readonly Channel[] _channels;

    /// <summary>Begins with every channel active and without a watermark.</summary>
    /// <param name="channels">How many channels; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than 1.</exception>
    public WatermarkCombiner(int channels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        _channels = new Channel[channels];
        Array.Fill(_channels, new Channel { Watermark = long.MinValue, IsActive = true, IsAligned = true });
    }

    /// <summary>The combined watermark; <see cref="long.MinValue"/> before the first.</summary>
    public long Current { get; private set; } = long.MinValue;

    /// <summary>Whether every channel is idle.</summary>
    public bool IsIdle { get; private set; }

    /// <summary>A channel's own watermark, as far as it was taken.</summary>
    /// <param name="channel">From 0.</param>
    public long WatermarkOf(int channel) => _channels[channel].Watermark;

    /// <summary>A channel's watermark moved. One that goes back, or comes while the channel is idle, is ignored.</summary>
    /// <param name="channel">From 0.</param>
    /// <param name="watermark">Milliseconds since 1970-01-01T00:00:00Z.</param>
    /// <returns>Whether <see cref="Current"/> moved.</returns>
    public bool Advance(int channel, long watermark)
    {
        ref var one = ref _channels[channel];
        if (!one.IsActive || watermark <= one.Watermark) return false;
        one.Watermark = watermark;
        if (watermark >= Current) one.IsAligned = true;
        return TakeLeastOfAligned();
    }

    /// <summary>A channel became idle. <see cref="IsIdle"/> is true afterwards when it was the last active one.</summary>
    /// <param name="channel">From 0.</param>
    /// <returns>Whether <see cref="Current"/> moved.</returns>
    public bool SetIdle(int channel)
    {
        ref var one = ref _channels[channel];
        if (!one.IsActive) return false;
        one.IsActive = false;
        one.IsAligned = false;
        IsIdle = !Array.Exists(_channels, c => c.IsActive);
        if (one.Watermark != Current) return false;
        return IsIdle ? Take(_channels.Max(c => c.Watermark)) : TakeLeastOfAligned();
    }

    /// <summary>A channel is active again. It counts as soon as its watermark is not behind <see cref="Current"/>.</summary>
    /// <param name="channel">From 0.</param>
    public void SetActive(int channel)
    {
        ref var one = ref _channels[channel];
        if (one.IsActive) return;
        one.IsActive = true;
        one.IsAligned = one.Watermark >= Current;
        IsIdle = false;
    }

    internal bool IsActive(int channel) => _channels[channel].IsActive;

    internal void Restore(int channel, long watermark, bool isActive, long current)
    {
        Current = current;
        _channels[channel] = new Channel { Watermark = watermark, IsActive = isActive, IsAligned = isActive && watermark >= current };
        IsIdle = !Array.Exists(_channels, c => c.IsActive);
    }

    private bool TakeLeastOfAligned()
    {
        var least = long.MaxValue;
        var hasAligned = false;
        foreach (ref readonly var channel in _channels.AsSpan())
        {
            if (!channel.IsAligned) continue;
            hasAligned = true;
            least = Math.Min(least, channel.Watermark);
        }

        // Without an aligned channel the least of none would be the end of time.
        return hasAligned && Take(least);
    }

    private bool Take(long watermark)
    {
        if (watermark <= Current) return false;
        Current = watermark;
        return true;
    }

    private struct Channel
    {
        public long Watermark;
        public bool IsActive;
        public bool IsAligned;
    }
}

/// <summary>Arithmetic on event time, which stops at the ends of 64 bits instead of going round.</summary>
public static class EventTime
{
    /// <summary>The sum, at most <see cref="long.MaxValue"/> and at least <see cref="long.MinValue"/>.</summary>
    /// <param name="left">Milliseconds.</param>
    /// <param name="right">Milliseconds.</param>
    public static long Add(long left, long right)
    {
        var sum = unchecked(left + right);
        // The sum went round only if both have the sign that it has not.
        if (((left ^ sum) & (right ^ sum)) < 0) return left < 0 ? long.MinValue : long.MaxValue;
        return sum;
    }

    /// <summary>The difference, at most <see cref="long.MaxValue"/> and at least <see cref="long.MinValue"/>.</summary>
    /// <param name="left">Milliseconds.</param>
    /// <param name="right">Milliseconds.</param>
    public static long Subtract(long left, long right)
    {
        var difference = unchecked(left - right);
        if (((left ^ right) & (left ^ difference)) < 0) return left < 0 ? long.MinValue : long.MaxValue;
        return difference;
    }

    /// <summary>The remainder that is never negative (Java's floorMod).</summary>
    /// <param name="value">Milliseconds.</param>
    /// <param name="modulus">Milliseconds; more than 0.</param>
    public static long FloorMod(long value, long modulus)
    {
        var remainder = value % modulus;
        return remainder < 0 ? remainder + modulus : remainder;
    }

    internal static long Milliseconds(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMillisecond;
}

/// <summary>Durations as one says them: <c>1.Minutes()</c>.</summary>
public static class Durations
{
    /// <summary>That many milliseconds.</summary>
    /// <param name="count">How many.</param>
    public static TimeSpan Milliseconds(this int count) => TimeSpan.FromMilliseconds(count);

    /// <summary>That many seconds.</summary>
    /// <param name="count">How many.</param>
    public static TimeSpan Seconds(this int count) => TimeSpan.FromSeconds(count);

    /// <summary>That many minutes.</summary>
    /// <param name="count">How many.</param>
    public static TimeSpan Minutes(this int count) => TimeSpan.FromMinutes(count);

    /// <summary>That many hours.</summary>
    /// <param name="count">How many.</param>
    public static TimeSpan Hours(this int count) => TimeSpan.FromHours(count);

    /// <summary>That many days of 24 hours.</summary>
    /// <param name="count">How many.</param>
    public static TimeSpan Days(this int count) => TimeSpan.FromDays(count);
}

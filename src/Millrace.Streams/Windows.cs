using Millrace.Streams.Windowing;

namespace Millrace.Streams;

/// <summary>A stretch of event time: from <paramref name="Start"/>, included, to <paramref name="End"/>, excluded.</summary>
/// <param name="Start">Milliseconds since 1970-01-01T00:00:00Z.</param>
/// <param name="End">Milliseconds since 1970-01-01T00:00:00Z.</param>
public readonly record struct Window(long Start, long End)
{
    /// <summary>The greatest event time in it; a window that reaches <see cref="long.MaxValue"/> includes that.</summary>
    public long MaxTimestamp => End == long.MaxValue ? End : End - 1;

    /// <summary>As one writes it: <c>[start, end)</c>.</summary>
    public override string ToString() => $"[{Start}, {End})";
}

/// <summary>A window's result for a key.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The result's type.</typeparam>
/// <param name="Key">The key.</param>
/// <param name="Window">The window.</param>
/// <param name="Value">The result.</param>
/// <param name="IsRetraction">
/// The result was said before and holds no longer: its session became another one. Only with <see
/// cref="WindowedStream{TKey, T}.Retracting"/>; the value is what was to be said last.
/// </param>
public readonly record struct Windowed<TKey, T>(TKey Key, Window Window, T Value, bool IsRetraction = false);

/// <summary>Which windows a record belongs to. Immutable.</summary>
public abstract class WindowAssigner
{
    private protected WindowAssigner()
    {
    }

    /// <summary>The windows of an event time, in order of their starts.</summary>
    /// <param name="timestamp">Milliseconds since 1970-01-01T00:00:00Z.</param>
    public IReadOnlyList<Window> Of(long timestamp)
    {
        var windows = new List<Window>();
        var (count, window, _) = Assign(timestamp);
        for (var i = 0; i < count; i++, window = Next(window)) windows.Add(window);
        return windows;
    }

    internal abstract AssignedWindows Assign(long timestamp);

    internal virtual Window Next(Window window) => window;

    internal static long Positive(TimeSpan value, string name)
    {
        var milliseconds = EventTime.Milliseconds(value);
        if (milliseconds <= 0) throw new ArgumentOutOfRangeException(name, value, $"A window's {name} is at least one millisecond.");
        return milliseconds;
    }
}

/// <summary>Windows of one size, one beside the other.</summary>
public sealed class Tumbling : WindowAssigner
{
    private readonly Hopping _windows;

    private Tumbling(TimeSpan size, TimeSpan offset) => _windows = Hopping.Of(size, size, offset);

    /// <summary>Windows of that size, the first of which began at 1970-01-01T00:00:00Z.</summary>
    /// <param name="size">At least one millisecond.</param>
    /// <param name="offset">Moves the windows, as by -1 hour for days of UTC+1; smaller than the size either way. Zero by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its limits.</exception>
    public static Tumbling Of(TimeSpan size, TimeSpan offset = default) => new(size, offset);

    /// <inheritdoc/>
    public override string ToString() => $"tumbling {_windows.Describe(isHopping: false)}";

    internal override AssignedWindows Assign(long timestamp) => _windows.Assign(timestamp);
}

/// <summary>Windows of one size that begin at each multiple of a slide: they overlap when the slide is smaller than the size.</summary>
public sealed class Hopping : WindowAssigner
{
    private readonly long _size;
    private readonly long _slide;
    private readonly long _offset;

    private Hopping(TimeSpan size, TimeSpan slide, TimeSpan offset)
    {
        _size = Positive(size, nameof(size));
        _slide = Positive(slide, nameof(slide));
        _offset = EventTime.Milliseconds(offset);
        if (Math.Abs(_offset) >= _slide)
            throw new ArgumentOutOfRangeException(nameof(offset), offset,
                $"A window's offset is smaller than its slide of {slide} either way.");
    }

    /// <summary>Windows of that size, one of which began at 1970-01-01T00:00:00Z. They exist before that time, too.</summary>
    /// <param name="size">At least one millisecond.</param>
    /// <param name="slide">
    /// From start to start; at least one millisecond. Records between windows, when it is greater than the size, are in none.
    /// </param>
    /// <param name="offset">Moves the windows; smaller than the slide either way. Zero by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its limits.</exception>
    public static Hopping Of(TimeSpan size, TimeSpan slide, TimeSpan offset = default) => new(size, slide, offset);

    /// <inheritdoc/>
    public override string ToString() => $"hopping {Describe(isHopping: true)}";

    internal override AssignedWindows Assign(long timestamp)
    {
        var sinceStart = EventTime.FloorMod(timestamp % _slide - _offset, _slide);
        var last = EventTime.Subtract(timestamp, sinceStart); // where the last window begins, or did before the gap that this is in
        if (sinceStart >= _size) return new AssignedWindows(0, default, Between(last, _size, _slide));
        var before = (_size - 1 - sinceStart) / _slide;
        var times = Between(last, Math.Max(0, _size - (before + 1) * _slide), Math.Min(_slide, _size - before * _slide));

        // At the beginning of time there is no room for windows that would begin before it.
        var room = (long)Int128.Min(((Int128)timestamp - sinceStart - long.MinValue) / _slide, long.MaxValue);
        before = Math.Min(before, room);
        var start = EventTime.Subtract(timestamp, sinceStart + before * _slide);
        return new AssignedWindows((int)before + 1, new Window(start, EventTime.Add(start, _size)), times);
    }

    internal override Window Next(Window window)
    {
        var start = EventTime.Add(window.Start, _slide);
        return new Window(start, EventTime.Add(start, _size));
    }

    /// <summary>A stretch of time by its distances from a start; none where time begins.</summary>
    private static Window Between(long start, long from, long to) =>
        start == long.MinValue ? default : new Window(EventTime.Add(start, from), EventTime.Add(start, to));

    internal string Describe(bool isHopping) =>
        $"{_size} ms" + (isHopping ? $" by {_slide} ms" : "") + (_offset == 0 ? "" : $", offset {_offset} ms");
}

/// <summary>Calendar days of a time zone, which have 23 or 25 hours when its clocks change.</summary>
public sealed class CalendarDay : WindowAssigner
{
    private static readonly long TimestampMin = DateTimeOffset.MinValue.AddDays(2).ToUnixTimeMilliseconds();
    private static readonly long TimestampMax = DateTimeOffset.MaxValue.AddDays(-2).ToUnixTimeMilliseconds();

    private const long Minute = 60_000;

    private readonly TimeZoneInfo _zone;

    private CalendarDay(TimeZoneInfo zone) => _zone = zone;

    /// <summary>The days of a zone. A day begins at its first moment, also where midnight is left out or comes twice.</summary>
    /// <param name="zone">The zone.</param>
    public static CalendarDay In(TimeZoneInfo zone)
    {
        ArgumentNullException.ThrowIfNull(zone);
        return new CalendarDay(zone);
    }

    /// <inheritdoc/>
    public override string ToString() => $"calendar day in {_zone.Id}";

    /// <exception cref="ArgumentOutOfRangeException">The event time is not between the years 1 and 9999.</exception>
    internal override AssignedWindows Assign(long timestamp)
    {
        if (timestamp < TimestampMin || timestamp > TimestampMax)
            throw new ArgumentOutOfRangeException(nameof(timestamp), timestamp, "A calendar day is known for the years 1 to 9999.");
        var day = DayOf(timestamp);
        var window = new Window(StartOf(day), StartOf(day.AddDays(1)));

        // Where midnight comes twice, the clocks show the day before once more; but the day has begun.
        return AssignedWindows.Alone(timestamp < window.End ? window : new Window(window.End, StartOf(day.AddDays(2))));
    }

    private long StartOf(DateTime midnight)
    {
        // A midnight that the clocks jump over: the day begins where they land.
        var local = midnight;
        while (_zone.IsInvalidTime(local)) local = local.AddMinutes(1);
        var offset = _zone.IsAmbiguousTime(local) ? _zone.GetAmbiguousTimeOffsets(local).Max() : _zone.GetUtcOffset(local);
        var start = new DateTimeOffset(local, offset).ToUnixTimeMilliseconds();

        // Where they do so, some zones are said to have the offset of before for a while longer.
        while (DayOf(start - 1) >= midnight) start -= Minute;
        return start;
    }

    private DateTime DayOf(long timestamp) => TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeMilliseconds(timestamp), _zone).Date;
}

/// <summary>
/// Windows of activity: a key's records that lie at most a gap apart share a session, which is from the first record to the gap after the
/// last. Two records exactly a gap apart share one, as with Apache Flink.
/// </summary>
public sealed class Session : WindowAssigner
{
    private Session(TimeSpan gap) => Gap = Positive(gap, nameof(gap));

    internal long Gap { get; }

    /// <summary>Sessions that end when nothing comes for that time.</summary>
    /// <param name="gap">At least one millisecond.</param>
    /// <exception cref="ArgumentOutOfRangeException">The gap is out of its limits.</exception>
    public static Session WithGap(TimeSpan gap) => new(gap);

    /// <inheritdoc/>
    public override string ToString() => $"session with gap {Gap} ms";

    internal override AssignedWindows Assign(long timestamp) => new(1, new Window(timestamp, EventTime.Add(timestamp, Gap)), default);
}

/// <summary>
/// Windows that slide over a key's records, by Kafka Streams' definition (KIP-450): records whose times are at most a difference apart
/// share a window. Each record ends a window, <c>[time - difference, time]</c>, and the millisecond after it begins one, <c>[time + 1,
/// time + 1 + difference]</c>, that exists if a record is in it; so there is one window for each combination of records that fit together.
/// A <see cref="Window"/> excludes its end, which therefore is a millisecond later. Unlike there, windows exist before 1970, too. A record
/// is late when no window that could hold it is open.
/// </summary>
public sealed class Sliding : WindowAssigner
{
    private Sliding(TimeSpan difference)
    {
        if (difference < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(difference), difference, "A sliding window's difference is zero or more.");
        Difference = EventTime.Milliseconds(difference);
    }

    internal long Difference { get; }

    /// <summary>Windows of records that are at most that far apart.</summary>
    /// <param name="difference">Zero or more; whole milliseconds count.</param>
    /// <exception cref="ArgumentOutOfRangeException">The difference is negative.</exception>
    public static Sliding Of(TimeSpan difference) => new(difference);

    /// <inheritdoc/>
    public override string ToString() => $"sliding {Difference} ms";

    /// <summary>Of a record by itself: others make more.</summary>
    internal override AssignedWindows Assign(long timestamp) =>
        new(1, new Window(EventTime.Subtract(timestamp, Difference), EventTime.Add(timestamp, 1)), default);
}

/// <summary>One window for all of time. It needs a trigger, as it ends only with the stream.</summary>
public sealed class GlobalWindow : WindowAssigner
{
    private GlobalWindow()
    {
    }

    /// <summary>The one window.</summary>
    public static GlobalWindow All { get; } = new();

    /// <inheritdoc/>
    public override string ToString() => "global";

    internal override AssignedWindows Assign(long timestamp) => AssignedWindows.Alone(new Window(long.MinValue, long.MaxValue));
}

using System.Globalization;

namespace Millrace;

/// <summary>Times as RFC 3339 writes them.</summary>
internal static class EventTime
{
    /// <summary>The longest text that <see cref="Write"/> makes: <c>2026-01-25T10:30:00.1234567Z</c>.</summary>
    public const int BytesMax = 28;

    private const int FractionAt = 19;
    private const int TickDigits = 7;

    /// <summary>
    /// Reads <c>date "T" time ["." digits] ("Z" | offset)</c>; letters in either case. Digits beyond 100 nanoseconds are cut off. A leap
    /// second has no place in <see cref="DateTimeOffset"/> and is refused. The result is in UTC.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length < FractionAt + 1) return false;
        if (text[4] != '-' || text[7] != '-' || (text[10] | 0x20) != 't' || text[13] != ':' || text[16] != ':') return false;
        var (year, month, day) = (Digits(text[..4]), Digits(text[5..7]), Digits(text[8..10]));
        var (hour, minute, second) = (Digits(text[11..13]), Digits(text[14..16]), Digits(text[17..19]));
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) return false;
        if (hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 59) return false;

        var rest = text[FractionAt..];
        if (!TryReadFraction(ref rest, out var ticks) || !TryReadOffset(rest, out var offset)) return false;
        var utc = new DateTime(year, month, day, hour, minute, second).Ticks + ticks - offset.Ticks;
        if (utc < DateTime.MinValue.Ticks || utc > DateTime.MaxValue.Ticks) return false;
        time = new DateTimeOffset(utc, TimeSpan.Zero);
        return true;
    }

    /// <summary>Writes the time in UTC, with a fraction only when there is one. Returns how many bytes it took.</summary>
    public static int Write(DateTimeOffset time, Span<byte> target)
    {
        if (!time.UtcDateTime.TryFormat(target, out var written, "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture))
            throw new ArgumentException($"A time needs {BytesMax} bytes; there are {target.Length}.", nameof(target));
        return written;
    }

    private static bool TryReadFraction(ref ReadOnlySpan<byte> rest, out long ticks)
    {
        ticks = 0;
        if (rest[0] != '.') return true;
        var length = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        if (length < 1) return false;
        for (var i = 0; i < TickDigits; i++) ticks = (ticks * 10) + (i < length ? rest[1 + i] - '0' : 0);
        rest = rest[(1 + length)..];
        return true;
    }

    private static bool TryReadOffset(ReadOnlySpan<byte> rest, out TimeSpan offset)
    {
        offset = TimeSpan.Zero;
        if (rest.Length == 1) return (rest[0] | 0x20) == 'z';
        if (rest.Length != 6 || rest[0] is not ((byte)'+' or (byte)'-') || rest[3] != ':') return false;
        var (hours, minutes) = (Digits(rest[1..3]), Digits(rest[4..6]));
        if (hours is < 0 or > 23 || minutes is < 0 or > 59) return false;
        offset = new TimeSpan(hours, minutes, 0);
        if (rest[0] == '-') offset = -offset;
        return true;
    }

    /// <summary>The number, or -1 when something else than a digit is in it.</summary>
    private static int Digits(ReadOnlySpan<byte> text)
    {
        var number = 0;
        foreach (var b in text)
        {
            if (b is < (byte)'0' or > (byte)'9') return -1;
            number = (number * 10) + (b - '0');
        }

        return number;
    }
}

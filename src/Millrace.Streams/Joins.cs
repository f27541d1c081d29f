namespace Millrace.Streams;

/// <summary>
/// How far the time of a right record may be from that of a left one: at least the lower bound after it, at most the upper one. Immutable.
/// </summary>
public sealed record Interval
{
    private Interval(long lower, long upper) => (Lower, Upper) = (lower, upper);

    internal long Lower { get; private init; }

    internal long Upper { get; private init; }

    /// <summary>How long a left record is waited for by right ones: none can come any more after its time plus this.</summary>
    internal long KeepsLeft => Math.Max(Upper, 0);

    internal long KeepsRight => Math.Max(EventTime.Subtract(0, Lower), 0);

    /// <summary>An interval with both of its bounds; negative ones are before the left record.</summary>
    /// <param name="lower">The least distance.</param>
    /// <param name="upper">The greatest distance; not less than the least.</param>
    /// <exception cref="ArgumentOutOfRangeException">The upper bound is below the lower one.</exception>
    public static Interval Between(TimeSpan lower, TimeSpan upper)
    {
        if (upper < lower)
            throw new ArgumentOutOfRangeException(nameof(upper), upper, $"An interval's upper bound is not below its lower one, {lower}.");
        return new Interval(EventTime.Milliseconds(lower), EventTime.Milliseconds(upper));
    }

    /// <summary>The same interval without its lower bound.</summary>
    public Interval ExcludingLower() => this with { Lower = EventTime.Add(Lower, 1) };

    /// <summary>The same interval without its upper bound.</summary>
    public Interval ExcludingUpper() => this with { Upper = EventTime.Subtract(Upper, 1) };

    /// <inheritdoc/>
    public override string ToString() => $"[{Lower} ms, {Upper} ms]";

    internal bool Holds(long left, long right) => right >= EventTime.Add(left, Lower) && right <= EventTime.Add(left, Upper);
}

/// <summary>A record among the greatest of its key, said when it takes that rank: it replaces what had the rank.</summary>
/// <typeparam name="TKey">The key's type.</typeparam>
/// <typeparam name="T">The record's type.</typeparam>
/// <param name="Key">The key.</param>
/// <param name="Rank">The rank, from 1.</param>
/// <param name="Value">The record.</param>
public readonly record struct Ranked<TKey, T>(TKey Key, int Rank, T Value);

/// <summary>How a join keeps records, and where late ones go. Immutable.</summary>
/// <typeparam name="TLeft">This stream's records.</typeparam>
/// <typeparam name="TRight">The other stream's records.</typeparam>
public sealed record JoinOptions<TLeft, TRight>
{
    /// <summary>How this stream's records become bytes of state; <see cref="StateCodecs.Default"/> when null.</summary>
    public StateCodec<TLeft>? Left { get; init; }

    /// <summary>How the other stream's records become bytes of state; <see cref="StateCodecs.Default"/> when null.</summary>
    public StateCodec<TRight>? Right { get; init; }

    /// <summary>Where late records of this stream go; nowhere when null. An interval join only.</summary>
    public OutputTag<TLeft>? LateLeft { get; init; }

    /// <summary>Where late records of the other stream go; nowhere when null. An interval join only.</summary>
    public OutputTag<TRight>? LateRight { get; init; }
}

/// <summary>What becomes of a record whose lookup failed for good.</summary>
public enum LookupFailure
{
    /// <summary>The partition starts again from its last commit after a pause, again and again until it succeeds. The default.</summary>
    RestartPartition = 0,

    /// <summary>
    /// The record of the source that was worked on becomes a dead letter, with all that came of it undone: the partition starts again from
    /// its last commit without it. What came of no record alone, such as a window's result at its end, restarts the partition.
    /// </summary>
    DeadLetter = 1,
}

/// <summary>How lookups are made. Immutable.</summary>
public sealed record LookupOptions
{
    /// <summary>How many lookups of a partition are under way at most; 1 to 10,000, 100 by default.</summary>
    public int Capacity { get; init; } = 100;

    /// <summary>For how long a record waits for its answer, all attempts included; 1 millisecond to 1 hour, 10 seconds by
    /// default.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a lookup is tried; 1 to 1,000, 3 by default.</summary>
    public int AttemptsMax { get; init; } = 3;

    /// <summary>The pause before the next attempt; 0 to 1 hour, 100 milliseconds by default.</summary>
    public TimeSpan RetryPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether a failure may pass, so that it is worth another attempt; all are by default.</summary>
    public Func<Exception, bool>? RetryIf { get; init; }

    /// <summary>What becomes of a record whose lookup failed for good; the partition restarts by default.</summary>
    public LookupFailure OnFailure { get; init; }

    internal void Validate()
    {
        if (Capacity is < 1 or > 10_000) throw Wrong(nameof(Capacity), Capacity, "1 to 10,000");
        if (Timeout < TimeSpan.FromMilliseconds(1) || Timeout > TimeSpan.FromHours(1)) throw Wrong(nameof(Timeout), Timeout, "1 ms to 1 h");
        if (AttemptsMax is < 1 or > 1_000) throw Wrong(nameof(AttemptsMax), AttemptsMax, "1 to 1,000");
        if (RetryPause < TimeSpan.Zero || RetryPause > TimeSpan.FromHours(1)) throw Wrong(nameof(RetryPause), RetryPause, "0 to 1 h");
        if (!Enum.IsDefined(OnFailure)) throw Wrong(nameof(OnFailure), (int)OnFailure, "a known one");
    }

    private static ArgumentException Wrong(string name, object value, string limits) =>
        new($"{nameof(LookupOptions)}.{name} is {value}; it has to be {limits}.");
}

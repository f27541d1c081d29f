namespace Millrace.Streams;

/// <summary>What a trigger wants of its window.</summary>
[Flags]
public enum TriggerActions
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The result so far is said.</summary>
    Fire = 1,

    /// <summary>What was aggregated is forgotten; the window stays.</summary>
    Purge = 2,

    /// <summary>The result is said, and then forgotten.</summary>
    FireAndPurge = Fire | Purge,
}

/// <summary>
/// When a window says its result. One instance serves all keys: what it remembers of a key's window is one number. Stateless itself.
/// </summary>
public abstract class Trigger
{
    /// <summary>
    /// When the watermark reaches the window's greatest event time, and again at once for each record that comes later and is within the
    /// allowed lateness. The default; Apache Flink's EventTimeTrigger.
    /// </summary>
    public static Trigger OnTime { get; } = new OnTimeTrigger();

    /// <summary>Once, when the window is closed: the allowed lateness has passed and nothing can change it any more.</summary>
    public static Trigger OnClose { get; } = new OnCloseTrigger();

    /// <summary>With every record.</summary>
    public static Trigger OnUpdate { get; } = new CountTrigger(1, isPurging: false);

    /// <summary>With every so-manieth record of a key in a window; not when the window ends. Apache Flink's CountTrigger.</summary>
    /// <param name="count">How many; at least 1.</param>
    /// <param name="isPurging">Whether the records are forgotten then.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is less than 1.</exception>
    public static Trigger Count(long count, bool isPurging = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return new CountTrigger(count, isPurging);
    }

    /// <summary>A record was added to the window.</summary>
    /// <param name="window">The window.</param>
    /// <param name="timestamp">The record's event time.</param>
    /// <param name="watermark">The watermark now.</param>
    /// <param name="state">What the trigger remembers of the key's window; 0 at first.</param>
    public abstract TriggerActions OnRecord(Window window, long timestamp, long watermark, ref long state);

    /// <summary>The watermark has reached the window's greatest event time. Nothing by default.</summary>
    /// <param name="window">The window.</param>
    /// <param name="state">What the trigger remembers of the key's window.</param>
    public virtual TriggerActions OnEnd(Window window, ref long state) => TriggerActions.None;

    /// <summary>The window's allowed lateness has passed: its state goes now. Nothing by default.</summary>
    /// <param name="window">The window.</param>
    /// <param name="state">What the trigger remembers of the key's window.</param>
    public virtual TriggerActions OnClosing(Window window, ref long state) => TriggerActions.None;

    /// <summary>Two sessions of a key became one: what is remembered of it. The sum by default.</summary>
    /// <param name="left">Of one session.</param>
    /// <param name="right">Of the other.</param>
    public virtual long Merge(long left, long right) => EventTime.Add(left, right);

    private sealed class OnTimeTrigger : Trigger
    {
        public override TriggerActions OnRecord(Window window, long timestamp, long watermark, ref long state) =>
            window.MaxTimestamp <= watermark ? TriggerActions.Fire : TriggerActions.None;

        public override TriggerActions OnEnd(Window window, ref long state) => TriggerActions.Fire;

        public override string ToString() => "on time";
    }

    private sealed class OnCloseTrigger : Trigger
    {
        public override TriggerActions OnRecord(Window window, long timestamp, long watermark, ref long state) => TriggerActions.None;

        public override TriggerActions OnClosing(Window window, ref long state) => TriggerActions.Fire;

        public override string ToString() => "on close";
    }

    private sealed class CountTrigger(long count, bool isPurging) : Trigger
    {
        public override TriggerActions OnRecord(Window window, long timestamp, long watermark, ref long state)
        {
            if (++state < count) return TriggerActions.None;
            state = 0;
            return isPurging ? TriggerActions.FireAndPurge : TriggerActions.Fire;
        }

        public override string ToString() => count == 1 ? "on update" : $"count {count}{(isPurging ? ", purging" : "")}";
    }
}

using System.Buffers;
using System.Runtime.CompilerServices;
using Millrace.Streams.Definition;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Sliding windows per key, wherever they are. What is kept, and stored, is a slice for each distinct time of a key's records; a window's
/// result is its slices made one. Which windows there are follows from the slices and the watermark: each slice ends one, and the
/// millisecond behind it begins one that exists once it holds a record.
/// </summary>
internal abstract class SlidingOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : KeptPanesOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, PaneLayout.ByKeyAndWindow, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 11; // 9 had slices by ordinal

    private readonly long _difference = ((Sliding)work.Settings.Windows).Difference;
    private readonly StateCodec<TAccumulator> _codec = work.Codec;
    private readonly ArrayBufferWriter<byte> _copy = new();

    protected sealed override bool Add(TKey key, T value, long timestamp)
    {
        // The last window that can hold a record begins with it.
        if (IsLate(WindowAt(timestamp)))
        {
            Counts.LateWindows++;
            return false;
        }

        if (IsLate(WindowAt(EventTime.Subtract(timestamp, _difference)))) Counts.LateWindows++;
        var line = Find(key);
        var hasOpenedRight = false;
        if (!line.Slices.TryGetValue(timestamp, out var slice))
        {
            slice = new Slice(key, timestamp) { Pane = new Pane { Ordinal = NumberNext() } };
            hasOpenedRight = Enter(line, slice, Watermark);
            EntryCount++;
            OnAdded(line);
        }

        MarkDirty(slice);
        Accumulate(ref slice.Pane, value);
        Touch(line, timestamp, hasOpenedRight);
        return true;
    }

    /// <summary>What there is of a key; an empty line when there is nothing.</summary>
    protected abstract Line Find(TKey key);

    /// <summary>The ordinal of a new slice.</summary>
    protected abstract long NumberNext();

    /// <summary>A slice came to a line.</summary>
    protected virtual void OnEntered(Line line, Slice slice)
    {
    }

    /// <summary>A window was opened.</summary>
    protected virtual void OnOpened(Line line, Window window, bool hasEnded)
    {
    }

    /// <summary>A record made a slice: it and its windows are entered.</summary>
    protected virtual void OnAdded(Line line)
    {
    }

    protected Window WindowAt(long start) => new(start, EventTime.Add(EventTime.Add(start, _difference), 1));

    /// <summary>When no window can need a slice any more: the one that begins right behind it closes.</summary>
    protected long EndOf(Slice slice) => CloseTime(WindowAt(EventTime.Add(slice.Time, 1)));

    /// <summary>
    /// Takes up a slice, and opens the windows that are there because of it and have not closed by a time; returns whether the one behind
    /// it is.
    /// </summary>
    protected bool Enter(Line line, Slice slice, long asOf)
    {
        var time = slice.Time;
        line.Slices.Add(time, slice);
        OnEntered(line, slice);
        var behind = EventTime.Add(time, 1);
        Open(line, EventTime.Subtract(time, _difference), asOf);
        var index = line.Slices.IndexOfKey(time);
        if (index > 0)
        {
            // Until now nothing may have been in the window behind the slice before; in those of earlier ones that slice itself is.
            var behindLast = EventTime.Add(line.Slices.GetKeyAtIndex(index - 1), 1);
            if (EventTime.Subtract(time, behindLast) <= _difference) Open(line, behindLast, asOf);
        }

        return index + 1 < line.Slices.Count
            && EventTime.Subtract(line.Slices.GetKeyAtIndex(index + 1), behind) <= _difference
            && Open(line, behind, asOf);
    }

    /// <summary>The older of the two slices that a window may be there for: what orders windows of one time, also after a
    /// restart.</summary>
    protected long Anchor(Line line, long start)
    {
        var anchor = long.MaxValue;
        if (line.Slices.TryGetValue(EventTime.Add(start, _difference), out var last)) anchor = last.Pane.Ordinal;
        if (line.Slices.TryGetValue(EventTime.Subtract(start, 1), out var before)) anchor = Math.Min(anchor, before.Pane.Ordinal);
        return anchor;
    }

    protected void End(Line line, Window window)
    {
        var state = 0L;
        Say(line, window, Trigger.OnEnd(window, ref state));
    }

    protected void Close(Line line, Window window)
    {
        var state = 0L;
        Say(line, window, Trigger.OnClosing(window, ref state));
        line.Windows.Remove(window.Start);
    }

    protected void Drop(Line line, Slice slice)
    {
        line.Slices.Remove(slice.Time);
        Discard(slice);
    }

    /// <summary>Opens a window unless it is open or can be no more.</summary>
    private bool Open(Line line, long start, long asOf)
    {
        var window = WindowAt(start);
        if (CloseTime(window) <= asOf || !line.Windows.TryAdd(start, true)) return false;
        OnOpened(line, window, window.MaxTimestamp <= asOf);
        return true;
    }

    /// <summary>A record came: what its windows' trigger says of it, in order of their starts.</summary>
    private void Touch(Line line, long timestamp, bool hasOpenedRight)
    {
        var first = EventTime.Subtract(timestamp, _difference);
        var last = hasOpenedRight ? EventTime.Add(timestamp, 1) : timestamp;
        for (var i = Line.FirstFrom(line.Windows.Keys, first); i < line.Windows.Count && line.Windows.GetKeyAtIndex(i) <= last; i++)
        {
            var window = WindowAt(line.Windows.GetKeyAtIndex(i));
            var state = 0L;
            Say(line, window, Trigger.OnRecord(window, timestamp, Watermark, ref state));
        }
    }

    private void Say(Line line, Window window, TriggerActions actions)
    {
        if (actions == TriggerActions.None) return;
        var pane = default(Pane);
        var slices = line.Slices;
        for (var i = Line.FirstFrom(slices.Keys, window.Start); i < slices.Count && slices.GetKeyAtIndex(i) <= window.MaxTimestamp; i++)
        {
            var accumulator = Copy(slices.GetValueAtIndex(i).Pane.Accumulator);
            pane.Accumulator = pane.HasValue ? Merge(pane.Accumulator, accumulator) : accumulator;
            pane.HasValue = true;
        }

        Act(actions, line.Key, window, ref pane);
    }

    /// <summary>An aggregate may change what it is given to merge, and a slice belongs to several windows.</summary>
    private TAccumulator Copy(TAccumulator accumulator)
    {
        if (!RuntimeHelpers.IsReferenceOrContainsReferences<TAccumulator>()) return accumulator;
        _copy.ResetWrittenCount();
        _codec.Write(accumulator, _copy);
        return _codec.Read(_codec.Version, _copy.WrittenSpan, Store);
    }

    /// <summary>What came of a key at one time: a pane of that millisecond.</summary>
    protected sealed class Slice(TKey key, long time) : KeptPane(key, new Window(time, EventTime.Add(time, 1)))
    {
        public long Time => Window.Start;
    }

    /// <summary>A key's slices by their time, and its windows by their start.</summary>
    protected sealed class Line(TKey key)
    {
        public TKey Key { get; } = key;

        public SortedList<long, Slice> Slices { get; } = [];

        public SortedList<long, bool> Windows { get; } = [];

        /// <summary>When the line's timer is due, where it has one of its own.</summary>
        public long? TimerTime { get; set; }

        public bool IsRecent { get; set; }

        /// <summary>The index of the first of ordered keys that is not less.</summary>
        public static int FirstFrom(IList<long> keys, long least)
        {
            var (low, high) = (0, keys.Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (keys[middle] < least) low = middle + 1;
                else high = middle;
            }

            return low;
        }
    }
}

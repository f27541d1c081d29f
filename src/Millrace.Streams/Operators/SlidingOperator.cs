using System.Buffers;
using System.Runtime.CompilerServices;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>
/// Sliding windows per key. What is kept, and stored, is a slice for each distinct time of a key's records; a window's result is its slices
/// made one. Which windows there are follows from the slices and the watermark: each slice ends one, and the millisecond behind it begins
/// one that exists once it holds a record.
/// </summary>
internal sealed class SlidingOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : WindowingOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, PaneLayout.ByOrdinal, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 9;

    private readonly long _difference = ((Sliding)work.Settings.Windows).Difference;
    private readonly StateCodec<TAccumulator> _codec = work.Codec;
    private readonly ArrayBufferWriter<byte> _copy = new();
    private readonly Dictionary<TKey, Line> _lines = [];
    private readonly PriorityQueue<(Line Line, long Start), WindowDue> _timers = new();
    private readonly PriorityQueue<(Line Line, long Time), long> _ends = new(); // of slices: when no window can need them any more
    private readonly List<(Line Line, Slice Slice)> _dirty = [];
    private readonly List<(TKey Key, long Ordinal)> _deleted = [];
    private int _entries;

    public override int Entries => _entries;

    public override long WaitsFor => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    protected override bool Add(TKey key, T value, long timestamp)
    {
        // The last window that can hold a record begins with it.
        if (IsLate(WindowAt(timestamp)))
        {
            Counts.LateWindows++;
            return false;
        }

        if (IsLate(WindowAt(EventTime.Subtract(timestamp, _difference)))) Counts.LateWindows++;
        if (!_lines.TryGetValue(key, out var line)) _lines.Add(key, line = new Line(key));
        var hasOpenedRight = false;
        if (!line.Slices.TryGetValue(timestamp, out var slice))
        {
            slice = new Slice { Pane = new Pane { Ordinal = NextOrdinal++ } };
            hasOpenedRight = Enter(line, timestamp, slice);
        }

        MarkDirty(line, slice);
        Accumulate(ref slice.Pane, value);
        Touch(line, timestamp, hasOpenedRight);
        return true;
    }

    protected override void Fire(long watermark)
    {
        while (_timers.TryPeek(out var next, out var due) && due.Time <= watermark)
        {
            _timers.Dequeue();
            var (line, start) = next;
            var window = WindowAt(start);
            if (due.IsEnd)
            {
                Act(line, window, isEnd: true);
                if (CloseTime(window) > due.Time)
                {
                    _timers.Enqueue(next, due with { Time = CloseTime(window), IsEnd = false });
                    continue;
                }
            }

            Act(line, window, isEnd: false);
            line.Windows.Remove(start);
        }

        while (_ends.TryPeek(out var ending, out var end) && end <= watermark)
        {
            _ends.Dequeue();
            Drop(ending.Line, ending.Time);
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var (key, ordinal) in _deleted) Delete(scope, key, ordinal);
        _deleted.Clear();
        foreach (var (line, slice) in _dirty)
        {
            if (slice.IsGone) continue;
            Put(scope, line.Key, new Window(slice.Time, EventTime.Add(slice.Time, 1)), slice.Pane);
            slice.Pane.IsDirty = false;
            slice.Pane.IsStored = true;
        }

        _dirty.Clear();
    }

    public override void Restore(StateScope scope)
    {
        foreach (var stored in RestoreAll(scope))
        {
            if (!_lines.TryGetValue(stored.Key, out var line)) _lines.Add(stored.Key, line = new Line(stored.Key));
            Enter(line, stored.Window.Start, new Slice { Pane = stored.Pane });
        }
    }

    private Window WindowAt(long start) => new(start, EventTime.Add(EventTime.Add(start, _difference), 1));

    /// <summary>Takes up a slice, and opens the windows that are there because of it; returns whether the one behind it is.</summary>
    private bool Enter(Line line, long time, Slice slice)
    {
        slice.Time = time;
        line.Slices.Add(time, slice);
        _entries++;
        var behind = EventTime.Add(time, 1);
        _ends.Enqueue((line, time), CloseTime(WindowAt(behind)));
        Open(line, EventTime.Subtract(time, _difference));
        var index = line.Slices.IndexOfKey(time);
        if (index > 0)
        {
            // Until now nothing may have been in the window behind the slice before; in those of earlier ones that slice itself is.
            var behindLast = EventTime.Add(line.Slices.GetKeyAtIndex(index - 1), 1);
            if (EventTime.Subtract(time, behindLast) <= _difference) Open(line, behindLast);
        }

        return index + 1 < line.Slices.Count
            && EventTime.Subtract(line.Slices.GetKeyAtIndex(index + 1), behind) <= _difference
            && Open(line, behind);
    }

    /// <summary>Opens a window unless it is open or can be no more.</summary>
    private bool Open(Line line, long start)
    {
        var window = WindowAt(start);
        if (IsLate(window) || !line.Windows.TryAdd(start, true)) return false;
        var hasEnded = window.MaxTimestamp <= Watermark;
        var time = hasEnded ? CloseTime(window) : window.MaxTimestamp;
        _timers.Enqueue((line, start), new WindowDue(time, Anchor(line, start), start, !hasEnded));
        return true;
    }

    /// <summary>The older of the two slices that a window may be there for: what orders windows of one time, also after a
    /// restart.</summary>
    private long Anchor(Line line, long start)
    {
        var anchor = long.MaxValue;
        if (line.Slices.TryGetValue(EventTime.Add(start, _difference), out var last)) anchor = last.Pane.Ordinal;
        if (line.Slices.TryGetValue(EventTime.Subtract(start, 1), out var before)) anchor = Math.Min(anchor, before.Pane.Ordinal);
        return anchor;
    }

    /// <summary>A record came: what its windows' trigger says of it, in order of their starts.</summary>
    private void Touch(Line line, long timestamp, bool hasOpenedRight)
    {
        var first = EventTime.Subtract(timestamp, _difference);
        var last = hasOpenedRight ? EventTime.Add(timestamp, 1) : timestamp;
        for (var i = line.FirstFrom(first); i < line.Windows.Count && line.Windows.GetKeyAtIndex(i) <= last; i++)
        {
            var window = WindowAt(line.Windows.GetKeyAtIndex(i));
            var state = 0L;
            var actions = Trigger.OnRecord(window, timestamp, Watermark, ref state);
            if (actions != TriggerActions.None) Say(line, window, actions);
        }
    }

    private void Act(Line line, Window window, bool isEnd)
    {
        var state = 0L;
        var actions = isEnd ? Trigger.OnEnd(window, ref state) : Trigger.OnClosing(window, ref state);
        if (actions != TriggerActions.None) Say(line, window, actions);
    }

    private void Say(Line line, Window window, TriggerActions actions)
    {
        var pane = default(Pane);
        for (var i = line.FirstSliceFrom(window.Start); i < line.Slices.Count && line.Slices.GetKeyAtIndex(i) <= window.MaxTimestamp; i++)
        {
            var accumulator = Copy(line.Slices.GetValueAtIndex(i).Pane.Accumulator);
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

    private void Drop(Line line, long time)
    {
        if (!line.Slices.Remove(time, out var slice)) return;
        slice.IsGone = true;
        _entries--;
        if (slice.Pane.IsStored) _deleted.Add((line.Key, slice.Pane.Ordinal));
        if (line.Slices.Count == 0) _lines.Remove(line.Key);
    }

    private void MarkDirty(Line line, Slice slice)
    {
        if (slice.Pane.IsDirty) return;
        slice.Pane.IsDirty = true;
        _dirty.Add((line, slice));
    }

    /// <summary>What came of a key at one time.</summary>
    private sealed class Slice
    {
        public Pane Pane;

        public long Time { get; set; }

        public bool IsGone { get; set; }
    }

    /// <summary>A key's slices by their time, and its windows by their start.</summary>
    private sealed class Line(TKey key)
    {
        public TKey Key { get; } = key;

        public SortedList<long, Slice> Slices { get; } = [];

        public SortedList<long, bool> Windows { get; } = [];

        public int FirstFrom(long start) => FirstFrom(Windows.Keys, start);

        public int FirstSliceFrom(long time) => FirstFrom(Slices.Keys, time);

        private static int FirstFrom(IList<long> keys, long least)
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

    private readonly record struct WindowDue(long Time, long Ordinal, long Start, bool IsEnd) : IComparable<WindowDue>
    {
        public int CompareTo(WindowDue other)
        {
            var byTime = Time.CompareTo(other.Time);
            if (byTime != 0) return byTime;
            var byOrdinal = Ordinal.CompareTo(other.Ordinal);
            return byOrdinal != 0 ? byOrdinal : Start.CompareTo(other.Start);
        }
    }
}

using Millrace.Streams.Definition;
using Millrace.Streams.Keyed;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Sliding windows whose slices are in memory while their key is used, all of a key or none, and in the store otherwise. A key has one
/// timer, for whatever is due next of it: a window's end or close, or a slice that no window needs any more. Windows of one time end in the
/// order of their keys' bytes.
/// </summary>
internal sealed class StoredSlidingOperator<TKey, T, TAccumulator, TOut> : SlidingOperator<TKey, T, TAccumulator, TOut>, ISpilling
    where TKey : notnull
{
    private readonly Spill _spill;
    private readonly TimerSet<TKey> _timers;
    private readonly Dictionary<TKey, Line> _lines = [];
    private long _slicesInMemory;

    public StoredSlidingOperator(
        string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks, Spill spill)
        : base(store, work, sinks)
    {
        _spill = spill;
        _timers = TimerSet<TKey>.Make(TimersOf(store), work.Keying.Codec, () => { }, spill);
        spill.Add(this);
    }

    public override long WaitsFor => _timers.Next;

    /// <summary>A line weighs as much as a slice, and one that has none any more is kept until it is let go of.</summary>
    public override long MemoryBytes => BytesOf(_slicesInMemory + _lines.Count);

    protected override long EntriesKept => EntryCount;

    public override void Restore(StateScope scope)
    {
        if (RestoreHead(scope) is not { } entries) return;
        _timers.Restore(scope);
        EntryCount = entries;
        if (entries != StoreHead.Uncounted) return;

        // Whoever ran without a limit did not count, and had timers in memory only. A key's slices lie one behind the other.
        EntryCount = 0;
        Line? line = null;
        foreach (var (keyBytes, value) in scope.Walk(Store, StoreHead.Behind))
        {
            var stored = Read(keyBytes.Span, value.Span);
            if (line is null || !EqualityComparer<TKey>.Default.Equals(line.Key, stored.Key))
            {
                if (line is not null) SetTimer(line, Watermark);
                line = new Line(stored.Key);
            }

            Enter(line, new Slice(stored.Key, stored.Window.Start) { Pane = stored.Pane }, Watermark);
            EntryCount++;
        }

        if (line is not null) SetTimer(line, Watermark);
    }

    public void Age(bool isEverything)
    {
        foreach (var (key, line) in _lines)
        {
            if (isEverything || !line.IsRecent)
            {
                _lines.Remove(key);
                _slicesInMemory -= line.Slices.Count;
            }

            line.IsRecent = false;
        }
    }

    protected override void Fire(long watermark)
    {
        while (_timers.TryTake(watermark, out var timer))
        {
            // What was due before has been done, by timers before this one.
            var line = Find(timer.Key, EventTime.Subtract(timer.Time, 1));
            line.TimerTime = null;
            Come(line, timer.Time);
            SetTimer(line, timer.Time);
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        base.SavePanes(scope);
        _timers.Save(scope);
    }

    protected override Line Find(TKey key) => Find(key, Watermark);

    /// <summary>None: keys come in the order of their bytes, and a key's slices in that of their times.</summary>
    protected override long NumberNext() => 0;

    protected override void OnAdded(Line line)
    {
        _slicesInMemory++;
        SetTimer(line, Watermark);
    }

    /// <summary>Ends and closes the windows that are due, closes first as they began earlier, and drops the slices that are.</summary>
    private void Come(Line line, long time)
    {
        while (line.Windows.Count > 0)
        {
            var window = WindowAt(line.Windows.GetKeyAtIndex(0));
            if (CloseTime(window) > time) break;
            if (window.MaxTimestamp >= time) End(line, window);
            Close(line, window);
        }

        for (var i = FirstOpen(line, EventTime.Subtract(time, 1)); i < line.Windows.Count; i++)
        {
            var window = WindowAt(line.Windows.GetKeyAtIndex(i));
            if (window.MaxTimestamp > time) break;
            End(line, window);
        }

        while (line.Slices.Count > 0 && EndOf(line.Slices.GetValueAtIndex(0)) <= time)
        {
            Drop(line, line.Slices.GetValueAtIndex(0));
            _slicesInMemory--;
        }
    }

    /// <summary>Sets a line's timer for what is next of it, everything up to a time being done.</summary>
    private void SetTimer(Line line, long asOf)
    {
        long? next = line.Slices.Count == 0 ? null : NextTime(line, asOf);
        if (next == line.TimerTime) return;
        if (line.TimerTime is { } before) _timers.Cancel(line.Key, "", before);
        if (next is { } time) _timers.Set(line.Key, "", time);
        line.TimerTime = next;
    }

    private long NextTime(Line line, long asOf)
    {
        var next = EndOf(line.Slices.GetValueAtIndex(0));
        if (line.Windows.Count > 0) next = Math.Min(next, CloseTime(WindowAt(line.Windows.GetKeyAtIndex(0))));
        var open = FirstOpen(line, asOf);
        return open == line.Windows.Count ? next : Math.Min(next, WindowAt(line.Windows.GetKeyAtIndex(open)).MaxTimestamp);
    }

    /// <summary>The index of the first window that had not ended by a time.</summary>
    private int FirstOpen(Line line, long asOf)
    {
        var (low, high) = (0, line.Windows.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (WindowAt(line.Windows.GetKeyAtIndex(middle)).MaxTimestamp <= asOf) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private Line Find(TKey key, long asOf)
    {
        if (!_lines.TryGetValue(key, out var line))
        {
            _lines.Add(key, line = new Line(key));
            foreach (var (keyBytes, value) in _spill.Scope.Scan(Store, RangeOf(key)))
            {
                var stored = Read(keyBytes.Span, value.Span);
                Enter(line, new Slice(stored.Key, stored.Window.Start) { Pane = stored.Pane }, asOf);
            }

            _slicesInMemory += line.Slices.Count;
            if (line.Slices.Count > 0) line.TimerTime = NextTime(line, asOf);
        }

        line.IsRecent = true;
        return line;
    }
}

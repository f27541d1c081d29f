using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>Sliding windows that are all in memory; those of one time end in the order in which their first slices came.</summary>
internal sealed class HeapSlidingOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : SlidingOperator<TKey, T, TAccumulator, TOut>(store, work, sinks)
    where TKey : notnull
{
    private readonly Dictionary<TKey, Line> _lines = [];
    private readonly PriorityQueue<(Line Line, Window Window), WindowDue> _timers = new();
    private readonly PriorityQueue<(Line Line, Slice Slice), long> _ends = new();

    public override long WaitsFor => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    public override void Restore(StateScope scope)
    {
        foreach (var stored in RestoreAll(scope))
        {
            Enter(Find(stored.Key), new Slice(stored.Key, stored.Window.Start) { Pane = stored.Pane }, Watermark);
            EntryCount++;
        }

        ForgetTimers(scope);
    }

    protected override void Fire(long watermark)
    {
        while (_timers.TryPeek(out var next, out var due) && due.Time <= watermark)
        {
            _timers.Dequeue();
            var (line, window) = next;
            if (due.IsEnd)
            {
                End(line, window);
                if (CloseTime(window) > due.Time)
                {
                    _timers.Enqueue(next, due with { Time = CloseTime(window), IsEnd = false });
                    continue;
                }
            }

            Close(line, window);
        }

        while (_ends.TryPeek(out var ending, out var end) && end <= watermark)
        {
            _ends.Dequeue();
            Drop(ending.Line, ending.Slice);
            if (ending.Line.Slices.Count == 0) _lines.Remove(ending.Line.Key);
        }
    }

    protected override Line Find(TKey key)
    {
        if (!_lines.TryGetValue(key, out var line)) _lines.Add(key, line = new Line(key));
        return line;
    }

    protected override long NumberNext() => NextOrdinal++;

    protected override void OnEntered(Line line, Slice slice) => _ends.Enqueue((line, slice), EndOf(slice));

    protected override void OnOpened(Line line, Window window, bool hasEnded)
    {
        var time = hasEnded ? CloseTime(window) : window.MaxTimestamp;
        _timers.Enqueue((line, window), new WindowDue(time, Anchor(line, window.Start), window.Start, !hasEnded));
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

using Millrace.Streams.Definition;
using Millrace.Streams.Keyed;

namespace Millrace.Streams.Windowing;

/// <summary>Windows of fixed places, wherever their panes are: which ones a record is in, and whether it is late for them.</summary>
internal abstract class FixedWindowOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : WindowingOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, PaneLayout.ByWindow, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 2;

    private readonly WindowAssigner _assigner = work.Settings.Windows;
    private AssignedWindows _assigned; // of the record before, whose windows are mostly those of the next

    protected sealed override bool Add(TKey key, T value, long timestamp)
    {
        if (timestamp < _assigned.Times.Start || timestamp >= _assigned.Times.End) _assigned = _assigner.Assign(timestamp);
        var (count, window, _) = _assigned;
        if (count == 0)
        {
            Counts.Unassigned++;
            return true;
        }

        var isKept = false;
        for (var i = 0; i < count; i++)
        {
            if (i > 0) window = _assigner.Next(window);
            if (IsLate(window))
            {
                Counts.LateWindows++;
                continue;
            }

            isKept = true;
            AddTo(window, key, value, timestamp);
        }

        return isKept;
    }

    protected abstract void AddTo(Window window, TKey key, T value, long timestamp);
}

/// <summary>A window that is open, with whatever its operator keeps of it.</summary>
internal abstract class OpenWindow(Window window)
{
    public Window Window { get; } = window;

    /// <summary>Whether its end has come, and it waits for its close.</summary>
    public bool HasEnded { get; set; }
}

/// <summary>
/// The windows of fixed places that are open, by their start. A window has one timer entry for all of its keys: the end, and after it the
/// close.
/// </summary>
internal sealed class OpenWindows<TOpen>(long lateness, Func<Window, TOpen> make)
    where TOpen : OpenWindow
{
    private readonly Dictionary<long, TOpen> _windows = [];
    private readonly PriorityQueue<TOpen, Due> _timers = new();
    private TOpen? _last;

    public Dictionary<long, TOpen>.ValueCollection All => _windows.Values;

    /// <summary>When the next end or close is; the end of time when there is none.</summary>
    public long Next => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    /// <summary>The window, opened if it is not open yet. Hot path.</summary>
    public TOpen Find(Window window, long watermark)
    {
        if (_last is { } last && last.Window.Start == window.Start) return last;
        if (!_windows.TryGetValue(window.Start, out var open))
        {
            open = make(window);
            open.HasEnded = window.MaxTimestamp <= watermark;
            _windows.Add(window.Start, open);
            _timers.Enqueue(open, new Due(open.HasEnded ? CloseTime(window) : window.MaxTimestamp, window.Start));
        }

        return _last = open;
    }

    /// <summary>
    /// Takes the next window whose end, close or both are due, in order of time. One that closes is not among the open ones any more.
    /// </summary>
    public bool TryTake(long watermark, out TOpen open, out bool isEnding, out bool isClosing)
    {
        (isEnding, isClosing) = (false, false);
        if (!_timers.TryPeek(out open!, out var due) || due.Time > watermark) return false;
        _timers.Dequeue();
        var closeTime = CloseTime(open.Window);
        (isEnding, isClosing) = (!open.HasEnded, open.HasEnded || closeTime <= due.Time);
        open.HasEnded = true;
        if (!isClosing)
        {
            _timers.Enqueue(open, new Due(closeTime, open.Window.Start));
            return true;
        }

        _windows.Remove(open.Window.Start);
        if (_last == open) _last = null;
        return true;
    }

    private long CloseTime(Window window) => EventTime.Add(window.MaxTimestamp, lateness);
}

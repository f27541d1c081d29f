using Millrace.Streams.Definition;

namespace Millrace.Streams.Operators;

/// <summary>Windows of fixed places, wherever their panes are: which ones a record is in, and whether it is late for them.</summary>
internal abstract class FixedWindowOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : WindowingOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, PaneLayout.ByWindow, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 2;

    private readonly WindowAssigner _assigner = work.Settings.Windows;

    protected sealed override bool Add(TKey key, T value, long timestamp)
    {
        var count = _assigner.Assign(timestamp, out var window);
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

using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>
/// What sessions and sliding windows have in common: panes that a key has at times of its own, which of them changed or went since the last
/// save, and timers per key, which are in the store as well with a limit of state.
/// </summary>
internal abstract class KeptPanesOperator<TKey, T, TAccumulator, TOut>(
    string store, byte kind, PaneLayout layout, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : WindowingOperator<TKey, T, TAccumulator, TOut>(store, kind, layout, work, sinks)
    where TKey : notnull
{
    private readonly List<KeptPane> _dirty = [];
    private readonly List<KeptPane> _deleted = [];

    public sealed override int Entries => (int)Math.Min(EntryCount, int.MaxValue);

    protected long EntryCount { get; set; }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var kept in _deleted) Delete(scope, kept.Key, NumberOf(kept.Window, kept.Pane));
        _deleted.Clear();
        foreach (var kept in _dirty)
        {
            if (kept.IsGone) continue;
            Put(scope, kept.Key, kept.Window, kept.Pane);
            kept.Pane.IsDirty = false;
            kept.Pane.IsStored = true;
        }

        _dirty.Clear();
    }

    /// <summary>Where the timers are; without a limit they are in memory only.</summary>
    protected static string TimersOf(string store) => $"{store}-ends";

    /// <summary>Deletes the timers of a run with a limit, before one without.</summary>
    protected void ForgetTimers(StateScope scope)
    {
        var timers = TimersOf(Store);
        foreach (var (key, _) in scope.Scan(timers)) scope.Delete(timers, key.Span);
    }

    protected void MarkDirty(KeptPane kept)
    {
        if (kept.Pane.IsDirty) return;
        kept.Pane.IsDirty = true;
        _dirty.Add(kept);
    }

    protected void Discard(KeptPane kept)
    {
        kept.IsGone = true;
        EntryCount--;
        if (kept.Pane.IsStored) _deleted.Add(kept);
    }

    /// <summary>A pane of a key, and where it is.</summary>
    protected class KeptPane(TKey key, Window window)
    {
        public Pane Pane;

        public TKey Key { get; } = key;

        public Window Window { get; set; } = window;

        public bool IsGone { get; set; }
    }
}

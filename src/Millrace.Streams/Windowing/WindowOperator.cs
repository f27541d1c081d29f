using System.Runtime.InteropServices;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Windows of fixed places whose panes are all in memory: tumbling, hopping, calendar days, the global one. Hot path: a record costs no
/// allocation once its key is in its window.
/// </summary>
internal sealed class WindowOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : FixedWindowOperator<TKey, T, TAccumulator, TOut>(store, work, sinks)
    where TKey : notnull
{
    private readonly OpenWindows<Panes> _windows = new(work.Settings.Lateness, window => new Panes(window));
    private readonly List<(TKey Key, long Start)> _deleted = [];
    private int _entries;

    public override int Entries => _entries;

    public override long WaitsFor => _windows.Next;

    public override void Restore(StateScope scope)
    {
        foreach (var stored in RestoreAll(scope))
        {
            _windows.Find(stored.Window, Watermark).Of(stored.Key, out _) = stored.Pane;
            _entries++;
        }
    }

    protected override void Fire(long watermark)
    {
        while (_windows.TryTake(watermark, out var panes, out var isEnding, out var isClosing))
        {
            if (isEnding)
            {
                for (var i = 0; i < panes.Count; i++) End(panes, i);
            }

            if (isClosing) Close(panes);
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var (key, start) in _deleted) Delete(scope, key, start);
        _deleted.Clear();
        foreach (var panes in _windows.All)
        {
            foreach (var index in panes.Dirty)
            {
                ref var pane = ref panes.Items[index];
                Put(scope, panes.Keys[index], panes.Window, pane);
                pane.IsDirty = false;
                pane.IsStored = true;
            }

            panes.Dirty.Clear();
        }
    }

    protected override void AddTo(Window window, TKey key, T value, long timestamp)
    {
        var panes = _windows.Find(window, Watermark);
        ref var pane = ref panes.Of(key, out var index);
        if (pane.Ordinal < 0)
        {
            pane.Ordinal = NextOrdinal++;
            _entries++;
        }

        panes.MarkDirty(index);
        Accumulate(ref pane, value);
        Act(Trigger.OnRecord(panes.Window, timestamp, Watermark, ref pane.TriggerState), key, panes.Window, ref pane);
    }

    private void End(Panes panes, int index)
    {
        ref var pane = ref panes.Items[index];
        panes.MarkDirty(index);
        Act(Trigger.OnEnd(panes.Window, ref pane.TriggerState), panes.Keys[index], panes.Window, ref pane);
    }

    private void Close(Panes panes)
    {
        for (var i = 0; i < panes.Count; i++)
        {
            ref var pane = ref panes.Items[i];
            Act(Trigger.OnClosing(panes.Window, ref pane.TriggerState), panes.Keys[i], panes.Window, ref pane);
            if (pane.IsStored) _deleted.Add((panes.Keys[i], panes.Window.Start));
        }

        _entries -= panes.Count;
    }

    /// <summary>The panes of a window, in the order in which their keys came.</summary>
    private sealed class Panes(Window window) : OpenWindow(window)
    {
        private readonly Dictionary<TKey, int> _indexes = [];

        public int Count { get; private set; }

        public TKey[] Keys { get; private set; } = new TKey[4];

        public Pane[] Items { get; private set; } = new Pane[4];

        public List<int> Dirty { get; } = [];

        /// <summary>The key's pane; a new one has an ordinal below zero.</summary>
        public ref Pane Of(TKey key, out int index)
        {
            ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(_indexes, key, out var exists);
            if (!exists)
            {
                if (Count == Keys.Length) Grow();
                Keys[Count] = key;
                Items[Count].Ordinal = -1;
                known = Count++;
            }

            index = known;
            return ref Items[index];
        }

        public void MarkDirty(int index)
        {
            ref var pane = ref Items[index];
            if (pane.IsDirty) return;
            pane.IsDirty = true;
            Dirty.Add(index);
        }

        private void Grow()
        {
            var length = Keys.Length * 2;
            var (keys, items) = (new TKey[length], new Pane[length]);
            Keys.CopyTo(keys, 0);
            Items.CopyTo(items, 0);
            Keys = keys;
            Items = items;
        }
    }
}

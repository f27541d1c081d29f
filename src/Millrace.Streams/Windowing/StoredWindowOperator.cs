using System.Runtime.InteropServices;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Windows of fixed places whose panes are in memory while they are used, and in the store otherwise. A window's results come in the order
/// of its keys' bytes: it is walked through in the store when it ends.
/// </summary>
internal sealed class StoredWindowOperator<TKey, T, TAccumulator, TOut> : FixedWindowOperator<TKey, T, TAccumulator, TOut>, ISpilling
    where TKey : notnull
{
    private readonly Spill _spill;
    private readonly OpenWindows<PartOfWindow> _windows;
    private readonly byte[] _prefix = new byte[8];
    private long _entries;
    private long _entriesInMemory;

    public StoredWindowOperator(
        string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks, Spill spill)
        : base(store, work, sinks)
    {
        _spill = spill;
        _windows = new OpenWindows<PartOfWindow>(Lateness, window => new PartOfWindow(window));
        spill.Add(this);
    }

    public override int Entries => (int)Math.Min(_entries, int.MaxValue);

    public override long WaitsFor => _windows.Next;

    public override long MemoryBytes => BytesOf(_entriesInMemory);

    protected override long EntriesKept => _entries;

    public override void Restore(StateScope scope)
    {
        if (RestoreHead(scope) is not { } entries) return;

        // From each window's first pane to the first one of the next window.
        var next = StoreHead.Behind with { EntriesMax = 1 };
        while (scope.Scan(Store, next) is [var first])
        {
            var window = Read(first.Key.Span, first.Value.Span).Window;
            _windows.Find(window, Watermark).IsElsewhere = true;
            if (StateRange.Prefix(PrefixOf(window)).To is not { } end) break;
            next = next with { From = end };
        }

        // Whoever ran without a limit did not count.
        _entries = entries != StoreHead.Uncounted ? entries : scope.Walk(Store, StoreHead.Behind).LongCount();
    }

    public void Age(bool isEverything)
    {
        foreach (var open in _windows.All)
        {
            if (isEverything || !open.IsRecent) Drop(open);
            open.IsRecent = false;
        }
    }

    protected override void AddTo(Window window, TKey key, T value, long timestamp)
    {
        var open = _windows.Find(window, Watermark);
        open.IsRecent = true;
        ref var pane = ref CollectionsMarshal.GetValueRefOrAddDefault(open.Panes, key, out var isInMemory);
        if (!isInMemory)
        {
            _entriesInMemory++;
            if (!TryRead(open, key, ref pane)) _entries++;
        }

        if (!pane.IsDirty)
        {
            pane.IsDirty = true;
            open.Dirty.Add(key);
        }

        Accumulate(ref pane, value);
        Act(Trigger.OnRecord(window, timestamp, Watermark, ref pane.TriggerState), key, window, ref pane);
    }

    protected override void Fire(long watermark)
    {
        while (_windows.TryTake(watermark, out var open, out var isEnding, out var isClosing)) Walk(open, isEnding, isClosing);
    }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var open in _windows.All) Save(scope, open);
    }

    /// <summary>Ends or closes each pane, in memory or not: what is in memory is written first.</summary>
    private void Walk(PartOfWindow open, bool isEnding, bool isClosing)
    {
        var scope = _spill.Scope;
        Save(scope, open);
        foreach (var (key, value) in scope.Walk(Store, StateRange.Prefix(PrefixOf(open.Window))))
        {
            var stored = Read(key.Span, value.Span);
            var pane = stored.Pane;
            if (isEnding) Act(Trigger.OnEnd(open.Window, ref pane.TriggerState), stored.Key, open.Window, ref pane);
            if (isClosing)
            {
                Act(Trigger.OnClosing(open.Window, ref pane.TriggerState), stored.Key, open.Window, ref pane);
                scope.Delete(Store, key.Span);
                _entries--;
            }
            else
            {
                Put(scope, stored.Key, open.Window, pane);
            }
        }

        Drop(open);
    }

    /// <summary>Lets go of a window's panes, which are saved.</summary>
    private void Drop(PartOfWindow open)
    {
        _entriesInMemory -= open.Panes.Count;
        open.IsElsewhere |= open.Panes.Count > 0;
        open.Panes = [];
    }

    private void Save(StateScope scope, PartOfWindow open)
    {
        foreach (var key in open.Dirty)
        {
            ref var pane = ref CollectionsMarshal.GetValueRefOrNullRef(open.Panes, key);
            Put(scope, key, open.Window, pane);
            pane.IsDirty = false;
        }

        open.Dirty.Clear();
    }

    private bool TryRead(PartOfWindow open, TKey key, ref Pane pane)
    {
        if (!open.IsElsewhere) return false;
        var bytes = WriteKey(key, open.Window.Start);
        if (!_spill.Scope.TryGet(Store, bytes, out var value)) return false;
        pane = Read(bytes, value.Span).Pane;
        return true;
    }

    private byte[] PrefixOf(Window window)
    {
        StateBytes.WriteOrdered(_prefix, window.Start);
        return _prefix;
    }

    /// <summary>A window and those of its panes that are in memory.</summary>
    private sealed class PartOfWindow(Window window) : OpenWindow(window)
    {
        public Dictionary<TKey, Pane> Panes { get; set; } = [];

        public List<TKey> Dirty { get; } = [];

        /// <summary>Whether the store may have panes that are not in memory.</summary>
        public bool IsElsewhere { get; set; }

        public bool IsRecent { get; set; }
    }
}

using System.Runtime.InteropServices;
using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>
/// Windows of fixed places whose panes are in memory while they are used, and in the store otherwise. A window's results come in the order
/// of its keys' bytes: it is walked through in the store when it ends.
/// </summary>
internal sealed class StoredWindowOperator<TKey, T, TAccumulator, TOut> : FixedWindowOperator<TKey, T, TAccumulator, TOut>, ISpilling
    where TKey : notnull
{
    private readonly Spill _spill;
    private readonly Dictionary<long, OpenWindow> _windows = [];
    private readonly PriorityQueue<OpenWindow, Due> _timers = new();
    private readonly byte[] _prefix = new byte[8];
    private OpenWindow? _last;
    private long _entries;

    public StoredWindowOperator(
        string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks, Spill spill)
        : base(store, work, sinks)
    {
        _spill = spill;
        spill.Add(this);
    }

    public override int Entries => (int)Math.Min(_entries, int.MaxValue);

    public override long WaitsFor => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    public override long MemoryBytes => BytesOf(_windows.Values.Sum(open => (long)open.Panes.Count));

    protected override long EntriesKept => _entries;

    public override void Restore(StateScope scope)
    {
        if (RestoreHead(scope) is not { } entries) return;

        // From each window's first pane to the first one of the next window.
        var next = new StateRange { From = (byte[])[0], EntriesMax = 1 };
        while (scope.Scan(Store, next) is [var first])
        {
            var window = Read(first.Key.Span, first.Value.Span).Window;
            Find(window).IsElsewhere = true;
            if (StateRange.Prefix(PrefixOf(window)).To is not { } end) break;
            next = next with { From = end };
        }

        // Whoever ran without a limit did not count.
        _entries = entries != StoreHead.Uncounted ? entries
            : scope.Walk(Store, new StateRange { From = (byte[])[0] }).LongCount();
    }

    public void Age()
    {
        var old = _windows.Values.Where(open => open is { IsRecent: false, Panes.Count: > 0 }).ToList();
        foreach (var open in old.Count > 0 ? old : [.. _windows.Values]) open.Drop();
        foreach (var open in _windows.Values) open.IsRecent = false;
    }

    protected override void AddTo(Window window, TKey key, T value, long timestamp)
    {
        var open = Find(window);
        open.IsRecent = true;
        ref var pane = ref CollectionsMarshal.GetValueRefOrAddDefault(open.Panes, key, out var isInMemory);
        if (!isInMemory && !TryRead(open, key, ref pane)) _entries++;
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
        while (_timers.TryPeek(out var open, out var due) && due.Time <= watermark)
        {
            _timers.Dequeue();
            var closeTime = CloseTime(open.Window);
            var (isEnding, isClosing) = (!open.HasEnded, open.HasEnded || closeTime <= due.Time);
            open.HasEnded = true;
            Walk(open, isEnding, isClosing);
            if (!isClosing) _timers.Enqueue(open, new Due(closeTime, open.Window.Start));
            else if (_windows.Remove(open.Window.Start) && _last == open) _last = null;
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var open in _windows.Values) Save(scope, open);
    }

    protected override void RestorePane(in StoredPane stored) => throw new InvalidOperationException("Panes are read when they are used.");

    /// <summary>Ends or closes each pane, in memory or not: what is in memory is written first.</summary>
    private void Walk(OpenWindow open, bool isEnding, bool isClosing)
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

        open.Drop();
    }

    private void Save(StateScope scope, OpenWindow open)
    {
        foreach (var key in open.Dirty)
        {
            ref var pane = ref CollectionsMarshal.GetValueRefOrNullRef(open.Panes, key);
            Put(scope, key, open.Window, pane);
            pane.IsDirty = false;
        }

        open.Dirty.Clear();
    }

    private bool TryRead(OpenWindow open, TKey key, ref Pane pane)
    {
        if (!open.IsElsewhere) return false;
        var bytes = WriteKey(key, open.Window.Start);
        if (!_spill.Scope.TryGet(Store, bytes, out var value)) return false;
        pane = Read(bytes, value.Span).Pane;
        return true;
    }

    private OpenWindow Find(Window window)
    {
        if (_last is { } last && last.Window.Start == window.Start) return last;
        if (!_windows.TryGetValue(window.Start, out var open))
        {
            open = new OpenWindow(window) { HasEnded = window.MaxTimestamp <= Watermark };
            _windows.Add(window.Start, open);
            _timers.Enqueue(open, new Due(open.HasEnded ? CloseTime(window) : window.MaxTimestamp, window.Start));
        }

        return _last = open;
    }

    private byte[] PrefixOf(Window window)
    {
        StateBytes.WriteOrdered(_prefix, window.Start);
        return _prefix;
    }

    /// <summary>A window and those of its panes that are in memory.</summary>
    private sealed class OpenWindow(Window window)
    {
        public Window Window { get; } = window;

        public bool HasEnded { get; set; }

        public Dictionary<TKey, Pane> Panes { get; private set; } = [];

        public List<TKey> Dirty { get; } = [];

        /// <summary>Whether the store may have panes that are not in memory.</summary>
        public bool IsElsewhere { get; set; }

        public bool IsRecent { get; set; }

        /// <summary>Lets go of its panes, which are saved.</summary>
        public void Drop()
        {
            IsElsewhere |= Panes.Count > 0;
            Panes = [];
        }
    }
}

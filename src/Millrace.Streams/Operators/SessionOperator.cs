using Millrace.Streams.Definition;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>
/// Sessions per key. A session has one timer entry: when that comes up and the session has grown meanwhile, it is set again, so a record
/// touches no heap.
/// </summary>
internal sealed class SessionOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : WindowingOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 3;

    private readonly WindowAssigner _assigner = work.Settings.Windows;
    private readonly bool _isRetracting = work.Settings.IsRetracting;
    private readonly Dictionary<TKey, List<OpenSession>> _sessions = [];
    private readonly PriorityQueue<OpenSession, Due> _timers = new();
    private readonly List<OpenSession> _dirty = [];
    private readonly List<(TKey Key, long Ordinal)> _deleted = [];
    private int _entries;

    public override int Entries => _entries;

    public override long WaitsFor => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    protected override bool Add(TKey key, T value, long timestamp)
    {
        _assigner.Assign(timestamp, out var window);
        _sessions.TryGetValue(key, out var sessions);
        var session = sessions is null ? null : Join(sessions, window);
        if (session is null)
        {
            if (IsLate(window))
            {
                Counts.LateWindows++;
                return false;
            }

            if (sessions is null) _sessions.Add(key, sessions = []);
            session = new OpenSession(key, window);
            session.Pane.Ordinal = NextOrdinal++;
            Open(sessions, session);
        }

        MarkDirty(session);
        Accumulate(ref session.Pane, value);
        Act(session, Trigger.OnRecord(session.Window, timestamp, Watermark, ref session.Pane.TriggerState));
        return true;
    }

    protected override void Fire(long watermark)
    {
        while (_timers.TryPeek(out var session, out var due) && due.Time <= watermark)
        {
            _timers.Dequeue();
            if (session.IsGone || session.TimerTime != due.Time) continue;
            if (NextTime(session) > due.Time)
            {
                SetTimer(session);
                continue;
            }

            if (!session.HasEnded)
            {
                session.HasEnded = true;
                MarkDirty(session);
                Act(session, Trigger.OnEnd(session.Window, ref session.Pane.TriggerState));
                if (NextTime(session) > due.Time)
                {
                    SetTimer(session);
                    continue;
                }
            }

            Act(session, Trigger.OnClosing(session.Window, ref session.Pane.TriggerState));
            var sessions = _sessions[session.Key];
            Remove(sessions, session);
            if (sessions.Count == 0) _sessions.Remove(session.Key);
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        foreach (var (key, ordinal) in _deleted) Delete(scope, key, ordinal);
        _deleted.Clear();
        foreach (var session in _dirty)
        {
            if (session.IsGone) continue;
            Put(scope, session.Key, session.Window, session.Pane);
            session.Pane.IsDirty = false;
            session.Pane.IsStored = true;
        }

        _dirty.Clear();
    }

    protected override void RestorePane(in StoredPane stored)
    {
        if (!_sessions.TryGetValue(stored.Key, out var sessions)) _sessions.Add(stored.Key, sessions = []);
        Open(sessions, new OpenSession(stored.Key, stored.Window) { Pane = stored.Pane });
    }

    /// <summary>
    /// The session that a record's window touches, grown by it; when it bridges several, they become the earliest of them.
    /// </summary>
    private OpenSession? Join(List<OpenSession> sessions, Window window)
    {
        OpenSession? joined = null;
        for (var i = 0; i < sessions.Count; i++)
        {
            var session = sessions[i];
            if (session.Window.Start > window.End || session.Window.End < window.Start) continue;
            if (joined is null)
            {
                joined = session;
                Grow(joined, new Window(Math.Min(window.Start, session.Window.Start), Math.Max(window.End, session.Window.End)));
                continue;
            }

            Retract(session);
            Merge(joined, session);
            Remove(sessions, session);
            i--;
        }

        return joined;
    }

    private void Grow(OpenSession session, Window window)
    {
        if (window == session.Window) return;
        Retract(session);
        session.Window = window;
        session.HasEnded = window.MaxTimestamp <= Watermark;
        // A session that had ended, and waited for its close, ends again: before that close.
        if (NextTime(session) < session.TimerTime) SetTimer(session);
    }

    private void Merge(OpenSession joined, OpenSession later)
    {
        Grow(joined, new Window(Math.Min(joined.Window.Start, later.Window.Start), Math.Max(joined.Window.End, later.Window.End)));
        ref var left = ref joined.Pane;
        if (later.Pane.HasValue)
        {
            left.Accumulator = left.HasValue ? Merge(left.Accumulator, later.Pane.Accumulator) : later.Pane.Accumulator;
            left.HasValue = true;
        }

        left.TriggerState = Trigger.Merge(left.TriggerState, later.Pane.TriggerState);
    }

    private void Act(OpenSession session, TriggerActions actions)
    {
        if (session.Pane.HasValue && (actions & TriggerActions.Fire) != 0) session.Pane.HasFired = true;
        Act(actions, session.Key, session.Window, ref session.Pane);
    }

    private void Retract(OpenSession session)
    {
        if (!_isRetracting || !session.Pane.HasFired) return;
        session.Pane.HasFired = false;
        if (session.Pane.HasValue) Say(session.Key, session.Window, session.Pane.Accumulator, isRetraction: true);
    }

    /// <summary>Adds a session in order of start.</summary>
    private void Open(List<OpenSession> sessions, OpenSession session)
    {
        var index = sessions.Count;
        while (index > 0 && sessions[index - 1].Window.Start > session.Window.Start) index--;
        sessions.Insert(index, session);
        session.HasEnded = session.Window.MaxTimestamp <= Watermark;
        SetTimer(session);
        _entries++;
    }

    private void Remove(List<OpenSession> sessions, OpenSession session)
    {
        sessions.Remove(session);
        session.IsGone = true;
        _entries--;
        if (session.Pane.IsStored) _deleted.Add((session.Key, session.Pane.Ordinal));
    }

    private long NextTime(OpenSession session) => session.HasEnded ? CloseTime(session.Window) : session.Window.MaxTimestamp;

    private void SetTimer(OpenSession session)
    {
        session.TimerTime = NextTime(session);
        _timers.Enqueue(session, new Due(session.TimerTime, session.Pane.Ordinal));
    }

    private void MarkDirty(OpenSession session)
    {
        if (session.Pane.IsDirty) return;
        session.Pane.IsDirty = true;
        _dirty.Add(session);
    }

    private sealed class OpenSession(TKey key, Window window)
    {
        public Pane Pane;

        public TKey Key { get; } = key;

        public Window Window { get; set; } = window;

        public bool HasEnded { get; set; }

        /// <summary>The time of the one entry of the heap that counts.</summary>
        public long TimerTime { get; set; }

        public bool IsGone { get; set; }
    }
}

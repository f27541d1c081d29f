using Millrace.Streams.Definition;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Sessions per key, wherever they are: how they grow, join and end. A session's timer is set again when it comes up and the session has
/// grown meanwhile, so a record sets none.
/// </summary>
internal abstract class SessionOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : KeptPanesOperator<TKey, T, TAccumulator, TOut>(store, StoreKind, PaneLayout.ByKeyAndOrdinal, work, sinks)
    where TKey : notnull
{
    private const byte StoreKind = 3;

    private readonly WindowAssigner _assigner = work.Settings.Windows;
    private readonly bool _isRetracting = work.Settings.IsRetracting;

    protected override bool Add(TKey key, T value, long timestamp)
    {
        var window = _assigner.Assign(timestamp).First;
        var sessions = Find(key);
        var session = sessions is null ? null : Join(sessions, window);
        if (session is null)
        {
            if (IsLate(window))
            {
                Counts.LateWindows++;
                return false;
            }

            sessions ??= Begin(key);
            session = new OpenSession(key, window);
            session.Pane.Ordinal = OrdinalIn(sessions);
            session.Pane.HasEnded = window.MaxTimestamp <= Watermark;
            Insert(sessions, session);
            SetTimer(session);
            EntryCount++;
        }

        MarkDirty(session);
        Accumulate(ref session.Pane, value);
        Act(session, Trigger.OnRecord(session.Window, timestamp, Watermark, ref session.Pane.TriggerState));
        return true;
    }

    /// <summary>The sessions of a key, in order of start; null when there are none.</summary>
    protected abstract List<OpenSession>? Find(TKey key);

    /// <summary>A key gets its first session.</summary>
    protected abstract List<OpenSession> Begin(TKey key);

    /// <summary>A key has no session any more.</summary>
    protected abstract void End(TKey key);

    /// <summary>The ordinal of a new session.</summary>
    protected abstract long OrdinalIn(List<OpenSession> sessions);

    /// <summary>Sets a session's timer for its next time.</summary>
    protected abstract void SetTimer(OpenSession session);

    /// <summary>A session's timer has come up.</summary>
    protected void Come(List<OpenSession> sessions, OpenSession session, long time)
    {
        if (NextTime(session) > time)
        {
            SetTimer(session);
            return;
        }

        if (!session.Pane.HasEnded)
        {
            session.Pane.HasEnded = true;
            MarkDirty(session);
            Act(session, Trigger.OnEnd(session.Window, ref session.Pane.TriggerState));
            if (NextTime(session) > time)
            {
                SetTimer(session);
                return;
            }
        }

        Act(session, Trigger.OnClosing(session.Window, ref session.Pane.TriggerState));
        Remove(sessions, session);
        if (sessions.Count == 0) End(session.Key);
    }

    /// <summary>Puts a session among those of its key, in order of start.</summary>
    protected static void Insert(List<OpenSession> sessions, OpenSession session)
    {
        var index = sessions.Count;
        while (index > 0 && sessions[index - 1].Window.Start > session.Window.Start) index--;
        sessions.Insert(index, session);
    }

    protected long NextTime(OpenSession session) =>
        session.Pane.HasEnded ? CloseTime(session.Window) : session.Window.MaxTimestamp;

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
        session.Pane.HasEnded = window.MaxTimestamp <= Watermark;

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

    private void Remove(List<OpenSession> sessions, OpenSession session)
    {
        sessions.Remove(session);
        Discard(session);
    }

    protected sealed class OpenSession(TKey key, Window window) : KeptPane(key, window)
    {
        /// <summary>When its timer comes up, or an earlier one.</summary>
        public long TimerTime { get; set; }
    }
}

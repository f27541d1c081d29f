using Millrace.Streams.Definition;
using Millrace.Streams.Keyed;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>Sessions that are all in memory; those of one time end in the order in which they began to exist.</summary>
internal sealed class HeapSessionOperator<TKey, T, TAccumulator, TOut>(
    string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks)
    : SessionOperator<TKey, T, TAccumulator, TOut>(store, work, sinks)
    where TKey : notnull
{
    private readonly Dictionary<TKey, List<OpenSession>> _sessions = [];
    private readonly PriorityQueue<OpenSession, Due> _timers = new();

    public override long WaitsFor => _timers.TryPeek(out _, out var due) ? due.Time : long.MaxValue;

    public override void Restore(StateScope scope)
    {
        foreach (var stored in RestoreAll(scope))
        {
            var session = new OpenSession(stored.Key, stored.Window) { Pane = stored.Pane };
            session.Pane.HasEnded = stored.Window.MaxTimestamp <= Watermark;
            Insert(Find(stored.Key) ?? Begin(stored.Key), session);
            SetTimer(session);
            EntryCount++;
        }

        ForgetTimers(scope);
    }

    protected override void Fire(long watermark)
    {
        while (_timers.TryPeek(out var session, out var due) && due.Time <= watermark)
        {
            _timers.Dequeue();
            if (!session.IsGone && session.TimerTime == due.Time) Come(_sessions[session.Key], session, due.Time);
        }
    }

    protected override List<OpenSession>? Find(TKey key) => _sessions.GetValueOrDefault(key);

    protected override List<OpenSession> Begin(TKey key) => _sessions[key] = [];

    protected override void End(TKey key) => _sessions.Remove(key);

    protected override long OrdinalIn(List<OpenSession> sessions) => NextOrdinal++;

    /// <summary>The one before does not count any more when it comes.</summary>
    protected override void SetTimer(OpenSession session)
    {
        session.TimerTime = NextTime(session);
        _timers.Enqueue(session, new Due(session.TimerTime, session.Pane.Ordinal));
    }
}

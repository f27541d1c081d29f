using System.Globalization;
using Millrace.Streams.Definition;
using Millrace.Streams.Keyed;
using Millrace.Streams.States;

namespace Millrace.Streams.Windowing;

/// <summary>
/// Sessions that are in memory while their key is used, all of a key or none, and in the store otherwise; their timers likewise. Those of
/// one time end in the order of their keys' bytes. Ordinals count within a key, from the greatest that it has.
/// </summary>
internal sealed class StoredSessionOperator<TKey, T, TAccumulator, TOut> : SessionOperator<TKey, T, TAccumulator, TOut>, ISpilling
    where TKey : notnull
{
    private readonly Spill _spill;
    private readonly TimerSet<TKey> _ends;
    private readonly Dictionary<TKey, KeySessions> _sessions = [];

    public StoredSessionOperator(
        string store, WindowWork<TKey, T, TAccumulator, TOut> work, WindowSinks<TKey, T, TOut> sinks, Spill spill)
        : base(store, work, sinks)
    {
        _spill = spill;
        _ends = TimerSet<TKey>.Make(TimersOf(store), work.Keying.Codec, () => { }, spill);
        spill.Add(this);
    }

    public override long WaitsFor => _ends.Next;

    /// <summary>A session per key in memory, as most have at most one.</summary>
    public override long MemoryBytes => BytesOf(_sessions.Count);

    protected override long EntriesKept => EntryCount;

    public override void Restore(StateScope scope)
    {
        if (RestoreHead(scope) is not { } entries) return;
        _ends.Restore(scope);
        EntryCount = entries;
        if (entries != StoreHead.Uncounted) return;

        // Whoever ran without a limit did not count, and had timers in memory only.
        EntryCount = 0;
        foreach (var (key, value) in scope.Walk(Store, StoreHead.Behind))
        {
            var stored = Read(key.Span, value.Span);
            SetTimer(new OpenSession(stored.Key, stored.Window) { Pane = stored.Pane });
            EntryCount++;
        }
    }

    public void Age(bool isEverything)
    {
        foreach (var (key, sessions) in _sessions)
        {
            if (isEverything || !sessions.IsRecent) _sessions.Remove(key);
            else sessions.IsRecent = false;
        }
    }

    protected override void Fire(long watermark)
    {
        while (_ends.TryTake(watermark, out var timer))
        {
            var ordinal = long.Parse(timer.Name, CultureInfo.InvariantCulture);
            if (Find(timer.Key) is { } sessions && sessions.Find(one => one.Pane.Ordinal == ordinal) is { } session)
                Come(sessions, session, timer.Time);
        }
    }

    protected override void SavePanes(StateScope scope)
    {
        base.SavePanes(scope);
        _ends.Save(scope);
    }

    protected override List<OpenSession>? Find(TKey key)
    {
        if (!_sessions.TryGetValue(key, out var sessions))
        {
            _sessions.Add(key, sessions = new KeySessions());
            foreach (var (keyBytes, value) in _spill.Scope.Scan(Store, RangeOf(key)))
            {
                var stored = Read(keyBytes.Span, value.Span);
                var session = new OpenSession(key, stored.Window) { Pane = stored.Pane };

                // It has a timer for then, or an earlier one that sets it.
                session.TimerTime = NextTime(session);
                Insert(sessions.Open, session);
            }
        }

        sessions.IsRecent = true;
        return sessions.Open.Count == 0 ? null : sessions.Open;
    }

    protected override List<OpenSession> Begin(TKey key) => _sessions[key].Open;

    /// <summary>Nothing: that a key has none is known until it is let go of, as the store does not know it before the next save.</summary>
    protected override void End(TKey key)
    {
    }

    protected override long OrdinalIn(List<OpenSession> sessions) => sessions.Count == 0 ? 0 : sessions.Max(one => one.Pane.Ordinal) + 1;

    protected override void SetTimer(OpenSession session)
    {
        session.TimerTime = NextTime(session);
        _ends.Set(session.Key, session.Pane.Ordinal.ToString(CultureInfo.InvariantCulture), session.TimerTime);
    }

    private sealed class KeySessions
    {
        public List<OpenSession> Open { get; } = [];

        public bool IsRecent { get; set; }
    }
}

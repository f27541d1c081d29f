using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>
/// Timers of which the next ones are in memory, and all in the store; those of one time in the order of their bytes there. What was set or
/// removed since the last save is in memory as well, whenever it is due.
/// </summary>
internal sealed class StoredTimers<TKey>(string store, StateCodec<TKey> codec, Action onChange, Spill spill)
    : TimerSet<TKey>(store, codec, onChange)
    where TKey : notnull
{
    /// <summary>How many of the next ones are in memory at most after a save, and how many are read at once.</summary>
    private const int NextMax = 1_024, PageEntries = 512;

    private readonly SortedDictionary<byte[], TimerId<TKey>> _next = new(ByBytes.Comparer);

    /// <summary>Since the last save, by key in the store: the value, or null when it was removed.</summary>
    private readonly SortedDictionary<byte[], byte[]?> _changed = new(ByBytes.Comparer);

    /// <summary>All timers up to this key are among the next ones; null when these are all.</summary>
    private byte[]? _upTo;
    private long _count;
    private long? _nextTime; // null when it has to be found

    public override int Count => (int)Math.Min(_count, int.MaxValue);

    public override long Next => _nextTime ??= FindNext();

    public override void Save(StateScope scope)
    {
        foreach (var (key, value) in _changed)
        {
            if (value is null) scope.Delete(Store, key);
            else scope.Put(Store, key, value);
        }

        _changed.Clear();
        Head.Save(scope, 0, _count);
        if (_next.Count <= NextMax) return;
        foreach (var key in _next.Keys.Skip(NextMax / 2).ToList()) _next.Remove(key);
        _upTo = _next.Keys.Last();
    }

    public override void Restore(StateScope scope)
    {
        if (Head.Find(scope) is not { } head) return;
        var dues = StateRange.Prefix([DueTag]);
        _count = head.Entries != StoreHead.Uncounted ? head.Entries : scope.Walk(Store, dues).LongCount();
        _upTo = _count == 0 ? null : [DueTag];
        _nextTime = null;
    }

    protected override void Add(TimerId<TKey> timer)
    {
        var key = KeyOf(timer).ToArray();
        if (IsSet(key)) return;
        _count++;
        _changed[key] = ValueOf(0, timer.Period);
        if (timer.Period > 0) _changed[RepeatingKeyOf(timer.Key, timer.Name).ToArray()] = ValueOf(timer.Time, timer.Period);
        if (IsNear(key)) _next.Add(key, timer);
        if (timer.Time < _nextTime) _nextTime = timer.Time;
        Change();
    }

    protected override void Remove(TimerId<TKey> timer)
    {
        var key = KeyOf(timer).ToArray();
        if (!IsSet(key)) return;
        _count--;
        _changed[key] = null;
        if (timer.Period > 0) _changed[RepeatingKeyOf(timer.Key, timer.Name).ToArray()] = null;
        _next.Remove(key);
        if (timer.Time == _nextTime) _nextTime = null;
        Change();
    }

    protected override TimerId<TKey>? FindRepeating(TKey key, string name)
    {
        var repeating = RepeatingKeyOf(key, name).ToArray();
        if (_changed.TryGetValue(repeating, out var value))
        {
            if (value is null) return null;
        }
        else if (spill.Scope.TryGet(Store, repeating, out var stored))
        {
            value = stored.ToArray();
        }
        else
        {
            return null;
        }

        var (time, period) = ReadValue(value);
        return new TimerId<TKey>(key, name, time, period);
    }

    protected override TimerId<TKey> First()
    {
        foreach (var timer in _next.Values) return timer;
        throw new InvalidOperationException("There is no timer.");
    }

    private bool IsSet(byte[] key)
    {
        if (_changed.TryGetValue(key, out var value)) return value is not null;
        return IsNear(key) ? _next.ContainsKey(key) : spill.Scope.TryGet(Store, key, out _);
    }

    private bool IsNear(byte[] key) => _upTo is null || key.AsSpan().SequenceCompareTo(_upTo) <= 0;

    private long FindNext()
    {
        while (_next.Count == 0 && _upTo is not null) ReadOn();
        return _next.Count == 0 ? long.MaxValue : First().Time;
    }

    /// <summary>Takes the next ones from the store, and those among them that are not there yet.</summary>
    private void ReadOn()
    {
        var from = _upTo!;
        var page = spill.Scope.Scan(Store, (StateRange.Prefix([DueTag]) with { EntriesMax = PageEntries }).After(from));
        _upTo = page.Count < PageEntries ? null : page[^1].Key.ToArray();
        foreach (var (key, value) in page)
        {
            var bytes = key.ToArray();
            if (!_changed.ContainsKey(bytes)) _next.Add(bytes, Read(bytes, ReadValue(value.Span).Period));
        }

        foreach (var (key, value) in _changed)
        {
            if (value is null || key[0] != DueTag || key.AsSpan().SequenceCompareTo(from) <= 0 || !IsNear(key)) continue;
            _next.Add(key, Read(key, ReadValue(value).Period));
        }
    }
}

using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>
/// Timers that are all in memory; those of one time in the order in which they were set. A timer that was removed stays in the heap until
/// its time comes.
/// </summary>
internal sealed class HeapTimers<TKey>(string store, StateCodec<TKey> codec, Action onChange) : TimerSet<TKey>(store, codec, onChange)
    where TKey : notnull
{
    private readonly Dictionary<TimerId<TKey>, Known> _known = []; // of those that are set
    private readonly Dictionary<(TKey Key, string Name), TimerId<TKey>> _repeating = [];
    private readonly PriorityQueue<TimerId<TKey>, Due> _heap = new();
    private readonly HashSet<TimerId<TKey>> _changed = []; // since the last save
    private readonly HashSet<TimerId<TKey>> _removed = []; // since the last save, of those in the store
    private long _nextOrdinal;

    public override int Count => _known.Count;

    public override long Next
    {
        get
        {
            while (_heap.TryPeek(out var timer, out var due))
            {
                if (_known.TryGetValue(timer, out var known) && known.Ordinal == due.Ordinal) return due.Time;
                _heap.Dequeue();
            }

            return long.MaxValue;
        }
    }

    public override void Save(StateScope scope)
    {
        Head.Save(scope, 0);
        foreach (var timer in _removed)
        {
            scope.Delete(Store, KeyOf(timer));
            if (timer.Period > 0) scope.Delete(Store, RepeatingKeyOf(timer.Key, timer.Name));
        }

        foreach (var timer in _changed)
        {
            if (!_known.TryGetValue(timer, out var known)) continue;
            _known[timer] = known with { IsStored = true };
            scope.Put(Store, KeyOf(timer), ValueOf(known.Ordinal, timer.Period));
            if (timer.Period > 0) scope.Put(Store, RepeatingKeyOf(timer.Key, timer.Name), ValueOf(timer.Time, timer.Period));
        }

        _removed.Clear();
        _changed.Clear();
    }

    public override void Restore(StateScope scope)
    {
        var restored = new List<(TimerId<TKey> Timer, long Ordinal)>();
        foreach (var (key, value) in scope.Scan(Store))
        {
            if (key.IsEmpty) Head.Read(value.Span);
            if (key.IsEmpty || key.Span[0] != DueTag) continue;
            var (ordinal, period) = ReadValue(value.Span);
            restored.Add((Read(key.Span, period), ordinal));
        }

        // Whoever ran with a limit had no ordinals: there timers of one time come by their bytes, and now get ordinals in that order.
        var isNumbered = restored.DistinctBy(one => one.Ordinal).Count() == restored.Count;
        foreach (var (timer, ordinal) in restored)
        {
            if (isNumbered) _nextOrdinal = ordinal;
            else _changed.Add(timer);
            Put(timer, isStored: true);
        }

        if (isNumbered && restored.Count > 0) _nextOrdinal = restored.Max(one => one.Ordinal) + 1;
    }

    protected override void Add(TimerId<TKey> timer)
    {
        if (_known.ContainsKey(timer)) return;
        Put(timer, isStored: false);
        _changed.Add(timer);
        Change();
    }

    protected override void Remove(TimerId<TKey> timer)
    {
        if (!_known.Remove(timer, out var known)) return;
        if (timer.Period > 0) _repeating.Remove((timer.Key, timer.Name));
        if (known.IsStored) _removed.Add(timer);
        Change();
    }

    protected override TimerId<TKey>? FindRepeating(TKey key, string name) =>
        _repeating.TryGetValue((key, name), out var timer) ? timer : null;

    protected override TimerId<TKey> First() => _heap.Dequeue();

    private void Put(TimerId<TKey> timer, bool isStored)
    {
        var ordinal = _nextOrdinal++;
        _known.Add(timer, new Known(ordinal, isStored));
        if (timer.Period > 0) _repeating[(timer.Key, timer.Name)] = timer;
        _heap.Enqueue(timer, new Due(timer.Time, ordinal));
    }

    private readonly record struct Known(long Ordinal, bool IsStored);
}

/// <summary>When something is due; of equal times the earlier made first.</summary>
internal readonly record struct Due(long Time, long Ordinal) : IComparable<Due>
{
    public int CompareTo(Due other)
    {
        var byTime = Time.CompareTo(other.Time);
        return byTime != 0 ? byTime : Ordinal.CompareTo(other.Ordinal);
    }
}

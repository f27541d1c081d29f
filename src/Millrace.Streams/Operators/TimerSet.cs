using System.Buffers;
using System.Text;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>One timer of a key: period 0 for one that fires once.</summary>
internal readonly record struct TimerId<TKey>(TKey Key, string Name, long Time, long Period);

/// <summary>
/// The timers of one kind of an operator, in order of time and of setting. A timer that was removed stays in the heap until its time comes.
/// </summary>
internal sealed class TimerSet<TKey>(string store, StateCodec<TKey> codec, Action onChange)
    where TKey : notnull
{
    private const byte Kind = 7;

    private readonly StoreHead _head = new(store, Kind, codec.Version);
    private readonly Dictionary<TimerId<TKey>, long> _ordinals = []; // of those that are set
    private readonly Dictionary<(TKey Key, string Name), TimerId<TKey>> _repeating = [];
    private readonly PriorityQueue<TimerId<TKey>, Due> _heap = new();
    private readonly Dictionary<long, (TimerId<TKey> Timer, bool IsSet)> _changed = []; // by ordinal, since the last save
    private readonly HashSet<long> _stored = [];
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private long _nextOrdinal;

    public int Count => _ordinals.Count;

    /// <summary>When the next one is due; the end of time when there is none.</summary>
    public long Next
    {
        get
        {
            while (_heap.TryPeek(out var timer, out var due))
            {
                if (_ordinals.TryGetValue(timer, out var ordinal) && ordinal == due.Ordinal) return due.Time;
                _heap.Dequeue();
            }

            return long.MaxValue;
        }
    }

    public void Set(TKey key, string name, long time) => Add(new TimerId<TKey>(key, name, time, 0));

    public void Repeat(TKey key, string name, long period, long start)
    {
        CancelRepeating(key, name);
        Add(new TimerId<TKey>(key, name, start, period));
    }

    public void Cancel(TKey key, string name, long time) => Remove(new TimerId<TKey>(key, name, time, 0));

    public void CancelRepeating(TKey key, string name)
    {
        if (_repeating.TryGetValue((key, name), out var timer)) Remove(timer);
    }

    /// <summary>
    /// Takes out the next one that is due. One that repeats is set again before, for the first of its times that is still to come.
    /// </summary>
    public bool TryTake(long now, out TimerId<TKey> timer)
    {
        // Without a timer, the next one is at the end of time, which may have come.
        if (Next > now || _heap.Count == 0)
        {
            timer = default;
            return false;
        }

        timer = _heap.Dequeue();
        Remove(timer);
        if (timer.Period == 0) return true;
        var passed = EventTime.Subtract(now, timer.Time) / timer.Period;
        var next = EventTime.Add(timer.Time, (long)Int128.Min((Int128)timer.Period * ((Int128)passed + 1), long.MaxValue));
        if (next > now) Add(timer with { Time = next });
        return true;
    }

    public void Save(StateScope scope)
    {
        _head.Save(scope, 0);
        foreach (var (ordinal, (timer, isSet)) in _changed)
        {
            if (isSet)
            {
                WriteKey(timer, ordinal);
                scope.Put(store, _buffer.WrittenSpan, _value.WrittenSpan);
                _stored.Add(ordinal);
            }
            else if (_stored.Remove(ordinal))
            {
                WriteKey(timer, ordinal);
                scope.Delete(store, _buffer.WrittenSpan);
            }
        }

        _changed.Clear();
    }

    public void Restore(StateScope scope)
    {
        foreach (var (key, value) in scope.Scan(store))
        {
            if (key.IsEmpty)
            {
                _head.Read(value.Span);
                continue;
            }

            var keyBytes = key.Span;
            var valueBytes = value.Span;
            var ordinal = StateBytes.ReadOrdered(ref keyBytes);
            var time = StateBytes.ReadOrdered(ref valueBytes);
            var period = StateBytes.ReadOrdered(ref valueBytes);
            var nameBytes = StateBytes.ReadInt32(ref valueBytes);
            var name = Encoding.UTF8.GetString(valueBytes[..nameBytes]);
            var timer = new TimerId<TKey>(codec.Read(codec.Version, valueBytes[nameBytes..], store), name, time, period);
            _stored.Add(ordinal);
            Put(timer, ordinal);
            _nextOrdinal = Math.Max(_nextOrdinal, ordinal + 1);
        }
    }

    private void Add(TimerId<TKey> timer)
    {
        if (_ordinals.ContainsKey(timer)) return;
        var ordinal = _nextOrdinal++;
        Put(timer, ordinal);
        _changed[ordinal] = (timer, true);
        onChange();
    }

    private void Put(TimerId<TKey> timer, long ordinal)
    {
        _ordinals.Add(timer, ordinal);
        if (timer.Period > 0) _repeating[(timer.Key, timer.Name)] = timer;
        _heap.Enqueue(timer, new Due(timer.Time, ordinal));
    }

    private void Remove(TimerId<TKey> timer)
    {
        if (!_ordinals.Remove(timer, out var ordinal)) return;
        if (timer.Period > 0) _repeating.Remove((timer.Key, timer.Name));
        _changed[ordinal] = (timer, false);
        onChange();
    }

    private void WriteKey(TimerId<TKey> timer, long ordinal)
    {
        _buffer.ResetWrittenCount();
        _buffer.WriteOrdered(ordinal);
        _value.ResetWrittenCount();
        _value.WriteOrdered(timer.Time);
        _value.WriteOrdered(timer.Period);
        _value.WriteInt32(Encoding.UTF8.GetByteCount(timer.Name));
        Encoding.UTF8.GetBytes(timer.Name, _value);
        codec.Write(timer.Key, _value);
    }
}

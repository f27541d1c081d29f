using System.Buffers;
using System.Text;
using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>One timer of a key: period 0 for one that fires once.</summary>
internal readonly record struct TimerId<TKey>(TKey Key, string Name, long Time, long Period);

/// <summary>The timers of one kind of an operator, by time. A key has a name and time once, and a name that repeats once.</summary>
internal abstract class TimerSet<TKey>(string store, StateCodec<TKey> codec, Action onChange)
    where TKey : notnull
{
    /// <summary>What keys in the store begin with: timers by time, and which ones repeat.</summary>
    protected const byte DueTag = 1, RepeatTag = 2;

    private const byte Kind = 7;

    private readonly ArrayBufferWriter<byte> _buffer = new();
    private readonly SizedWriter _sized = new();

    public abstract int Count { get; }

    /// <summary>When the next one is due; the end of time when there is none.</summary>
    public abstract long Next { get; }

    protected StoreHead Head { get; } = new(store, Kind, codec.Version);

    protected string Store => store;

    public static TimerSet<TKey> Make(string store, StateCodec<TKey> codec, Action onChange, Spill? spill) => spill is null
        ? new HeapTimers<TKey>(store, codec, onChange)
        : new StoredTimers<TKey>(store, codec, onChange, spill);

    public void Set(TKey key, string name, long time) => Add(new TimerId<TKey>(key, name, time, 0));

    public void Repeat(TKey key, string name, long period, long start)
    {
        CancelRepeating(key, name);
        Add(new TimerId<TKey>(key, name, start, period));
    }

    public void Cancel(TKey key, string name, long time) => Remove(new TimerId<TKey>(key, name, time, 0));

    public void CancelRepeating(TKey key, string name)
    {
        if (FindRepeating(key, name) is { } timer) Remove(timer);
    }

    /// <summary>
    /// Takes out the next one that is due. One that repeats is set again before, for the first of its times that is still to come.
    /// </summary>
    public bool TryTake(long now, out TimerId<TKey> timer)
    {
        // Without a timer, the next one is at the end of time, which may have come.
        if (Next > now || Count == 0)
        {
            timer = default;
            return false;
        }

        timer = First();
        Remove(timer);
        if (timer.Period == 0) return true;
        var passed = EventTime.Subtract(now, timer.Time) / timer.Period;
        var next = EventTime.Add(timer.Time, (long)Int128.Min((Int128)timer.Period * ((Int128)passed + 1), long.MaxValue));
        if (next > now) Add(timer with { Time = next });
        return true;
    }

    public abstract void Save(StateScope scope);

    public abstract void Restore(StateScope scope);

    /// <summary>Sets a timer unless it is set.</summary>
    protected abstract void Add(TimerId<TKey> timer);

    /// <summary>Removes a timer if it is set.</summary>
    protected abstract void Remove(TimerId<TKey> timer);

    protected abstract TimerId<TKey>? FindRepeating(TKey key, string name);

    /// <summary>The next one that is due; there is one.</summary>
    protected abstract TimerId<TKey> First();

    protected void Change() => onChange();

    /// <summary>A timer's key in the store: by time, then by what it is of. Valid until the next one.</summary>
    protected ReadOnlySpan<byte> KeyOf(in TimerId<TKey> timer)
    {
        Begin(DueTag);
        _buffer.WriteOrdered(timer.Time);
        _buffer.WriteByte((byte)(timer.Period == 0 ? 0 : 1));
        return End(timer.Key, timer.Name);
    }

    /// <summary>The key under which the time and period of the one that repeats are. Valid until the next one.</summary>
    protected ReadOnlySpan<byte> RepeatingKeyOf(TKey key, string name)
    {
        Begin(RepeatTag);
        return End(key, name);
    }

    /// <summary>A timer's value, and that of the entry for one that repeats.</summary>
    protected static byte[] ValueOf(long number, long period)
    {
        var value = new ArrayBufferWriter<byte>(16);
        value.WriteOrdered(number);
        value.WriteOrdered(period);
        return value.WrittenSpan.ToArray();
    }

    protected static (long Number, long Period) ReadValue(ReadOnlySpan<byte> value) =>
        (StateBytes.ReadOrdered(ref value), StateBytes.ReadOrdered(ref value));

    /// <summary>A timer by its key in the store, and its period.</summary>
    protected TimerId<TKey> Read(ReadOnlySpan<byte> key, long period)
    {
        key = key[1..];
        var time = StateBytes.ReadOrdered(ref key);
        key = key[1..];
        return new TimerId<TKey>(
            codec.Read(codec.Version, StateBytes.ReadSized(ref key), store), Encoding.UTF8.GetString(key), time, period);
    }

    private void Begin(byte tag)
    {
        _buffer.ResetWrittenCount();
        _buffer.WriteByte(tag);
    }

    private ReadOnlySpan<byte> End(TKey key, string name)
    {
        _sized.Write(codec, key, _buffer);
        Encoding.UTF8.GetBytes(name, _buffer);
        return _buffer.WrittenSpan;
    }
}

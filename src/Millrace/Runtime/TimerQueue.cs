using System.Buffers.Binary;
using System.Text;

namespace Millrace;

/// <summary>
/// One pending timer. Its id is how it is kept in keyed state: one byte with the name's length, the name as UTF-8, the key.
/// </summary>
internal sealed class PendingTimer(byte[] id)
{
    public byte[] Id { get; } = id;

    public string Name { get; } = Encoding.UTF8.GetString(id, 1, id[0]);

    public ReadOnlyMemory<byte> Key => Id.AsMemory(1 + Id[0]);

    /// <summary>When it is due, in ticks of UTC.</summary>
    public long Due { get; set; }

    /// <summary>Where it stands in the heap.</summary>
    public int Slot { get; set; }

    public bool IsBefore(PendingTimer other)
    {
        if (Due != other.Due) return Due < other.Due;
        var byName = string.CompareOrdinal(Name, other.Name);
        return byName != 0 ? byName < 0 : Key.Span.SequenceCompareTo(other.Key.Span) < 0;
    }
}

/// <summary>
/// A partition's pending timers in the order (due, name, key): a binary heap in which each timer knows its slot, so that a replaced or
/// cancelled one leaves at once. Used by one loop only.
/// </summary>
internal sealed class TimerQueue
{
    /// <summary>
    /// The store that holds the timers; users cannot name it. A value is a version byte (1) and the due time, 8 bytes big-endian ticks of
    /// UTC.
    /// </summary>
    public const string Store = "$timers";

    private const byte Version = 1;
    private const int ValueBytes = 9;

    private readonly Dictionary<byte[], PendingTimer> _byId = new(KeyBytes.Comparer);
    private readonly Dictionary<byte[], PendingTimer>.AlternateLookup<ReadOnlySpan<byte>> _bySpan;
    private readonly List<PendingTimer> _heap = [];

    public TimerQueue() => _bySpan = _byId.GetAlternateLookup<ReadOnlySpan<byte>>();

    public int Count => _heap.Count;

    public PendingTimer? First => _heap.Count == 0 ? null : _heap[0];

    /// <summary>When the first timer is due, in ticks of UTC; the end of time when there is none.</summary>
    public long NextDue => _heap.Count == 0 ? long.MaxValue : _heap[0].Due;

    public bool Contains(ReadOnlySpan<byte> id) => _bySpan.ContainsKey(id);

    public PendingTimer Set(ReadOnlySpan<byte> id, long due)
    {
        if (!_bySpan.TryGetValue(id, out var timer))
        {
            timer = new PendingTimer(id.ToArray()) { Due = due, Slot = _heap.Count };
            _byId.Add(timer.Id, timer);
            _heap.Add(timer);
        }

        timer.Due = due;
        SiftUp(timer);
        SiftDown(timer);
        return timer;
    }

    public bool Remove(ReadOnlySpan<byte> id)
    {
        if (!_bySpan.Remove(id, out _, out var timer)) return false;
        var last = _heap[^1];
        _heap.RemoveAt(_heap.Count - 1);
        if (last == timer) return true;
        Place(last, timer.Slot);
        SiftUp(last);
        SiftDown(last);
        return true;
    }

    /// <summary>Fills the queue from keyed state.</summary>
    public void Load(IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> entries)
    {
        foreach (var (id, value) in entries) Set(id.Span, ReadDue(id.Span, value.Span));
    }

    public static byte[] WriteDue(long due)
    {
        var value = new byte[ValueBytes];
        value[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(value.AsSpan(1), due);
        return value;
    }

    private static long ReadDue(ReadOnlySpan<byte> id, ReadOnlySpan<byte> value)
    {
        if (id.Length == 0 || id.Length < 1 + id[0] || value.Length == 0)
            throw new MillraceException(FailureCodes.Corrupt, $"A timer's entry of {id.Length} and {value.Length} bytes is not one.");
        if (value[0] > Version)
        {
            throw new MillraceException(
                FailureCodes.UnknownVersion, $"A timer was written in version {value[0]}; this program reads up to {Version}.");
        }

        if (value[0] != Version || value.Length != ValueBytes)
        {
            throw new MillraceException(
                FailureCodes.Corrupt, $"A timer's value of version {value[0]} has {value.Length} bytes instead of {ValueBytes}.");
        }

        return BinaryPrimitives.ReadInt64BigEndian(value[1..]);
    }

    private void SiftUp(PendingTimer timer)
    {
        while (timer.Slot > 0)
        {
            var parent = _heap[(timer.Slot - 1) / 2];
            if (!timer.IsBefore(parent)) return;
            var slot = parent.Slot;
            Place(parent, timer.Slot);
            Place(timer, slot);
        }
    }

    private void SiftDown(PendingTimer timer)
    {
        while (true)
        {
            var child = 2 * timer.Slot + 1;
            if (child >= _heap.Count) return;
            if (child + 1 < _heap.Count && _heap[child + 1].IsBefore(_heap[child])) child++;
            var earlier = _heap[child];
            if (!earlier.IsBefore(timer)) return;
            Place(earlier, timer.Slot);
            Place(timer, child);
        }
    }

    private void Place(PendingTimer timer, int slot)
    {
        _heap[slot] = timer;
        timer.Slot = slot;
    }
}

/// <summary>Wakes a loop at the time of its next timer. Used by one loop only; the clock's callback merely sets the signal.</summary>
internal sealed class Alarm : IDisposable
{
    // A timer further away is armed in steps, which also bounds how late a wall clock that was set forward is noticed.
    private static readonly long StepMax = TimeSpan.FromHours(1).Ticks;

    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _armedFor = long.MaxValue;

    public Alarm(TimeProvider time, Signal wake)
    {
        _time = time;
        _timer = time.CreateTimer(_ =>
        {
            Volatile.Write(ref _armedFor, long.MaxValue);
            wake.Set();
        }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Arms the alarm; false when the time has come already. An alarm that is no longer wanted wakes the loop once, for nothing.
    /// </summary>
    public bool TryArm(long due)
    {
        if (due == long.MaxValue) return true;
        var now = _time.GetUtcNow().UtcTicks;
        if (due <= now) return false;
        if (due == Volatile.Read(ref _armedFor)) return true;

        // A clock may move between its reading and the arming: a whole millisecond would make the alarm late by as much, so it is armed
        // anew.
        for (var attempt = 0; attempt < 3; attempt++)
        {
            Volatile.Write(ref _armedFor, due);
            var milliseconds = (Math.Min(due - now, StepMax) + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond;
            _timer.Change(TimeSpan.FromMilliseconds(milliseconds), Timeout.InfiniteTimeSpan);
            var before = now;
            now = _time.GetUtcNow().UtcTicks;
            if (due <= now) return false;
            if (now - before < TimeSpan.TicksPerMillisecond) return true;
        }

        return true;
    }

    public void Dispose() => _timer.Dispose();
}

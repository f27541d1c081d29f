using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Millrace.Streams.States;

namespace Millrace.Streams.Keyed;

/// <summary>How values are stored: under what, and for how long.</summary>
internal sealed record ValueStorage<TId, T>(string Store, StateCodec<T> Codec, long? TimeToLive, IdBytes<TId> Ids);

/// <summary>How identities become bytes.</summary>
internal sealed record IdBytes<TId>(Action<TId, ArrayBufferWriter<byte>> Write, IdReader<TId> Read, int Version);

internal delegate TId IdReader<out TId>(ReadOnlySpan<byte> bytes);

/// <summary>
/// Values by identity: a key, or a key and an entry of its map. A value that has a time to live is stored with the moment it ends at, and
/// each with an ordinal, the order in which they were first set. With a limit, what is in memory is what was used lately, in two ages;
/// whatever is not there is looked for in the store.
/// </summary>
internal sealed class StoredValues<TId, T> : ISpilling
    where TId : notnull
{
    private const byte Kind = 8;
    private const int SweepEntriesMin = 64;

    private readonly string _store;
    private readonly StateCodec<T> _codec;
    private readonly long? _timeToLive;
    private readonly IdBytes<TId> _ids;
    private readonly Spill? _spill;
    private readonly StoreHead _head;
    private readonly PriorityQueue<(TId Id, long Ordinal), long> _ends = new(); // with a limit the store is swept instead
    private readonly List<TId> _dirty = [];
    private readonly HashSet<TId> _deleted = []; // since the last save, of those in the store
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private Dictionary<TId, Entry> _entries = [];
    private Dictionary<TId, Entry> _older = [];
    private byte[] _sweptTo = [];
    private bool _isElsewhere;
    private long _count;
    private long _nextOrdinal;
    private MeanBytes _mean;
    private (bool IsKnown, TId Id) _missing; // what was looked for last and is nowhere, until the next save

    public StoredValues(ValueStorage<TId, T> storage, Spill? spill)
    {
        (_store, _codec, _timeToLive, _ids) = storage;
        _spill = spill;
        _head = new StoreHead(_store, Kind, _ids.Version);
    }

    public delegate void Removal(TId id);

    public int Count => (int)Math.Min(_count, int.MaxValue);

    public long Bytes => _mean.Of(_count);

    public long MemoryBytes => _mean.Of(_entries.Count + _older.Count);

    /// <summary>Called when a value has ended and is removed.</summary>
    public Removal? OnEnded { get; set; }

    /// <summary>Whether entries are taken in by <see cref="Load"/> only, so that what is not in memory is not there.</summary>
    public bool IsLoaded { get; init; }

    public bool TryGet(TId id, long now, out T value)
    {
        ref var entry = ref Find(id);
        if (Unsafe.IsNullRef(ref entry) || entry.End <= now)
        {
            value = default!;
            return false;
        }

        value = entry.Value;
        return true;
    }

    public void Set(TId id, T value, long now)
    {
        ref var entry = ref Find(id);
        if (Unsafe.IsNullRef(ref entry))
        {
            entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, id, out _);
            entry.Ordinal = _nextOrdinal++;
            _count++;
        }

        entry.Value = value;
        entry.End = _timeToLive is { } time ? EventTime.Add(now, time) : long.MaxValue;
        if (_timeToLive is not null && _spill is null) _ends.Enqueue((id, entry.Ordinal), entry.End);
        if (entry.IsDirty) return;
        entry.IsDirty = true;
        _dirty.Add(id);
    }

    public bool Remove(TId id)
    {
        ref var entry = ref Find(id);
        if (Unsafe.IsNullRef(ref entry)) return false;
        if (entry.IsStored) _deleted.Add(id);
        _entries.Remove(id);
        _count--;
        return true;
    }

    public void Save(StateScope scope, long now)
    {
        if (_spill is null) Sweep(now);
        foreach (var id in _deleted)
        {
            WriteKey(id);
            scope.Delete(_store, _key.WrittenSpan);
        }

        _deleted.Clear();
        var written = _dirty.Count;
        foreach (var id in _dirty)
        {
            ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, id);
            if (Unsafe.IsNullRef(ref entry) || !entry.IsDirty) continue;
            entry.IsDirty = false;
            entry.IsStored = true;
            WriteKey(id);
            _value.ResetWrittenCount();
            _value.WriteOrdered(entry.Ordinal);
            _value.WriteOrdered(entry.End);
            _value.WriteInt32(_codec.Version);
            _codec.Write(entry.Value, _value);
            _mean.See(_key.WrittenCount + _value.WrittenCount);
            scope.Put(_store, _key.WrittenSpan, _value.WrittenSpan);
        }

        _dirty.Clear();
        _missing = default;
        if (_spill is not null && _timeToLive is not null) SweepStore(scope, now, SweepEntriesMin + (2 * written));
        if (_spill is null) _head.Save(scope, 0);
        else _head.Save(scope, _nextOrdinal, _count);
    }

    /// <summary>Gives each identity, in the order in which they were first set; with a limit none.</summary>
    public void Restore(StateScope scope, Action<TId>? onRestored)
    {
        if (_spill is not null)
        {
            RestoreCounts(scope);
            return;
        }

        var restored = new List<(TId Id, long Ordinal)>();
        foreach (var (key, value) in scope.Scan(_store))
        {
            if (key.IsEmpty) _head.Read(value.Span);
            else restored.Add(Take(key.Span, value.Span));
        }

        restored.Sort(static (left, right) => left.Ordinal.CompareTo(right.Ordinal));
        foreach (var (id, ordinal) in restored)
        {
            var end = _entries[id].End;
            if (end != long.MaxValue) _ends.Enqueue((id, ordinal), end);
            onRestored?.Invoke(id);
        }

        _count = restored.Count;
        _nextOrdinal = restored.Count == 0 ? 0 : restored[^1].Ordinal + 1;
    }

    /// <summary>Takes what is stored under identities that begin alike into memory, and gives them in the order in which they were first
    /// set.</summary>
    public IEnumerable<TId> Load(ReadOnlySpan<byte> prefix)
    {
        var loaded = new List<(TId Id, long Ordinal)>();
        foreach (var (key, value) in _spill!.Scope.Scan(_store, StateRange.Prefix(prefix))) loaded.Add(Take(key.Span, value.Span));
        return loaded.OrderBy(one => one.Ordinal).Select(one => one.Id);
    }

    /// <summary>Lets go of an entry, which is saved.</summary>
    public void Forget(TId id) => _entries.Remove(id);

    public void Age(bool isEverything)
    {
        _isElsewhere |= _older.Count > 0 || (isEverything && _entries.Count > 0);
        (_older, _entries) = (isEverything ? [] : _entries, []);
    }

    private ref Entry Find(TId id)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, id);
        if (!Unsafe.IsNullRef(ref entry) || _spill is null || IsLoaded) return ref entry;
        return ref FindElsewhere(id);
    }

    private ref Entry FindElsewhere(TId id)
    {
        if (_older.Remove(id, out var older))
        {
            ref var moved = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, id, out _);
            moved = older;
            return ref moved;
        }

        if (!_isElsewhere || _deleted.Contains(id)) return ref Unsafe.NullRef<Entry>();
        if (_missing.IsKnown && EqualityComparer<TId>.Default.Equals(_missing.Id, id)) return ref Unsafe.NullRef<Entry>();
        WriteKey(id);
        if (!_spill!.Scope.TryGet(_store, _key.WrittenSpan, out var value))
        {
            _missing = (true, id);
            return ref Unsafe.NullRef<Entry>();
        }

        Take(_key.WrittenSpan, value.Span);
        return ref CollectionsMarshal.GetValueRefOrNullRef(_entries, id);
    }

    private (TId Id, long Ordinal) Take(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _mean.See(key.Length + value.Length);
        var ordinal = StateBytes.ReadOrdered(ref value);
        var end = StateBytes.ReadOrdered(ref value);
        var version = StateBytes.ReadInt32(ref value);
        var id = _ids.Read(key);
        _entries.Add(id, new Entry { Value = _codec.Read(version, value, _store), Ordinal = ordinal, End = end, IsStored = true });
        return (id, ordinal);
    }

    /// <summary>Whoever ran without a limit before did not count.</summary>
    private void RestoreCounts(StateScope scope)
    {
        if (_head.Find(scope) is not { } head) return;
        (_nextOrdinal, _count) = head;
        if (_count == StoreHead.Uncounted)
        {
            (_nextOrdinal, _count) = (0, 0);
            foreach (var (_, value) in scope.Walk(_store, StoreHead.Behind))
            {
                var bytes = value.Span;
                _nextOrdinal = Math.Max(_nextOrdinal, StateBytes.ReadOrdered(ref bytes) + 1);
                _count++;
            }
        }

        _isElsewhere = _count > 0;
    }

    private void Sweep(long now)
    {
        while (_ends.TryPeek(out var ending, out var end) && end <= now)
        {
            _ends.Dequeue();
            if (!_entries.TryGetValue(ending.Id, out var entry) || entry.Ordinal != ending.Ordinal || entry.End > now) continue;
            Remove(ending.Id);
            OnEnded?.Invoke(ending.Id);
        }
    }

    /// <summary>Looks at a part of the store, which holds what is in memory as well, and removes what has ended; the next time at the next
    /// part.</summary>
    private void SweepStore(StateScope scope, long now, int entries)
    {
        var page = scope.Scan(_store, new StateRange { From = _sweptTo, EntriesMax = entries });
        foreach (var (key, value) in page)
        {
            if (key.IsEmpty) continue;
            var bytes = value.Span;
            StateBytes.ReadOrdered(ref bytes);
            if (StateBytes.ReadOrdered(ref bytes) > now) continue;
            scope.Delete(_store, key.Span);
            var id = _ids.Read(key.Span);
            if (!_entries.Remove(id)) _older.Remove(id);
            _count--;
            OnEnded?.Invoke(id);
        }

        _sweptTo = page.Count < entries ? [] : [.. page[^1].Key.Span, 0];
    }

    private void WriteKey(TId id)
    {
        _key.ResetWrittenCount();
        _ids.Write(id, _key);
    }

    private struct Entry
    {
        public T Value;
        public long Ordinal;
        public long End;
        public bool IsDirty;
        public bool IsStored;
    }
}

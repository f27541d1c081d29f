using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Millrace.Streams.States;

namespace Millrace.Streams.Operators;

/// <summary>A state of a function: objects in memory, those that changed written before a commit.</summary>
internal abstract class KeyedStore<TKey>
    where TKey : notnull
{
    public abstract int Entries { get; }

    public abstract long Bytes { get; }

    public abstract void Save(StateScope scope);

    public abstract void Restore(StateScope scope);
}

/// <summary>What the states of one function share: the key in hand, the clock, and what to do before anything is changed.</summary>
internal sealed class StateHand<TKey>(StateCodec<TKey> codec, Func<long> now, Action onChange)
    where TKey : notnull
{
    public StateCodec<TKey> Codec { get; } = codec;

    public TKey Key { get; set; } = default!;

    public long Now => now();

    public void Change() => onChange();
}

/// <summary>
/// Values by identity: a key, or a key and an entry of its map. A value that has a time to live is stored with the moment it ends at. Its
/// identity in the store begins with an ordinal, so that what comes back comes in the order in which it was first set.
/// </summary>
internal sealed class StoredValues<TId, T>(
    string store, StateCodec<T> codec, long? timeToLive, Action<TId, ArrayBufferWriter<byte>> writeId, Func<ReadOnlySpan<byte>, TId> readId,
    int idVersion)
    where TId : notnull
{
    private const byte Kind = 8;

    private readonly StoreHead _head = new(store, Kind, idVersion);
    private readonly Dictionary<TId, Entry> _entries = [];
    private readonly PriorityQueue<(TId Id, long Ordinal), long> _ends = new();
    private readonly List<TId> _dirty = [];
    private readonly List<(TId Id, long Ordinal)> _deleted = [];
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private long _nextOrdinal;
    private long _bytesSeen;
    private long _seen;

    public int Count => _entries.Count;

    public long Bytes => _seen == 0 ? 0 : (long)((double)_bytesSeen / _seen * Count);

    public delegate void Removal(TId id);

    /// <summary>Called when a value has ended and is removed.</summary>
    public Removal? OnEnded { get; set; }

    public bool TryGet(TId id, long now, out T value)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, id);
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
        ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, id, out var exists);
        if (!exists) entry.Ordinal = _nextOrdinal++;
        entry.Value = value;
        entry.End = timeToLive is { } time ? EventTime.Add(now, time) : long.MaxValue;
        if (timeToLive is not null) _ends.Enqueue((id, entry.Ordinal), entry.End);
        if (entry.IsDirty) return;
        entry.IsDirty = true;
        _dirty.Add(id);
    }

    public bool Remove(TId id)
    {
        if (!_entries.Remove(id, out var entry)) return false;
        if (entry.IsStored) _deleted.Add((id, entry.Ordinal));
        return true;
    }

    public void Save(StateScope scope, long now)
    {
        _head.Save(scope, 0);
        Sweep(now);
        foreach (var (id, ordinal) in _deleted)
        {
            WriteKey(id, ordinal);
            scope.Delete(store, _key.WrittenSpan);
        }

        _deleted.Clear();
        foreach (var id in _dirty)
        {
            ref var entry = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, id);
            if (Unsafe.IsNullRef(ref entry) || !entry.IsDirty) continue;
            entry.IsDirty = false;
            entry.IsStored = true;
            WriteKey(id, entry.Ordinal);
            _value.ResetWrittenCount();
            _value.WriteOrdered(entry.End);
            _value.WriteInt32(codec.Version);
            codec.Write(entry.Value, _value);
            See(_key.WrittenCount + _value.WrittenCount);
            scope.Put(store, _key.WrittenSpan, _value.WrittenSpan);
        }

        _dirty.Clear();
    }

    /// <summary>Gives each identity, in the order in which they were first set.</summary>
    public void Restore(StateScope scope, Action<TId> onRestored)
    {
        foreach (var (key, value) in scope.Scan(store))
        {
            if (key.IsEmpty)
            {
                _head.Read(value.Span);
                continue;
            }

            See(key.Length + value.Length);
            var keyBytes = key.Span;
            var valueBytes = value.Span;
            var ordinal = StateBytes.ReadOrdered(ref keyBytes);
            var end = StateBytes.ReadOrdered(ref valueBytes);
            var version = StateBytes.ReadInt32(ref valueBytes);
            var id = readId(keyBytes);
            _entries.Add(id, new Entry { Value = codec.Read(version, valueBytes, store), Ordinal = ordinal, End = end, IsStored = true });
            if (end != long.MaxValue) _ends.Enqueue((id, ordinal), end);
            _nextOrdinal = Math.Max(_nextOrdinal, ordinal + 1);
            onRestored(id);
        }
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

    private void WriteKey(TId id, long ordinal)
    {
        _key.ResetWrittenCount();
        _key.WriteOrdered(ordinal);
        writeId(id, _key);
    }

    private void See(int bytes)
    {
        _bytesSeen += bytes;
        _seen++;
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

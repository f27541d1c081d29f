using System.Collections.Concurrent;

namespace Millrace.Log.Writing;

/// <summary>A group's committed positions and keyed state. The writer changes them; anyone reads.</summary>
internal sealed class GroupLog(int number, string name)
{
    /// <summary>The number that the journal knows the group by.</summary>
    public int Number { get; } = number;

    public string Name { get; } = name;

    public ConcurrentDictionary<int, GroupPartition> Partitions { get; } = new();

    public GroupPartition Partition(int number) => Partitions.GetOrAdd(number, static (n, group) => new GroupPartition(group, n), this);
}

/// <summary>What a group keeps for one partition number.</summary>
internal sealed class GroupPartition(GroupLog group, int number)
{
    private long _abortedEpoch;

    public GroupLog Group { get; } = group;

    public int Number { get; } = number;

    /// <summary>The offset of the next record to read, by the topic's number.</summary>
    public ConcurrentDictionary<int, long> Positions { get; } = new();

    public ConcurrentDictionary<string, ConcurrentDictionary<byte[], byte[]>> Stores { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// The epoch of the present owner; a commit with another one is fenced. 0 is nobody. Set by the coordinator, read by the writer.
    /// </summary>
    public long OwnerEpoch { get => Volatile.Read(ref field); set => Volatile.Write(ref field, value); }

    /// <summary>
    /// The owner's epoch of which a commit failed: its later ones fail too, until it restores. 0 when there is none. Set by the writer, in
    /// the order of the calls, and by a call that was cancelled before it got there.
    /// </summary>
    public long AbortedEpoch => Volatile.Read(ref _abortedEpoch);

    /// <summary>Whether positions or state changed since the last checkpoint began. Writer only.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The checkpoint whose snapshot file holds this, or 0 when there is none. Set by the checkpoint.</summary>
    public long SnapshotAt { get; set; }

    /// <summary>A commit of that owner failed. One that was fenced does not hide the failure of its successor.</summary>
    public void Abort(long epoch)
    {
        for (var known = AbortedEpoch; known < epoch; known = AbortedEpoch)
        {
            if (Interlocked.CompareExchange(ref _abortedEpoch, epoch, known) == known) return;
        }
    }

    /// <summary>That owner restores: it commits on top of what is committed from here on.</summary>
    public void EndAbort(long epoch) => Interlocked.CompareExchange(ref _abortedEpoch, 0, epoch);

    public void Put(string store, byte[] key, byte[] value) => Store(store)[key] = value;

    public void Delete(string store, byte[] key)
    {
        if (Stores.TryGetValue(store, out var entries)) entries.TryRemove(key, out _);
    }

    public bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (!Stores.TryGetValue(store, out var entries)) return false;
        if (!entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(key, out var found)) return false;
        value = found;
        return true;
    }

    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store)
    {
        if (!Stores.TryGetValue(store, out var entries)) return [];
        var list = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>(entries.Count);
        foreach (var (key, value) in entries) list.Add(new(key, value));
        list.Sort(static (x, y) => x.Key.Span.SequenceCompareTo(y.Key.Span));
        return list;
    }

    private ConcurrentDictionary<byte[], byte[]> Store(string store) =>
        Stores.GetOrAdd(store, static _ => new ConcurrentDictionary<byte[], byte[]>(concurrencyLevel: 1, 31, KeyComparer.Instance));
}

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

    /// <summary>The keyed state; null while there was none. The writer, and the recovery before it, opens and changes it.</summary>
    public StateStore? State { get => Volatile.Read(ref field); private set => Volatile.Write(ref field, value); }

    /// <summary>What the state's store was opened under, when it is on disk: the checkpoint names it.</summary>
    public Guid StateId { get; private set; }

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

    /// <summary>Takes changes of a frame into the state.</summary>
    public void Apply(IReadOnlyList<StateChange> changes, long sequence, StateStores stores)
    {
        if (changes.Count == 0) return;
        if (State is not { } state) State = state = stores.Begin(this);
        StateStores.Apply(state, changes, sequence);
    }

    /// <summary>Opens the store on disk that a checkpoint names.</summary>
    public void Reopen(Guid id, long position, StateStores stores) => (StateId, State) = (id, stores.Reopen(this, id, position));

    /// <summary>Notes what a new store on disk is known by.</summary>
    public void Name(Guid id) => StateId = id;

    public bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        if (State is { } state) return state.TryGet(store, key, out value);
        value = default;
        return false;
    }

    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) =>
        State?.Scan(store, range) ?? [];
}

using Millrace.Log.Writing;
using Millrace.Log.Segments;

namespace Millrace.Log.Groups;

/// <summary>
/// Shares a group's partitions among its members in this process: balanced and sticky, a partition changes hands only after its owner
/// released it or its time to do so ran out (Kafka's cooperative rebalancing).
/// </summary>
internal sealed class GroupCoordinator(
    GroupLog log, GroupSubscription subscription, TopicLog[] topics, LogOptions options, Func<long> nextEpoch)
{
    private readonly Lock _gate = new(); // guards everything below
    private readonly List<EmbeddedMember> _members = [];
    private readonly Slot[] _slots = [.. Enumerable.Range(0, topics.Max(t => t.Partitions.Length)).Select(i => new Slot(i))];
    private int _joined;

    public GroupSubscription Subscription { get; } = subscription;

    public IReadOnlyList<TopicLog> Topics { get; } = topics;

    public GroupLog Log { get; } = log;

    /// <summary>Whether anyone is in it; a group without members is forgotten, its positions are not.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_gate) return _members.Count == 0;
        }
    }

    public EmbeddedMember Join(LogEngine engine)
    {
        lock (_gate)
        {
            var member = new EmbeddedMember(engine, this, $"{Log.Name}-{++_joined}");
            _members.Add(member);
            Rebalance();
            if (!Array.Exists(_slots, slot => slot.Member == member)) member.Notify(new AssignmentChange.Assigned([]));
            return member;
        }
    }

    public void Release(EmbeddedMember member, EmbeddedPartition partition)
    {
        lock (_gate)
        {
            var slot = _slots[partition.Partition];
            if (slot.Owned != partition || slot.Member != member) return;
            Free(slot);
            Rebalance();
        }
    }

    public void Leave(EmbeddedMember member)
    {
        lock (_gate)
        {
            if (!_members.Remove(member)) return;
            foreach (var slot in _slots)
            {
                if (slot.Member == member) Free(slot);
            }

            Rebalance();
        }
    }

    private void Free(Slot slot)
    {
        slot.Timeout?.Dispose();
        (slot.Member, slot.Owned, slot.Timeout) = (null, null, null);
        Log.Partition(slot.Number).OwnerEpoch = 0;
    }

    /// <summary>Works out what each member should own; takes the surplus away and gives out what is free.</summary>
    private void Rebalance()
    {
        if (_members.Count == 0) return;
        var kept = _members.ToDictionary(m => m, m => _slots.Where(s => s.Member == m && s.Timeout is null).ToList());
        // Whoever has most keeps the odd ones, so that the fewest partitions move; then the order of joining decides.
        var byLoad = _members.OrderByDescending(m => kept[m].Count).ToList();
        var free = new Queue<Slot>(_slots.Where(s => s.Member is null));
        var (share, odd) = Math.DivRem(_slots.Length, _members.Count);
        for (var i = 0; i < byLoad.Count; i++)
        {
            var member = byLoad[i];
            var wanted = share + (i < odd ? 1 : 0);
            if (kept[member].Count > wanted) Revoke(member, kept[member][wanted..]);
            var assigned = new List<OwnedPartition>();
            while (kept[member].Count + assigned.Count < wanted && free.TryDequeue(out var slot)) assigned.Add(Assign(member, slot));
            if (assigned.Count > 0) member.Notify(new AssignmentChange.Assigned(assigned));
        }
    }

    private EmbeddedPartition Assign(EmbeddedMember member, Slot slot)
    {
        var partition = Log.Partition(slot.Number);
        var epoch = nextEpoch();
        partition.OwnerEpoch = epoch;
        (slot.Member, slot.Owned) = (member, new EmbeddedPartition(member.Engine, this, partition, epoch));
        return slot.Owned;
    }

    private void Revoke(EmbeddedMember member, List<Slot> slots)
    {
        foreach (var slot in slots)
        {
            var owned = slot.Owned!;
            slot.Timeout = options.Time.CreateTimer(_ => TakeAway(slot, owned), null, options.RevokeTimeout, Timeout.InfiniteTimeSpan);
        }

        member.Notify(new AssignmentChange.Revoked([.. slots.Select(s => s.Owned!)]));
    }

    private void TakeAway(Slot slot, EmbeddedPartition owned)
    {
        lock (_gate)
        {
            if (slot.Owned != owned) return;
            slot.Member!.Notify(new AssignmentChange.Lost([owned]));
            Free(slot);
            Rebalance();
        }
    }

    /// <summary>A partition number and who has it. A running time-out means that it is being revoked.</summary>
    private sealed class Slot(int number)
    {
        public int Number { get; } = number;

        public EmbeddedMember? Member { get; set; }

        public EmbeddedPartition? Owned { get; set; }

        public ITimer? Timeout { get; set; }
    }
}

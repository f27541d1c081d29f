using System.Collections.Concurrent;
using Millrace.Kafka.State;
using Millrace.Kafka.Writing;

namespace Millrace.Kafka.Groups;

/// <summary>The ownership of one partition number by a member in this process, with the local copy of its keyed state.</summary>
internal sealed class KafkaPartition(Membership member, int partition, string memberId) : OwnedPartition
{
    private readonly ConcurrentDictionary<string, long> _positions = new(StringComparer.Ordinal);
    private readonly Lock _gate = new(); // guards _ownership, and the giving up of _lease and _store
    private Ownership _ownership = Ownership.Owned;
    private StateLease? _lease;
    private volatile StateStore? _store;
    private int _changesSinceSave;
    private volatile bool _isAborted = true; // nothing is committed before the first restore

    private enum Ownership
    {
        Owned = 0,
        Revoked = 1,
        Ended = 2,
    }

    public Membership Member { get; } = member;

    /// <summary>The member id under which it was assigned: the group's coordinator never gives one twice.</summary>
    public string MemberId { get; } = memberId;

    /// <summary>The partition of the group's changelog that stands for it.</summary>
    public TopicPartition Changelog { get; } = new(Kafka.State.Changelog.TopicOf(member.Group), partition);

    /// <summary>Whether it is this member's still, being revoked or not.</summary>
    public bool IsOwned
    {
        get
        {
            lock (_gate) return _ownership != Ownership.Ended;
        }
    }

    /// <summary>Whether the runtime was told of it.</summary>
    public bool IsPublished { get; set; }

    public override string Group => Member.Group;

    public override int Partition { get; } = partition;

    /// <summary>The offset of the first claim in the changelog: offsets only grow, in whatever process.</summary>
    public override long Epoch => ClaimedAt;

    public long ClaimedAt { get; set; }

    public override IReadOnlyList<TopicPosition> Positions =>
        [.. Member.TopicsAt(Partition).Select(topic => new TopicPosition(topic, _positions.GetValueOrDefault(topic)))];

    public override async ValueTask RestoreAsync(CancellationToken cancellation = default)
    {
        DemandOwned();
        var restore = new Restore(Member, this);

        // Once positions are told, every transaction of the owner before, or of this one, that has any is ended, and what it wrote lies
        // before the record that is written next: committed readers come up to that only when all of it is seen or gone. A claim before
        // the positions would not do, as a transaction may send its records after its positions, and after the claim.
        var positions = await restore.PositionsAsync(cancellation);
        var barrier = await Member.ClaimAsync(this, cancellation);
        if (_lease is { Store.HasFailed: true }) await CloseAsync();
        var lease = _lease ?? await KeepAsync(await restore.OpenAsync(cancellation));
        await restore.ReadToAsync(lease.Store, barrier, cancellation);
        foreach (var (topic, offset) in positions) _positions[topic] = offset;
        DemandOwned();
        _store = lease.Store;
        _isAborted = false;
    }

    public override PartitionReader OpenReader(string topic, long offset) =>
        Member.Engine.OpenAssigned(new TopicPartition(topic, Partition), offset);

    public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value)
    {
        DemandOwned();
        value = default;
        return _store is { } present && present.TryGet(store, key, out value);
    }

    public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range)
    {
        DemandOwned();
        return _store?.Scan(store, range) ?? [];
    }

    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default) =>
        Member.Engine.CommitAsync(commit, this, cancellation);

    /// <summary>Throws unless a commit of this owner may be made now. The writer's thread, in the order of the calls.</summary>
    public void Demand()
    {
        DemandOwned();
        if (!_isAborted) return;
        throw new MillraceException(FailureCodes.CommitAborted,
            $"Partition {Partition} of group '{Group}' has to be restored first: an earlier commit of it failed, or none was made yet.");
    }

    public void Abort() => _isAborted = true;

    /// <summary>
    /// The positions before the transaction that a commit sends when it names none. There is always one: by it the coordinator checks the
    /// member, and by it the next owner learns that a transaction is still undecided.
    /// </summary>
    public IEnumerable<TopicPosition> StandingPositions(PendingCommit pending) => pending.IsRefresh ? Positions
        : pending.Commit.Positions.Count > 0 ? []
        : Positions.Take(1);

    /// <summary>
    /// Commits the positions again as they are, so that the brokers do not forget them. Nobody waits for it: what fails here fails in the
    /// next commit as well, or does not matter.
    /// </summary>
    public async Task RefreshAsync()
    {
        if (_isAborted || !IsOwned) return;
        try
        {
            using var nothing = new Commit();
            await Member.Engine.RefreshAsync(new PendingCommit(nothing, this, CancellationToken.None) { IsRefresh = true });
        }
        catch (MillraceException failure)
        {
            Member.Engine.Log.NotRefreshed(Group, Partition, failure);
        }
    }

    /// <summary>A commit is durable. The writer's thread.</summary>
    public void Committed(Commit commit, long changelogEnd)
    {
        foreach (var (topic, offset) in commit.Positions) _positions[topic] = offset;

        // After a change that the copy did not take it takes no later one: the next restore reads on from where it stopped.
        if (commit.Changes.Count == 0 || _isAborted || _store is not { } store) return;
        try
        {
            store.Apply(commit.Changes, changelogEnd);
        }
        catch (Exception failure)
        {
            // The commit is done all the same; it is the copy that has to be brought up to date before anything is based on it.
            Abort();
            Member.Engine.Log.NotApplied(Group, Partition, failure);
            return;
        }

        _changesSinceSave += commit.Changes.Count;
        if (_changesSinceSave < Member.Engine.Options.SnapshotChangesMax) return;
        _changesSinceSave = 0;
        _lease?.Save();
    }

    /// <summary>Another member shall have it; commits succeed until the end.</summary>
    public void Revoke()
    {
        lock (_gate)
        {
            if (_ownership == Ownership.Owned) _ownership = Ownership.Revoked;
        }
    }

    /// <summary>It is not this member's any more; false when it was not before.</summary>
    public bool End()
    {
        lock (_gate)
        {
            if (_ownership == Ownership.Ended) return false;
            _ownership = Ownership.Ended;
            return true;
        }
    }

    /// <summary>
    /// Keeps the copy of the state for the next owner on this machine: after the end, or when it failed. Again has no effect.
    /// </summary>
    public async ValueTask CloseAsync()
    {
        StateLease? lease;
        lock (_gate)
        {
            _store = null;
            lease = _lease;
            _lease = null;
        }

        if (lease is not null) await lease.DisposeAsync();
    }

    /// <summary>Keeps a copy that was opened, unless the ownership has ended meanwhile: then nobody would close it.</summary>
    private async ValueTask<StateLease> KeepAsync(StateLease opened)
    {
        lock (_gate)
        {
            if (_ownership != Ownership.Ended) return _lease = opened;
        }

        await opened.DisposeAsync();
        DemandOwned();
        throw new InvalidOperationException("An ownership that ended is owned again.");
    }

    private void DemandOwned()
    {
        if (Member.Engine.IsStopped) throw Clients.Requests.Stopped();
        if (!IsOwned)
        {
            throw new MillraceException(FailureCodes.Fenced,
                $"Partition {Partition} of group '{Group}' is another member's now; the owner of epoch {Epoch} may write nothing more.");
        }
    }
}

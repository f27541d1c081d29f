namespace Millrace;

/// <summary>Where a group begins on a partition that it has no position for: Kafka's auto.offset.reset.</summary>
public enum OffsetReset
{
    /// <summary>At the first record that is there. The default.</summary>
    Earliest = 0,

    /// <summary>After the last record that is there.</summary>
    Latest = 1,
}

/// <summary>What a member wants of its group. All members of a group subscribe to the same topics.</summary>
public sealed record GroupSubscription
{
    /// <summary>The group's id: 1 to 249 of <c>[a-zA-Z0-9._-]</c>, as topics are named.</summary>
    public required string Group { get; init; }

    /// <summary>The topics. A member that owns partition 3 owns partition 3 of every one of them, so that keys stay together.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>Where to begin without a position.</summary>
    public OffsetReset OffsetReset { get; init; } = OffsetReset.Earliest;

    /// <summary>
    /// Whether keyed state is kept: then all topics must have equally many partitions, else a key's events would meet in different places.
    /// </summary>
    public bool HasState { get; init; } = true;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the value when it cannot be a group's id.</summary>
    public static void ValidateGroup(string group)
    {
        if (!TopicSpecification.IsValidName(group))
            throw new ArgumentException($"Group id '{group}' is not 1 to 249 characters of [a-zA-Z0-9._-] (and not '.' or '..').");
    }
}

/// <summary>A member of a consumer group. One consumer of <see cref="NextChangeAsync"/> at a time; the rest is thread safe.</summary>
public abstract class GroupMember : IAsyncDisposable
{
    /// <summary>The member's id, unique in the group.</summary>
    public abstract string MemberId { get; }

    /// <summary>Waits for the next change of what this member owns.</summary>
    public abstract ValueTask<AssignmentChange> NextChangeAsync(CancellationToken cancellation = default);

    /// <summary>
    /// Gives up a partition after <see cref="AssignmentChange.Revoked"/>, once its last commit is done. Until then nobody else gets it.
    /// </summary>
    public abstract ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation = default);

    /// <summary>Leaves the group; what it still owned goes to the others, fenced at once.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>A change of what a member owns.</summary>
public abstract record AssignmentChange
{
    private AssignmentChange()
    {
    }

    /// <summary>
    /// The member owns these from now on. It is the first change after joining: without partitions when there are none for this member now.
    /// </summary>
    /// <param name="Partitions">The partitions, in order of their numbers; those owned before stay owned.</param>
    public sealed record Assigned(IReadOnlyList<OwnedPartition> Partitions) : AssignmentChange;

    /// <summary>Another member shall have these: finish, commit, and release each. Commits succeed until the release.</summary>
    /// <param name="Partitions">The partitions.</param>
    public sealed record Revoked(IReadOnlyList<OwnedPartition> Partitions) : AssignmentChange;

    /// <summary>These are another member's already: throw away what is not committed. Commits are fenced.</summary>
    /// <param name="Partitions">The partitions.</param>
    public sealed record Lost(IReadOnlyList<OwnedPartition> Partitions) : AssignmentChange;
}

/// <summary>
/// The ownership of one partition number across a group's topics, with the keyed state that belongs to it. Its epoch fences the owner
/// before it. Restore first, then read and commit. Commits are applied in the order of the calls; more than one may be under way. Once a
/// commit fails or conflicts, those called after it fail with <see cref="FailureCodes.CommitAborted"/> and change nothing, until the state
/// is restored again: they were made on top of what it should have changed.
/// </summary>
public abstract class OwnedPartition
{
    /// <summary>The group.</summary>
    public abstract string Group { get; }

    /// <summary>The partition's number.</summary>
    public abstract int Partition { get; }

    /// <summary>Greater than that of every earlier owner in this group.</summary>
    public abstract long Epoch { get; }

    /// <summary>
    /// Brings the keyed state here; quick on the embedded engine, a replay of the changelog's tail on Kafka. Again after a commit that
    /// failed, once none is under way: then positions and state are those of the last commit that succeeded.
    /// </summary>
    public abstract ValueTask RestoreAsync(CancellationToken cancellation = default);

    /// <summary>The topics that have this partition, with the committed position or, without one, where the group begins.</summary>
    public abstract IReadOnlyList<TopicPosition> Positions { get; }

    /// <summary>Opens a reader of one of the topics at this partition.</summary>
    public abstract PartitionReader OpenReader(string topic, long offset);

    /// <summary>The committed value of a key. Thread safe; wait-free on the embedded engine.</summary>
    public abstract bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value);

    /// <summary>
    /// Committed entries of a store, ordered by key bytes: as many of the range as it wants, and fewer only when there are no more.
    /// </summary>
    public abstract IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range);

    /// <summary>All committed entries of a store, ordered by key bytes.</summary>
    public IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store) => Scan(store, StateRange.All);

    /// <summary>Commits positions, state and records atomically.</summary>
    /// <exception cref="MillraceException">
    /// As <see cref="Engine.CommitAsync"/>; <see cref="FailureCodes.Fenced"/> when another member owns it,
    /// <see cref="FailureCodes.CommitAborted"/> after a commit of this owner that failed.
    /// </exception>
    public abstract ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default);
}

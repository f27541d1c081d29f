namespace Millrace.Tests.Runtime;

/// <summary>
/// A real engine whose owners' commits a test may delay or fail. It keeps the contract: after a failed commit an owner's later ones fail too,
/// until it restores.
/// </summary>
internal sealed class FaultyEngine(Engine inner) : Engine
{
    private int _commits;

    /// <summary>
    /// Called before each commit of an owner with its number from 1. What it throws is how the commit fails, before anything happens; what it awaits
    /// delays the commit.
    /// </summary>
    public Func<int, Commit, ValueTask> BeforeCommit { get; set; } = (_, _) => ValueTask.CompletedTask;

    /// <summary>Called after each commit of an owner succeeded: what it throws hides the success, as a lost answer does.</summary>
    public Action<int> AfterCommit { get; set; } = _ => { };

    /// <summary>False for an engine that breaks the promise about an owner's commits after a failed one.</summary>
    public bool KeepsOrder { get; init; } = true;

    /// <summary>How many commits owners have made.</summary>
    public int Commits => Volatile.Read(ref _commits);

    public override EngineCapabilities Capabilities => inner.Capabilities;

    public override ValueTask<TopicDescription> CreateTopicAsync(TopicSpecification specification, CancellationToken cancellation = default) =>
        inner.CreateTopicAsync(specification, cancellation);

    public override ValueTask<IReadOnlyList<TopicDescription>> ListTopicsAsync(CancellationToken cancellation = default) =>
        inner.ListTopicsAsync(cancellation);

    public override ValueTask<TopicDescription?> FindTopicAsync(string topic, CancellationToken cancellation = default) =>
        inner.FindTopicAsync(topic, cancellation);

    public override ValueTask DeleteTopicAsync(string topic, CancellationToken cancellation = default) => inner.DeleteTopicAsync(topic, cancellation);

    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default) =>
        inner.CommitAsync(commit, cancellation);

    public override ValueTask<Producer> OpenProducerAsync(string name, CancellationToken cancellation = default) =>
        inner.OpenProducerAsync(name, cancellation);

    public override PartitionReader OpenReader(TopicPartition source, long offset) => inner.OpenReader(source, offset);

    public override ValueTask<long> FindOffsetAsync(TopicPartition source, DateTimeOffset time, CancellationToken cancellation = default) =>
        inner.FindOffsetAsync(source, time, cancellation);

    public override async ValueTask<GroupMember> JoinAsync(GroupSubscription subscription, CancellationToken cancellation = default) =>
        new Member(this, await inner.JoinAsync(subscription, cancellation));

    public override ValueTask<IReadOnlyList<string>> ListGroupsAsync(CancellationToken cancellation = default) => inner.ListGroupsAsync(cancellation);

    public override ValueTask<IReadOnlyList<PartitionLag>> DescribeLagAsync(string group, CancellationToken cancellation = default) =>
        inner.DescribeLagAsync(group, cancellation);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class Member(FaultyEngine engine, GroupMember inner) : GroupMember
    {
        private readonly Dictionary<OwnedPartition, Owned> _owned = [];

        public override string MemberId => inner.MemberId;

        public override async ValueTask<AssignmentChange> NextChangeAsync(CancellationToken cancellation = default) =>
            await inner.NextChangeAsync(cancellation) switch
            {
                AssignmentChange.Assigned assigned => new AssignmentChange.Assigned(Wrap(assigned.Partitions)),
                AssignmentChange.Revoked revoked => new AssignmentChange.Revoked(Wrap(revoked.Partitions)),
                AssignmentChange.Lost lost => new AssignmentChange.Lost(Wrap(lost.Partitions)),
                var other => other,
            };

        public override ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation = default) =>
            inner.ReleaseAsync(((Owned)partition).Inner, cancellation);

        public override ValueTask DisposeAsync() => inner.DisposeAsync();

        private List<OwnedPartition> Wrap(IReadOnlyList<OwnedPartition> partitions)
        {
            var wrapped = new List<OwnedPartition>();
            foreach (var partition in partitions)
            {
                if (!_owned.TryGetValue(partition, out var known)) _owned[partition] = known = new Owned(engine, partition);
                wrapped.Add(known);
            }

            return wrapped;
        }
    }

    private sealed class Owned(FaultyEngine engine, OwnedPartition inner) : OwnedPartition
    {
        private Task _earlier = Task.CompletedTask;
        private bool _hasFailed;

        public OwnedPartition Inner => inner;

        public override string Group => inner.Group;

        public override int Partition => inner.Partition;

        public override long Epoch => inner.Epoch;

        public override IReadOnlyList<TopicPosition> Positions => inner.Positions;

        public override ValueTask RestoreAsync(CancellationToken cancellation = default)
        {
            _hasFailed = false;
            return inner.RestoreAsync(cancellation);
        }

        public override PartitionReader OpenReader(string topic, long offset) => inner.OpenReader(topic, offset);

        public override bool TryGet(string store, ReadOnlySpan<byte> key, out ReadOnlyMemory<byte> value) => inner.TryGet(store, key, out value);

        public override IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> Scan(string store, StateRange range) => inner.Scan(store, range);

        public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default)
        {
            var number = Interlocked.Increment(ref engine._commits);
            var answer = CommitInOrderAsync(_earlier, number, commit, cancellation);
            _earlier = answer;
            return new ValueTask<CommitResult>(answer);
        }

        private async Task<CommitResult> CommitInOrderAsync(Task earlier, int number, Commit commit, CancellationToken cancellation)
        {
            await Task.WhenAny(earlier);
            if (_hasFailed && engine.KeepsOrder) throw new MillraceException(FailureCodes.CommitAborted, "An earlier commit failed.");
            try
            {
                await engine.BeforeCommit(number, commit);
                var result = await inner.CommitAsync(commit, cancellation);
                engine.AfterCommit(number);
                return result;
            }
            catch
            {
                _hasFailed = true;
                throw;
            }
        }
    }
}

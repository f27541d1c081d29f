using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Confluent.Kafka;
using Millrace.Kafka.Clients;
using Millrace.Kafka.State;

namespace Millrace.Kafka.Groups;

/// <summary>
/// A member of a group. Its consumer is subscribed to the group's changelog and nothing else: who is assigned partition 3 of that owns
/// partition 3 of every topic, which no assignor of topics would promise. It reads nothing; readers are separate. One thread polls it and
/// runs the callbacks; one loop claims what is assigned and tells the runtime.
/// </summary>
internal sealed class Membership : GroupMember
{
    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(50);

    /// <summary>How much of the rebalance's time a member takes to hand over: the group is not to lose patience with it first.</summary>
    private const double HandoverShare = 0.9;

    private readonly Lock _gate = new(); // guards _owned, _handover and _consumer's being closed
    private readonly Dictionary<int, KafkaPartition> _owned = [];
    private readonly Channel<Event> _events = Channel.CreateUnbounded<Event>(); // bounded by what it carries: the group's partitions
    private readonly Channel<AssignmentChange> _changes = Channel.CreateUnbounded<AssignmentChange>();
    private readonly CancellationTokenSource _leave = new();
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly IReadOnlyDictionary<string, int> _topics;
    private readonly Task _polling;
    private readonly Task _following;
    private readonly Task _asking;
    private Handover? _handover;
    private bool _isClosed;
    private bool _isAssigned; // and not paused yet; the polling thread only
    private volatile bool _isTold; // what is assigned, be it nothing
    private volatile MillraceException? _failure;

    public Membership(
        KafkaEngine engine, GroupSubscription subscription, IReadOnlyDictionary<string, int> topics, Guid changelogId, string memberId)
    {
        (Engine, Subscription, _topics, ChangelogId, MemberId) = (engine, subscription, topics, changelogId, memberId);
        Standbys = new Standbys(this);
        _consumer = engine.Clients.Member(subscription.Group, builder => builder
            .SetPartitionsAssignedHandler((_, partitions) => Assigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => Revoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => Lost(partitions)));
        _polling = Task.Factory.StartNew(Poll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _following = Task.Factory.StartNew(
            FollowAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default).Unwrap();
        _asking = engine.Options.GroupProtocol == GroupProtocol.Classic ? Task.CompletedTask : Task.Factory.StartNew(
            AskForNothingAsync, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default).Unwrap();
    }

    public KafkaEngine Engine { get; }

    public GroupSubscription Subscription { get; }

    public Guid ChangelogId { get; }

    public Standbys Standbys { get; }

    public string Group => Subscription.Group;

    public override string MemberId { get; }

    /// <summary>How many partitions the group shares.</summary>
    public int Partitions => _topics.Values.Max();

    /// <summary>Commits all positions again, so that the brokers do not forget them.</summary>
    public void Refresh()
    {
        lock (_gate)
        {
            foreach (var partition in _owned.Values) _ = partition.RefreshAsync();
        }
    }

    /// <summary>Whether a partition is this member's.</summary>
    public bool Owns(int partition)
    {
        lock (_gate) return _owned.ContainsKey(partition);
    }

    /// <summary>The topics that have a partition of that number.</summary>
    public IReadOnlyList<string> TopicsAt(int partition) => [.. Subscription.Topics.Where(topic => partition < _topics[topic])];

    public override async ValueTask<AssignmentChange> NextChangeAsync(CancellationToken cancellation = default)
    {
        try
        {
            return await _changes.Reader.ReadAsync(cancellation);
        }
        catch (ChannelClosedException)
        {
            throw _failure is { } failure
                ? new MillraceException(failure.Code, failure.Message, failure)
                : new MillraceException(FailureCodes.Stopped, $"Member '{MemberId}' has left its group, or the engine has stopped.");
        }
    }

    public override async ValueTask ReleaseAsync(OwnedPartition partition, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(partition);
        var released = partition as KafkaPartition;
        if (released?.Member != this)
            throw new ArgumentException($"Partition {partition.Partition} of group '{partition.Group}' belongs to another member.");
        if (released.End())
        {
            lock (_gate) Forget(released);
            _handover?.Done(released);
        }

        await released.CloseAsync();
        if (!_leave.IsCancellationRequested) Standbys.Changed();
    }

    public override async ValueTask DisposeAsync()
    {
        if (!_leave.IsCancellationRequested)
        {
            await _leave.CancelAsync();
            foreach (var partition in EndAll()) await partition.CloseAsync();
        }

        await _polling;
        await _following;
        await _asking;
        await Standbys.DisposeAsync();
        Engine.Forget(this);
    }

    /// <summary>
    /// What proves to the group's coordinator that this is a member of it; null when it is the member no more that its partitions were
    /// assigned to. A consumer that fell out has empty data, which a coordinator takes for that of somebody outside any group and lets
    /// pass: so the member id is compared before and after, with the one of the assignment.
    /// </summary>
    public IConsumerGroupMetadata? GroupMetadata()
    {
        lock (_gate)
        {
            if (_isClosed || _owned.Count == 0) return null;
            var assignedTo = _owned.Values.First().MemberId;
            if (assignedTo.Length == 0 || _consumer.MemberId != assignedTo) return null;
            var data = _consumer.ConsumerGroupMetadata;
            return _consumer.MemberId == assignedTo ? data : null;
        }
    }

    /// <summary>
    /// The coordinator refused this member's data. Some refusals say that the membership is over, others that it moved on.
    /// </summary>
    public void Refused(Error error)
    {
        if (error.Code is not (ErrorCode.UnknownMemberId or ErrorCode.FencedInstanceId or ErrorCode.FencedMemberEpoch)) return;
        Lose(EndAll());
    }

    /// <summary>Writes that this member owns a partition from here on, and returns where that stands in the changelog.</summary>
    public async ValueTask<long> ClaimAsync(KafkaPartition partition, CancellationToken cancellation)
    {
        var now = Engine.Options.Time.GetUtcNow();
        var claim = string.Create(CultureInfo.InvariantCulture,
            $"{{\"instance\":\"{Engine.InstanceId}\",\"member\":\"{MemberId}\",\"time\":\"{now:yyyy-MM-ddTHH:mm:ss.fffZ}\"}}");
        return (await Engine.Requests.AskAsync($"Claiming {partition.Changelog}", async () =>
        {
            using var records = new RecordBatchBuilder();
            records.Add(now.ToUnixTimeMilliseconds(), Changelog.ClaimKey, Encoding.UTF8.GetBytes(claim));
            try
            {
                return new StrongBox<long>(await Engine.AppendSingleAsync(new CommitBatch(partition.Changelog, records), cancellation));
            }
            catch (MillraceException failure) when (partition.IsOwned
                && failure.Code is FailureCodes.UnknownResult or FailureCodes.Unreachable)
            {
                return null; // another claim does no harm
            }
        }, cancellation)).Value;
    }

    private void Poll()
    {
        try
        {
            _consumer.Subscribe(Changelog.TopicOf(Group));
            while (!_leave.IsCancellationRequested) PollOnce();
            lock (_gate) _isClosed = true;
            _consumer.Close();
        }
        catch (KafkaException failure)
        {
            Fail(KafkaErrors.ToFailure($"Being a member of group '{Group}'", failure.Error, failure));
            TryLeave();
        }
        finally
        {
            lock (_gate) _isClosed = true;
            _consumer.Dispose();
            _events.Writer.TryComplete();
        }
    }

    /// <summary>Leaves, if the coordinator hears it, so that the others need not wait for the session to end.</summary>
    private void TryLeave()
    {
        try
        {
            lock (_gate) _isClosed = true;
            _consumer.Close();
        }
        catch (KafkaException failure)
        {
            Engine.Log.Error(failure.Error);
        }
    }

    private void PollOnce()
    {
        try
        {
            _consumer.Consume(PollTime);
            if (!_isAssigned) return;
            _consumer.Pause(_consumer.Assignment);
            _isAssigned = false;
        }
        catch (ConsumeException failure) when (!KafkaErrors.IsRefusal(failure.Error.Code) && !failure.Error.IsFatal)
        {
            Engine.Log.Error(failure.Error);
        }
    }

    /// <summary>Nothing is read by this consumer: it begins at the end, and is paused as soon as that can be asked for.</summary>
    private IEnumerable<Confluent.Kafka.TopicPartitionOffset> Assigned(List<Confluent.Kafka.TopicPartition> partitions)
    {
        var memberId = _consumer.MemberId;
        var assigned = partitions.ConvertAll(partition => new KafkaPartition(this, partition.Partition.Value, memberId));
        lock (_gate)
        {
            foreach (var partition in assigned) _owned[partition.Partition] = partition;
        }

        _isAssigned = true;
        _isTold = true;
        _events.Writer.TryWrite(new Event.Assigned(assigned));
        return partitions.Select(partition => new Confluent.Kafka.TopicPartitionOffset(partition, Offset.End));
    }

    /// <summary>
    /// Holds the partitions until the runtime has released each, or the time for it is over: only when this returns do others get them.
    /// Heartbeats are sent by another thread, so nothing else would ever take them from a member whose work on them does not end.
    /// </summary>
    private void Revoked(List<Confluent.Kafka.TopicPartitionOffset> partitions)
    {
        if (partitions.Count == 0) return;
        Handover handover;
        lock (_gate)
        {
            var revoked = new List<KafkaPartition>();
            foreach (var partition in partitions)
            {
                if (_owned.TryGetValue(partition.Partition.Value, out var owned)) revoked.Add(owned);
            }

            revoked.ForEach(partition => partition.Revoke());
            _handover = handover = new Handover(revoked);
        }

        if (!_leave.IsCancellationRequested) _events.Writer.TryWrite(new Event.Revoked(handover.Partitions));
        var time = Engine.Options.EffectiveRebalanceTimeout * HandoverShare;
        if (!handover.Wait(time, Engine.Options.Time, _leave.Token)) Lose(EndUnreleased(handover, time));
        lock (_gate) _handover = null;
    }

    private List<KafkaPartition> EndUnreleased(Handover handover, TimeSpan time)
    {
        List<KafkaPartition> ended;
        lock (_gate)
        {
            ended = [.. handover.Partitions.Where(partition => partition.End())];
            ended.ForEach(Forget);
        }

        if (ended.Count > 0)
        {
            var numbers = string.Join(", ", ended.Select(partition => partition.Partition));
            Engine.Log.NotHandedOver(MemberId, numbers, Group, time);
        }

        return ended;
    }

    /// <summary>Its number may be this member's again already, as another's.</summary>
    private void Forget(KafkaPartition partition)
    {
        if (_owned.GetValueOrDefault(partition.Partition) == partition) _owned.Remove(partition.Partition);
    }

    private void Lost(List<Confluent.Kafka.TopicPartitionOffset> partitions)
    {
        if (partitions.Count == 0) return;
        Engine.Log.MembershipLost(MemberId, Group);
        Lose(EndAll());
    }

    private void Lose(List<KafkaPartition> lost)
    {
        if (lost.Count > 0) _events.Writer.TryWrite(new Event.Lost(lost));
    }

    /// <summary>Nothing is this member's any more: whoever waits for releases goes on.</summary>
    private List<KafkaPartition> EndAll()
    {
        List<KafkaPartition> ended;
        Handover? handover;
        lock (_gate)
        {
            ended = [.. _owned.Values.Where(partition => partition.End()).OrderBy(partition => partition.Partition)];
            _owned.Clear();
            handover = _handover;
        }

        ended.ForEach(partition => handover?.Done(partition));
        return ended;
    }

    private async Task FollowAsync()
    {
        try
        {
            await foreach (var happened in _events.Reader.ReadAllAsync()) await ApplyAsync(happened);
        }
        catch (MillraceException failure)
        {
            Fail(failure);
        }
        catch (OperationCanceledException)
        {
            // The member leaves.
        }

        _changes.Writer.TryComplete();
    }

    /// <summary>
    /// With the broker's own protocol the client does not tell of an assignment without partitions, so the broker is asked until one with
    /// partitions came, or there is none.
    /// </summary>
    private async Task AskForNothingAsync()
    {
        while (!_isTold && !_leave.IsCancellationRequested)
        {
            try
            {
                await Engine.Requests.AskAsync($"Asking what {MemberId} was assigned", async () =>
                    _isTold || await GroupLags.HasNothingAsync(Engine, Group, ClientMemberId()) ? MemberId : null, _leave.Token);
                if (!_isTold) _events.Writer.TryWrite(new Event.Assigned([]));
                return;
            }
            catch (MillraceException failure) when (failure.IsTransient)
            {
                Engine.Log.RequestRetried("Asking for an assignment", ErrorCode.Local_TimedOut, failure.Message);
            }
            catch (MillraceException)
            {
                return; // The engine stops, or the brokers refuse, which the group's own requests report.
            }
            catch (OperationCanceledException)
            {
                return; // The member leaves.
            }
        }
    }

    private string ClientMemberId()
    {
        lock (_gate) return _isClosed ? throw Requests.Stopped() : _consumer.MemberId;
    }

    private async ValueTask ApplyAsync(Event happened)
    {
        switch (happened)
        {
            case Event.Assigned(var partitions):
                await Task.WhenAll(partitions.Select(TryClaimAsync));
                Publish(partitions.Where(partition => partition.IsPublished), owned => new AssignmentChange.Assigned(owned));
                if (partitions.Count == 0) _changes.Writer.TryWrite(new AssignmentChange.Assigned([]));
                break;
            case Event.Revoked(var partitions):
                foreach (var partition in partitions.Where(partition => !partition.IsPublished)) await ReleaseAsync(partition);
                Publish(partitions.Where(partition => partition is { IsPublished: true, IsOwned: true }),
                    owned => new AssignmentChange.Revoked(owned));
                break;
            case Event.Lost(var partitions):
                Publish(partitions.Where(partition => partition.IsPublished), owned => new AssignmentChange.Lost(owned));
                foreach (var partition in partitions) await partition.CloseAsync();
                break;
            default:
                throw new InvalidOperationException($"Unknown event {happened.GetType().Name}.");
        }

        Standbys.Changed();
    }

    private async Task TryClaimAsync(KafkaPartition partition)
    {
        while (partition.IsOwned)
        {
            try
            {
                partition.ClaimedAt = await ClaimAsync(partition, _leave.Token);
                partition.IsPublished = partition.IsOwned;
                return;
            }
            catch (MillraceException failure) when (failure.IsTransient)
            {
                Engine.Log.RequestRetried("Claiming", ErrorCode.Local_TimedOut, failure.Message);
            }
        }
    }

    private void Publish(IEnumerable<KafkaPartition> partitions, Func<IReadOnlyList<OwnedPartition>, AssignmentChange> change)
    {
        var published = partitions.OrderBy(partition => partition.Partition).ToList<OwnedPartition>();
        if (published.Count > 0) _changes.Writer.TryWrite(change(published));
    }

    private void Fail(MillraceException failure)
    {
        _failure ??= failure;
        Lose(EndAll());
        _changes.Writer.TryComplete();
    }

    /// <summary>What the callbacks saw, in their order.</summary>
    private abstract record Event
    {
        public sealed record Assigned(IReadOnlyList<KafkaPartition> Partitions) : Event;

        public sealed record Revoked(IReadOnlyList<KafkaPartition> Partitions) : Event;

        public sealed record Lost(IReadOnlyList<KafkaPartition> Partitions) : Event;
    }
}

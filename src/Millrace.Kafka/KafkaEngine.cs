using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Millrace.Kafka.Clients;
using Millrace.Kafka.Groups;
using Millrace.Kafka.Reading;
using Millrace.Kafka.State;
using Millrace.Kafka.Topics;
using Millrace.Kafka.Writing;

namespace Millrace.Kafka;

/// <summary>
/// The engine contract by Apache Kafka's own means: groups by the consumer protocol, atomic commits as transactions with the positions in
/// them, keyed state on this machine with a compacted changelog topic per group. Thread safe. docs/kafka.md says how to run it,
/// docs/internals/kafka.md how it works and what it does about each failure.
/// </summary>
public sealed class KafkaEngine : Engine
{
    private const int RefreshesMax = 3;
    private const int FindBytesMax = 1 << 16;

    private readonly ConcurrentDictionary<Membership, bool> _members = new();
    private readonly ConcurrentDictionary<string, ProducerSession> _sessions = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private readonly StateFolder _folder;
    private readonly WriterContext _context;
    private readonly FetcherPool _fetchers;
    private readonly Appender _appender;
    private readonly Lock _gate = new(); // guards _disposing
    private TransactionWriter? _writer;
    private ITimer? _refreshing;
    private Task? _disposing;
    private int _joined;

    private KafkaEngine(KafkaOptions options, StateFolder folder)
    {
        (Options, _folder) = (options, folder);
        Capabilities = new EngineCapabilities { HasConditionalAppend = false, HasStateOnDisk = options.OpenStateStore is not null };
        Log = new ClientLog(options.LoggerFactory.CreateLogger<KafkaEngine>());
        Clients = new ClientFactory(options, Log);
        Admins = new AdminClients(Clients.Admin, options.Time);
        Requests = new Requests(options, Log, _stopping.Token);
        Topics = new TopicCatalog(Admins, options, Requests);
        Offsets = new GroupOffsets(this);
        States = new StateLeases(options, Log);
        _context = new WriterContext(options, Clients, Topics, Log, _stopping.Token);
        _fetchers = new FetcherPool(Clients, options);
        _appender = new Appender(Clients, Log);
    }

    /// <inheritdoc/>
    public override EngineCapabilities Capabilities { get; }

    /// <summary>This instance's name among those that share the brokers; see <see cref="KafkaOptions.InstanceId"/>.</summary>
    public string InstanceId => _folder.InstanceId;

    internal KafkaOptions Options { get; }

    internal ClientLog Log { get; }

    internal ClientFactory Clients { get; }

    internal AdminClients Admins { get; }

    internal Requests Requests { get; }

    internal TopicCatalog Topics { get; }

    internal GroupOffsets Offsets { get; }

    internal StateLeases States { get; }

    internal WriterContext Context => _context;

    internal bool IsStopped => _stopping.IsCancellationRequested;

    /// <summary>
    /// Opens the engine: locks the state directory, asks the brokers, and ends what an earlier run of this instance left open.
    /// </summary>
    /// <exception cref="ArgumentException">An option breaks its limit.</exception>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.Unreachable"/>, <see cref="FailureCodes.NotAuthorized"/>, <see cref="FailureCodes.DirectoryLocked"/>, <see
    /// cref="FailureCodes.StorageFailed"/>. </exception>
    public static async ValueTask<KafkaEngine> OpenAsync(KafkaOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var folder = StateFolder.Open(options);
        var engine = new KafkaEngine(options, folder);
        try
        {
            await engine.ConnectAsync(cancellation);
            var producer = new TransactionalProducer(engine._context, $"millrace-{engine.InstanceId}", isRival: false);
            await Requests.BlockingAsync(() =>
            {
                producer.Open();
                return producer;
            });
            engine._writer = new TransactionWriter(engine._context, producer);
            engine._refreshing = options.Time.CreateTimer(
                _ => engine.RefreshPositions(), null, options.PositionsRefreshInterval, options.PositionsRefreshInterval);
            engine.Log.Opened(options.BootstrapServers, engine.InstanceId, Library.VersionString);
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<TopicDescription> CreateTopicAsync(
        TopicSpecification specification, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(specification);
        DemandOpen(cancellation);
        specification.Validate();
        return await Topics.CreateAsync(specification, new Dictionary<string, string>(), cancellation);
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<TopicDescription>> ListTopicsAsync(CancellationToken cancellation = default)
    {
        DemandOpen(cancellation);
        return Topics.ListAsync(cancellation);
    }

    /// <inheritdoc/>
    public override ValueTask<TopicDescription?> FindTopicAsync(string topic, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        DemandOpen(cancellation);
        return Topics.FindAsync(topic, cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask DeleteTopicAsync(string topic, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        DemandOpen(cancellation);
        await Topics.DeleteAsync(topic, cancellation);
        _fetchers.Fail(topic, new MillraceException(FailureCodes.TopicNotFound, $"Topic '{topic}' was deleted."));
    }

    /// <inheritdoc/>
    public override async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(commit);
        if (commit.Positions.Count > 0 || commit.Changes.Count > 0)
            throw new ArgumentException("Positions and keyed state are committed by the owner of a partition, not by the engine.");
        Demand(commit, cancellation);
        if (commit.Batches.Count == 0) return new CommitResult.Committed([]);
        if (commit.Producer is { } producer) return await SessionOf(producer).CommitAsync(commit, cancellation);
        if (commit.Batches is not [{ Records.Count: 1 } single])
            return await Writer.CommitAsync(new PendingCommit(commit, null, cancellation));
        return new CommitResult.Committed([await AppendSingleAsync(single, cancellation)]);
    }

    /// <summary>
    /// Opens an idempotent producer: a transactional producer of that name, by which Kafka fences every earlier opening. Each has a thread
    /// and connections of its own. Kafka's client does not tell the id and epoch that stand in its batches, so <see cref="Producer.Id"/> is
    /// a number that no other opening has, and the epoch is 0.
    /// </summary>
    public override async ValueTask<Producer> OpenProducerAsync(string name, CancellationToken cancellation = default)
    {
        DemandOpen(cancellation);
        if (!TopicSpecification.IsValidName(name))
            throw new ArgumentException($"Producer name '{name}' is not 1 to 249 characters of [a-zA-Z0-9._-] (and not '.' or '..').");
        var id = ((long)RandomNumberGenerator.GetInt32(int.MaxValue) << 31) + RandomNumberGenerator.GetInt32(int.MaxValue);
        var producer = new Producer(name, id, 0);
        var transactional = new TransactionalProducer(_context, name, isRival: true);
        await Requests.BlockingAsync(() =>
        {
            transactional.Open();
            return transactional;
        });
        var session = new ProducerSession(producer, new TransactionWriter(_context, transactional));
        if (_sessions.TryRemove(name, out var earlier)) await earlier.DisposeAsync();
        _sessions[name] = session;
        return producer;
    }

    /// <inheritdoc/>
    public override PartitionReader OpenReader(TopicPartition source, long offset)
    {
        DemandOpen(CancellationToken.None);
        Topics.Demand(source);
        var (start, end, _) = Topics.ExtentsAsync([source], CancellationToken.None).AsTask().GetAwaiter().GetResult()[0];
        if (offset < start || offset > end)
        {
            throw new MillraceException(FailureCodes.OffsetOutOfRange,
                $"Offset {offset} of {source} was asked for; it holds {start} to {end}.");
        }

        return OpenAssigned(source, offset);
    }

    /// <inheritdoc/>
    public override async ValueTask<long> FindOffsetAsync(
        TopicPartition source, DateTimeOffset time, CancellationToken cancellation = default)
    {
        DemandOpen(cancellation);
        await DemandAsync(source, cancellation);
        var offset = await Topics.FindOffsetAsync(source, time, cancellation);
        var end = (await Topics.ExtentsAsync([source], cancellation))[0].End;

        // Kafka answers with the marker of a transaction as well, whose time is when it was written. The record that was asked for is at
        // that offset or after it.
        using var reader = OpenAssigned(source, offset);
        while (reader.Offset < end)
        {
            using var fetched = await reader.ReadAsync(FindBytesMax, cancellation);
            foreach (var record in fetched)
            {
                if (record.Timestamp >= time.ToUnixTimeMilliseconds()) return record.Offset;
            }
        }

        return end;
    }

    /// <inheritdoc/>
    public override async ValueTask<GroupMember> JoinAsync(GroupSubscription subscription, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        DemandOpen(cancellation);
        GroupSubscription.ValidateGroup(subscription.Group);
        var topics = await GroupTopics.CheckAsync(this, subscription, cancellation);
        foreach (var present in _members.Keys) GroupTopics.DemandSame(present.Subscription, subscription);
        var changelogId = await GroupTopics.EnsureChangelogAsync(this, subscription, topics.Values.Max(), cancellation);
        var number = Interlocked.Increment(ref _joined).ToString(CultureInfo.InvariantCulture);
        var member = new Membership(this, subscription, topics, changelogId, $"{subscription.Group}-{InstanceId}-{number}");
        _members[member] = true;
        return member;
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<string>> ListGroupsAsync(CancellationToken cancellation = default)
    {
        DemandOpen(cancellation);
        return GroupLags.ListAsync(this, cancellation);
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<PartitionLag>> DescribeLagAsync(string group, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(group);
        DemandOpen(cancellation);
        var subscribed = _members.Keys.Where(member => member.Group == group).SelectMany(member => member.Subscription.Topics);
        return GroupLags.DescribeAsync(this, group, [.. subscribed], cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        Task disposing;
        lock (_gate) disposing = _disposing ??= StopAsync();
        await disposing;
    }

    internal ValueTask<CommitResult> CommitAsync(Commit commit, KafkaPartition owner, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(commit);
        Demand(commit, cancellation);
        if (commit.Producer is not null)
            throw new ArgumentException("A partition's owner commits by the engine's own producer; leave Commit.Producer null.");
        return Writer.CommitAsync(new PendingCommit(commit, owner, cancellation));
    }

    internal ValueTask<CommitResult> RefreshAsync(PendingCommit pending) => Writer.CommitAsync(pending);

    internal ValueTask<long> AppendSingleAsync(CommitBatch single, CancellationToken cancellation) => AppendAsync(single, cancellation);

    /// <summary>A reader at an offset that is known to be there.</summary>
    internal KafkaReader OpenAssigned(TopicPartition source, long offset)
    {
        DemandOpen(CancellationToken.None);
        return _fetchers.Open(source, offset);
    }

    /// <summary>
    /// A reader of what a local copy of state does not have yet; a copy that fell behind the changelog's start is cleared.
    /// </summary>
    internal async ValueTask<KafkaReader> OpenChangelogAsync(TopicPartition changelog, StateStore store, CancellationToken cancellation)
    {
        var (start, end, _) = (await Topics.ExtentsAsync([changelog], cancellation))[0];
        if (store.Position > 0 && store.Position < start)
        {
            Log.CopyDropped($"{changelog}", $"it is at offset {store.Position} and the changelog begins at {start}");
            store.Clear();
        }

        return OpenAssigned(changelog, Math.Max(store.Position, start));
    }

    internal void Forget(Membership member) => _members.TryRemove(member, out _);

    private TransactionWriter Writer => _writer ?? throw Requests.Stopped();

    private async ValueTask<long> AppendAsync(CommitBatch single, CancellationToken cancellation)
    {
        for (var refreshes = 0; ; refreshes++)
        {
            await DemandAsync(single.Target, cancellation);
            try
            {
                return await _appender.AppendAsync(single, cancellation);
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.TopicNotFound && refreshes < RefreshesMax)
            {
                // The client remembers a topic as it was before it was deleted and created again; or it is gone, and demanding it says so.
                Topics.Forget(single.Target.Topic);
                await Requests.BlockingAsync(() =>
                {
                    _appender.Refresh(single.Target.Topic);
                    return failure;
                });
            }
        }
    }

    private void RefreshPositions()
    {
        foreach (var member in _members.Keys) member.Refresh();
    }

    private ProducerSession SessionOf(Producer producer)
    {
        if (_sessions.TryGetValue(producer.Name, out var session) && session.Producer.Id == producer.Id) return session;
        throw new MillraceException(FailureCodes.Fenced, $"The producer {producer} was opened again under its name, or by another engine.");
    }

    private async ValueTask ConnectAsync(CancellationToken cancellation)
    {
        var what = $"Connecting to {Options.BootstrapServers}";
        try
        {
            // Not by DescribeCluster: librdkafka ends the process when a broker that starts, or was away, answers it with no brokers.
            var timeout = Min(Options.ConnectTimeout, Requests.CallTime);
            await Requests.AskAsync(
                what, async () => await Topics.GetMetadataAsync(timeout) is { Brokers.Count: > 0 } known ? known : null,
                cancellation, Options.ConnectTimeout);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.Unreachable && KafkaErrors.IsNotAuthorized(Log.LastErrorCode))
        {
            throw KafkaErrors.ToFailure(what, Log.LastErrorCode, Log.LastError, failure);
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.Unreachable)
        {
            throw new MillraceException(FailureCodes.Unreachable,
                $"No broker answered at {Options.BootstrapServers} within {Options.ConnectTimeout}: {Log.LastError}", failure);
        }
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync();
        if (_refreshing is not null) await _refreshing.DisposeAsync();
        foreach (var member in _members.Keys) await member.DisposeAsync();
        await Requests.WhenReturnedAsync();
        await Requests.BlockingAsync(() =>
        {
            _writer?.Dispose();
            _fetchers.Dispose();
            Offsets.Dispose();
            _appender.Dispose();
            return 0;
        });
        foreach (var session in _sessions.Values) await session.DisposeAsync();
        Admins.Dispose();
        _folder.Dispose();
    }

    private async ValueTask DemandAsync(TopicPartition source, CancellationToken cancellation)
    {
        if (!Topics.IsKnown(source) && await Topics.FindAsync(source.Topic, cancellation) is null)
            throw TopicCatalog.NotFound(source.Topic);
        Topics.Demand(source);
    }

    private void Demand(Commit commit, CancellationToken cancellation)
    {
        DemandOpen(cancellation);
        commit.DropEmptyBatches();
        if (commit.Expectations is [var (topic, key, _, _), ..])
        {
            throw new MillraceException(FailureCodes.NotSupported,
                $"The commit expects a version of stream '{key}' of topic '{topic}'. Kafka has no conditional append: keep event " +
                "streams in PostgreSQL (docs/kafka.md), or on the embedded log. " +
                $"{nameof(EngineCapabilities)}.{nameof(EngineCapabilities.HasConditionalAppend)} tells.");
        }
    }

    private void DemandOpen(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (IsStopped) throw Requests.Stopped();
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}

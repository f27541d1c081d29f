using Millrace.Log.Writing;
using Millrace.Log.Groups;
using Millrace.Log.Recovery;
using Millrace.Log.Segments;

namespace Millrace.Log;

/// <summary>
/// The embedded engine: a durable log in one directory, for one process. A commit is acknowledged after the disk confirmed it; commits that
/// wait together share one write and one sync. After any crash each partition is a prefix of what was sent that contains all that was
/// acknowledged. On a disk error it stops by itself and every call fails with <see cref="FailureCodes.StorageFailed"/>. Thread safe.
/// </summary>
public sealed class LogEngine : Engine
{
    private readonly LogOptions _options;
    private readonly IDisposable _directoryLock;
    private readonly Catalog _catalog;
    private readonly Writer _writer;
    private readonly Lock _gate = new(); // guards _coordinators and _members
    private readonly Dictionary<string, GroupCoordinator> _coordinators = new(StringComparer.Ordinal);
    private readonly List<EmbeddedMember> _members = [];
    private long _epochs;
    private bool _isStopped;

    private LogEngine(LogOptions options, IDisposable directoryLock, Catalog catalog, Writer writer)
    {
        (_options, _directoryLock, _catalog, _writer) = (options, directoryLock, catalog, writer);
        _epochs = catalog.Generation << 32;
        Capabilities = new EngineCapabilities { HasConditionalAppend = true, HasStateOnDisk = options.OpenStateStore is not null };
        writer.Start();
    }

    /// <inheritdoc/>
    public override EngineCapabilities Capabilities { get; }

    /// <summary>Opens the log in a directory, which is made where it is missing, and recovers what a crash interrupted.</summary>
    /// <param name="directory">The directory; absolute, or relative to the working directory.</param>
    /// <param name="options">Limits and parameters, or null for the defaults.</param>
    /// <param name="cancellation">Checked before anything is touched.</param>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.DirectoryLocked"/> when another process has it open, <see cref="FailureCodes.Corrupt"/> with file and
    /// offset,
    /// <see cref="FailureCodes.UnknownVersion"/>, <see cref="FailureCodes.DiskFull"/>, <see cref="FailureCodes.StorageFailed"/>.
    /// </exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static ValueTask<LogEngine> OpenAsync(string directory, LogOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(directory);
        cancellation.ThrowIfCancellationRequested();
        options ??= new LogOptions();
        options.Validate();
        var folder = new Folder(Path.GetFullPath(directory));
        IDisposable? directoryLock = null;
        try
        {
            options.Storage.CreateDirectory(folder.Root);
            directoryLock = TakeLock(options.Storage, folder);
            var (catalog, nextSequence) = new Recoverer(folder, options).Run();
            return ValueTask.FromResult(new LogEngine(options, directoryLock, catalog, new Writer(folder, options, catalog, nextSequence)));
        }
        catch (DiskFullException full)
        {
            directoryLock?.Dispose();
            throw new MillraceException(
                FailureCodes.DiskFull, $"The log in {folder.Root} cannot be opened: {full.Message} Make room.", full);
        }
        catch (IOException failure)
        {
            directoryLock?.Dispose();
            throw new MillraceException(
                FailureCodes.StorageFailed, $"The log in {folder.Root} cannot be opened: {failure.Message}", failure);
        }
        catch
        {
            directoryLock?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<TopicDescription> CreateTopicAsync(
        TopicSpecification specification, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(specification);
        specification.Validate();
        return await DoAsync(new TopicCreation(specification), cancellation);
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<TopicDescription>> ListTopicsAsync(CancellationToken cancellation = default)
    {
        ThrowIfStopped();
        cancellation.ThrowIfCancellationRequested();
        var topics = _catalog.Topics.Values.Select(t => t.Describe()).OrderBy(t => t.Name, StringComparer.Ordinal).ToList();
        return ValueTask.FromResult<IReadOnlyList<TopicDescription>>(topics);
    }

    /// <inheritdoc/>
    public override ValueTask<TopicDescription?> FindTopicAsync(string topic, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        ThrowIfStopped();
        cancellation.ThrowIfCancellationRequested();
        return ValueTask.FromResult(_catalog.Topics.TryGetValue(topic, out var found) ? found.Describe() : null);
    }

    /// <inheritdoc/>
    public override async ValueTask DeleteTopicAsync(string topic, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(topic);
        await DoAsync(new TopicDeletion(topic), cancellation);
    }

    /// <inheritdoc/>
    /// <remarks>Once handed to the writer a commit can no longer be cancelled: the call returns when it is durable or refused.</remarks>
    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(commit);
        if (commit.Positions.Count > 0 || commit.Changes.Count > 0)
        {
            throw new ArgumentException(
                $"The commit holds {commit.Positions.Count} positions and {commit.Changes.Count} changes of state; only the owner of a " +
                "partition may commit those.");
        }

        return CommitAsync(commit, owner: null, ownerEpoch: 0, cancellation);
    }

    /// <inheritdoc/>
    public override async ValueTask<Producer> OpenProducerAsync(string name, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return await DoAsync(new ProducerOpening(name), cancellation);
    }

    /// <inheritdoc/>
    public override PartitionReader OpenReader(TopicPartition source, long offset)
    {
        ThrowIfStopped();
        return new SegmentReader(_catalog.Partition(source), offset);
    }

    /// <inheritdoc/>
    public override ValueTask<long> FindOffsetAsync(TopicPartition source, DateTimeOffset time, CancellationToken cancellation = default)
    {
        ThrowIfStopped();
        cancellation.ThrowIfCancellationRequested();
        return ValueTask.FromResult(TimeSearch.Find(_catalog.Partition(source), time.ToUnixTimeMilliseconds()));
    }

    /// <inheritdoc/>
    public override ValueTask<GroupMember> JoinAsync(GroupSubscription subscription, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        cancellation.ThrowIfCancellationRequested();
        var topics = GroupRules.Check(subscription, _catalog);
        lock (_gate)
        {
            ThrowIfStopped();
            if (!_coordinators.TryGetValue(subscription.Group, out var coordinator))
            {
                coordinator = new GroupCoordinator(
                    _catalog.Group(subscription.Group), subscription, topics, _options, () => Interlocked.Increment(ref _epochs));
                _coordinators.Add(subscription.Group, coordinator);
            }

            GroupRules.CheckSame(coordinator.Subscription, subscription);
            var member = coordinator.Join(this);
            _members.Add(member);
            return ValueTask.FromResult<GroupMember>(member);
        }
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<string>> ListGroupsAsync(CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        lock (_gate)
        {
            ThrowIfStopped();
            var groups = _catalog.Groups.Values
                .Where(g => _coordinators.ContainsKey(g.Name) || g.Partitions.Values.Any(p => !p.Positions.IsEmpty || p.State is not null))
                .Select(g => g.Name).Order(StringComparer.Ordinal).ToList();
            return ValueTask.FromResult<IReadOnlyList<string>>(groups);
        }
    }

    /// <inheritdoc/>
    public override ValueTask<IReadOnlyList<PartitionLag>> DescribeLagAsync(string group, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(group);
        cancellation.ThrowIfCancellationRequested();
        ThrowIfStopped();
        if (!_catalog.Groups.TryGetValue(group, out var log)) return ValueTask.FromResult<IReadOnlyList<PartitionLag>>([]);
        GroupCoordinator? coordinator;
        lock (_gate) _coordinators.TryGetValue(group, out coordinator);
        var lags = new List<PartitionLag>();
        foreach (var topic in _catalog.Topics.Values.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            var isRead = coordinator?.Topics.Contains(topic) == true
                || log.Partitions.Values.Any(p => p.Positions.ContainsKey(topic.Number));
            if (isRead) lags.AddRange(topic.Partitions.Select((p, i) => GroupRules.Lag(log, topic, p, i)));
        }

        return ValueTask.FromResult<IReadOnlyList<PartitionLag>>(lags);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isStopped) return;
            Volatile.Write(ref _isStopped, true);
            foreach (var member in _members) member.End();
        }

        await _writer.StopAsync();
        foreach (var topic in _catalog.TopicsByNumber.Values)
        {
            foreach (var partition in topic.Partitions) partition.Close(FailureCodes.Stopped);
        }

        _catalog.Close();
        _writer.Dispose();
        _directoryLock.Dispose();
    }

    internal async ValueTask<T> DoAsync<T>(Work<T> work, CancellationToken cancellation)
    {
        ThrowIfStopped();
        cancellation.ThrowIfCancellationRequested();
        return await _writer.DoAsync(work, cancellation);
    }

    internal ValueTask<CommitResult> CommitAsync(Commit commit, GroupPartition? owner, long ownerEpoch, CancellationToken cancellation)
    {
        PendingCommit pending;
        try
        {
            pending = new PendingCommit(_catalog, _options, commit, owner, ownerEpoch);
        }
        catch (Exception refusal)
        {
            return RefuseAsync(owner, ownerEpoch, refusal);
        }

        return owner is null ? DoAsync(pending, cancellation) : DoInOrderAsync(pending, owner, ownerEpoch, cancellation);
    }

    /// <summary>Lets the owner's later commits know, in the order of the calls.</summary>
    private async ValueTask<CommitResult> RefuseAsync(GroupPartition? owner, long ownerEpoch, Exception refusal)
    {
        if (owner is not null) await DoAsync(new RefusedCommit(owner, ownerEpoch), CancellationToken.None);
        throw refusal;
    }

    private async ValueTask<CommitResult> DoInOrderAsync(
        PendingCommit pending, GroupPartition owner, long ownerEpoch, CancellationToken cancellation)
    {
        try
        {
            return await DoAsync(pending, cancellation);
        }
        catch (OperationCanceledException)
        {
            owner.Abort(ownerEpoch);
            throw;
        }
    }

    /// <summary>
    /// Drops the coordinator of a group that nobody is in any more, so that the next member may subscribe to other topics.
    /// </summary>
    internal void Forget(EmbeddedMember member, GroupCoordinator coordinator)
    {
        lock (_gate)
        {
            _members.Remove(member);
            if (coordinator.IsEmpty && _coordinators.GetValueOrDefault(coordinator.Log.Name) == coordinator)
                _coordinators.Remove(coordinator.Log.Name);
        }
    }

    private static IDisposable TakeLock(IStorage storage, Folder folder)
    {
        try
        {
            return storage.Lock(folder.LockFile);
        }
        catch (IOException failure)
        {
            throw new MillraceException(FailureCodes.DirectoryLocked,
                $"Another process has {folder.Root} open (lock file {folder.LockFile}). Stop it, or choose another directory.", failure);
        }
    }

    private void ThrowIfStopped()
    {
        if (Volatile.Read(ref _isStopped)) throw new MillraceException(FailureCodes.Stopped, "The engine has stopped.");
    }
}

namespace Millrace;

/// <summary>What an engine can do beyond the common contract.</summary>
public sealed record EngineCapabilities
{
    /// <summary>Whether commits may carry <see cref="Commit.Expect"/>. The embedded engine can; Kafka cannot.</summary>
    public required bool HasConditionalAppend { get; init; }

    /// <summary>
    /// Whether keyed state is kept on disk, so that it may be larger than memory: with the option <c>OpenStateStore</c> of either engine.
    /// </summary>
    public bool HasStateOnDisk { get; init; }
}

/// <summary>
/// The contract of every engine: topics, atomic commits, reads, consumer groups. The embedded log, Kafka and the simulated log pass the
/// same test suite. All members are thread safe unless said otherwise. Only a composition root chooses an engine.
/// </summary>
public abstract class Engine : IAsyncDisposable
{
    /// <summary>What this engine can do beyond the common contract.</summary>
    public abstract EngineCapabilities Capabilities { get; }

    /// <summary>Creates a topic, durably.</summary>
    /// <exception cref="ArgumentException">The specification breaks a rule.</exception>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.TopicExists"/> when there is one of that name, or of one that differs only in '.' and '_', as Kafka has it.
    /// </exception>
    public abstract ValueTask<TopicDescription> CreateTopicAsync(
        TopicSpecification specification, CancellationToken cancellation = default);

    /// <summary>All topics, ordered by name (ordinal).</summary>
    public abstract ValueTask<IReadOnlyList<TopicDescription>> ListTopicsAsync(CancellationToken cancellation = default);

    /// <summary>One topic with its present offsets, or null when there is none of that name.</summary>
    public abstract ValueTask<TopicDescription?> FindTopicAsync(string topic, CancellationToken cancellation = default);

    /// <summary>Deletes a topic with its records. Readers of it fail with <see cref="FailureCodes.TopicNotFound"/>.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/>.</exception>
    public abstract ValueTask DeleteTopicAsync(string topic, CancellationToken cancellation = default);

    /// <summary>
    /// Commits records and expectations atomically, without a group. Returns when they are durable by each topic's <see
    /// cref="Durability"/>.
    /// </summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.TopicNotFound"/>, <see cref="FailureCodes.Fenced"/>, <see cref="FailureCodes.SequenceGap"/>,
    /// <see cref="FailureCodes.TooLarge"/>, <see cref="FailureCodes.DiskFull"/>, <see cref="FailureCodes.StorageFailed"/>,
    /// <see cref="FailureCodes.NotSupported"/>, <see cref="FailureCodes.Stopped"/>.
    /// </exception>
    /// <exception cref="ArgumentException">The commit holds positions or state, which need an owner.</exception>
    public abstract ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation = default);

    /// <summary>Opens an idempotent producer under a stable name and fences every earlier opening of it.</summary>
    public abstract ValueTask<Producer> OpenProducerAsync(string name, CancellationToken cancellation = default);

    /// <summary>Opens a reader of one partition, outside any group.</summary>
    /// <param name="source">The partition.</param>
    /// <param name="offset">Where to begin: from the partition's start to its end offset.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicNotFound"/> or <see
    /// cref="FailureCodes.OffsetOutOfRange"/>.</exception>
    public abstract PartitionReader OpenReader(TopicPartition source, long offset);

    /// <summary>
    /// The offset of the first record whose time is at or after a time (Kafka's offsetsForTimes), or the end offset when there is none.
    /// </summary>
    public abstract ValueTask<long> FindOffsetAsync(TopicPartition source, DateTimeOffset time, CancellationToken cancellation = default);

    /// <summary>Joins a consumer group. Its members in all processes share the partitions.</summary>
    public abstract ValueTask<GroupMember> JoinAsync(GroupSubscription subscription, CancellationToken cancellation = default);

    /// <summary>All groups that have committed or have members, ordered by id (ordinal).</summary>
    public abstract ValueTask<IReadOnlyList<string>> ListGroupsAsync(CancellationToken cancellation = default);

    /// <summary>
    /// How far a group is behind, per partition of the topics that it has committed positions for or is subscribed to. A partition without
    /// a position counts from its start offset.
    /// </summary>
    public abstract ValueTask<IReadOnlyList<PartitionLag>> DescribeLagAsync(string group, CancellationToken cancellation = default);

    /// <summary>Stops the engine: open commits end, readers fail with <see cref="FailureCodes.Stopped"/>. Again has no effect.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Creates the topic unless it exists with the same partitions and durability.</summary>
    /// <exception cref="MillraceException"><see cref="FailureCodes.TopicExists"/> when it exists with other settings.</exception>
    public async ValueTask<TopicDescription> EnsureTopicAsync(TopicSpecification specification, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(specification);
        var found = await FindTopicAsync(specification.Name, cancellation);
        if (found is null)
        {
            try
            {
                return await CreateTopicAsync(specification, cancellation);
            }
            catch (MillraceException failure) when (failure.Code == FailureCodes.TopicExists)
            {
                found = await FindTopicAsync(specification.Name, cancellation);
                if (found is null) throw;
            }
        }

        if (found.Partitions.Count != specification.Partitions || found.Durability != specification.Durability)
        {
            throw new MillraceException(FailureCodes.TopicExists,
                $"Topic '{found.Name}' exists with {found.Partitions.Count} partitions and durability {found.Durability}; " +
                $"{specification.Partitions} and {specification.Durability} were asked for. Partitions cannot change: use another topic.");
        }

        return found;
    }

    /// <summary>
    /// Appends one batch to one partition and returns the offset of its first record. With a producer it is numbered and idempotent.
    /// </summary>
    public async ValueTask<long> AppendAsync(
        TopicPartition target, Action<RecordBatchBuilder> fill, Producer? producer = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(fill);
        using var commit = new Commit { Producer = producer };
        var batch = commit.To(target);
        fill(batch);
        var count = batch.Count;
        var result = await CommitAsync(commit, cancellation);
        producer?.Advance(target, count);
        return result.RequireCommitted()[0];
    }
}

/// <summary>
/// Reads one partition forwards, committed records only. Not thread safe: one read at a time. A reader at the end waits for the next
/// commit.
/// </summary>
public abstract class PartitionReader : IDisposable
{
    /// <summary>The partition.</summary>
    public abstract TopicPartition Source { get; }

    /// <summary>The offset that the next read begins at.</summary>
    public abstract long Offset { get; }

    /// <summary>
    /// Takes what is there, at most about <paramref name="bytesMax"/> bytes but at least one whole batch; null when nothing is there now.
    /// On the embedded engine that is the partition's end; on Kafka it may be on its way. Who must know reads until <see cref="Offset"/>
    /// reaches the end offset. What is taken may hold no record: then only the offset moves, past what a log keeps between records.
    /// </summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.OffsetOutOfRange"/> when retention passed the reader, <see cref="FailureCodes.TopicNotFound"/> when the
    /// topic was
    /// deleted, <see cref="FailureCodes.Corrupt"/>, <see cref="FailureCodes.Stopped"/>.
    /// </exception>
    public abstract FetchedRecords? TryRead(int bytesMax);

    /// <summary>Completes when <see cref="TryRead"/> may have something, or throws as it would.</summary>
    public abstract ValueTask WaitAsync(CancellationToken cancellation = default);

    /// <summary>Waits until there is something and reads it.</summary>
    public async ValueTask<FetchedRecords> ReadAsync(int bytesMax, CancellationToken cancellation = default)
    {
        while (true)
        {
            if (TryRead(bytesMax) is { } records) return records;
            await WaitAsync(cancellation);
        }
    }

    /// <summary>Closes the reader.</summary>
    public abstract void Dispose();
}

/// <summary>How far a group is behind on a partition.</summary>
/// <param name="Source">The partition.</param>
/// <param name="Position">The offset of the next record to read.</param>
/// <param name="EndOffset">The offset that the next record appended will get.</param>
public readonly record struct PartitionLag(TopicPartition Source, long Position, long EndOffset)
{
    /// <summary>How many offsets are between; Kafka's lag.</summary>
    public long Lag => Math.Max(0, EndOffset - Position);
}

/// <summary>
/// Reads one partition from an offset on, outside any group, follows it, and tells how far it is. Whoever must see what is durable waits
/// for the offset behind it. Thread safe; it runs once.
/// </summary>
/// <param name="source">The partition.</param>
/// <param name="from">Where to begin.</param>
/// <param name="take">Takes in what was read; called in the log's order, one call at a time.</param>
public sealed class PartitionFollower(TopicPartition source, long from, Action<FetchedRecords> take)
{
    private const int ReadBytesMax = 1 << 20;

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private readonly PriorityQueue<TaskCompletionSource, long> _waiting = new();
    private long _offset = from;
    private Exception? _end;

    /// <summary>The partition.</summary>
    public TopicPartition Source => source;

    private long Offset
    {
        get
        {
            lock (_lock) return _offset;
        }
    }

    /// <summary>Reads until it is cancelled, the engine stops, or something fails; then all who wait fail with it, too.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <returns>What failed; null when it was cancelled or the engine stopped.</returns>
    public async Task<Exception?> RunAsync(Engine engine, CancellationToken cancellation)
    {
        try
        {
            using var reader = engine.OpenReader(source, Offset);
            while (true)
            {
                using var records = await reader.ReadAsync(ReadBytesMax, cancellation);
                take(records);
                Advance(reader.Offset);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            End(new MillraceException(FailureCodes.Stopped, $"{source} is not read any more."));
            return null;
        }
        catch (Exception failure)
        {
            // The edge of the reading: whoever owns it decides what its end means.
            End(failure);
            return failure is MillraceException { Code: FailureCodes.Stopped } ? null : failure;
        }
    }

    /// <summary>Completes once everything before an offset was taken in.</summary>
    /// <param name="offset">The offset behind what is waited for.</param>
    /// <param name="cancellation">Gives the wait up.</param>
    /// <exception cref="Exception">What ended the reading.</exception>
    public Task WaitAsync(long offset, CancellationToken cancellation)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_offset >= offset) return Task.CompletedTask;
            if (_end is not null) return Task.FromException(_end);
            _waiting.Enqueue(waiter, offset);
        }

        return waiter.Task.WaitAsync(cancellation);
    }

    private void Advance(long offset)
    {
        lock (_lock)
        {
            _offset = offset;
            while (_waiting.TryPeek(out var waiter, out var awaited) && awaited <= offset)
            {
                _waiting.Dequeue();
                waiter.SetResult();
            }
        }
    }

    private void End(Exception failure)
    {
        lock (_lock)
        {
            _end = failure;
            while (_waiting.TryDequeue(out var waiter, out _))
            {
                waiter.SetException(failure);
                _ = waiter.Task.Exception; // whoever gave the wait up does not look any more
            }
        }
    }
}

namespace Millrace;

/// <summary>
/// What becomes durable together or not at all: records on any partitions, positions read, keyed state, and the expectations that must
/// hold. Fill it, hand it to <see cref="Engine.CommitAsync"/> or <see cref="OwnedPartition.CommitAsync"/>, await the result, dispose it. An
/// engine never changes it but for stamping offsets into its batches. Not thread safe.
/// </summary>
public sealed class Commit : IDisposable
{
    private readonly List<CommitBatch> _batches = [];
    private readonly List<TopicPosition> _positions = [];
    private readonly List<StateChange> _changes = [];
    private readonly List<ExpectedVersion> _expectations = [];
    private readonly IReadOnlyList<BatchSize> _sizes;

    /// <summary>Begins an empty commit.</summary>
    public Commit() => _sizes = [];

    /// <summary>Begins a commit whose batches are likely to become as large as these.</summary>
    internal Commit(IReadOnlyList<BatchSize> sizes) => _sizes = sizes;

    /// <summary>The batches, one per partition written to, in the order in which partitions were first written.</summary>
    public IReadOnlyList<CommitBatch> Batches => _batches;

    /// <summary>The positions, one per topic at most. Only an <see cref="OwnedPartition"/> may commit positions.</summary>
    public IReadOnlyList<TopicPosition> Positions => _positions;

    /// <summary>
    /// The changes of keyed state in order; a later one of the same key wins. Only an <see cref="OwnedPartition"/> may commit them.
    /// </summary>
    public IReadOnlyList<StateChange> Changes => _changes;

    /// <summary>The versions of event streams that must hold, else nothing of this commit happens.</summary>
    public IReadOnlyList<ExpectedVersion> Expectations => _expectations;

    /// <summary>The idempotent producer on whose behalf the batches are written, or null.</summary>
    public Producer? Producer { get; set; }

    /// <summary>True when there is nothing to commit.</summary>
    public bool IsEmpty => _batches.Count == 0 && _positions.Count == 0 && _changes.Count == 0 && _expectations.Count == 0;

    /// <summary>The batch for a partition, to add records to. The engine refuses unknown topics and partitions when it commits.</summary>
    public RecordBatchBuilder To(TopicPartition target)
    {
        foreach (var batch in _batches)
        {
            if (batch.Target == target) return batch.Records;
        }

        var added = new CommitBatch(target, new RecordBatchBuilder(SizeOf(target)));
        _batches.Add(added);
        return added.Records;
    }

    /// <summary>Sets the position of a topic at the owner's partition: the offset of the next record to read.</summary>
    public void SetPosition(string topic, long nextOffset)
    {
        ArgumentException.ThrowIfNullOrEmpty(topic);
        ArgumentOutOfRangeException.ThrowIfNegative(nextOffset);
        _positions.RemoveAll(p => p.Topic == topic);
        _positions.Add(new TopicPosition(topic, nextOffset));
    }

    /// <summary>Keeps a value under a key of a store. The arrays belong to the commit from here on and must not be changed.</summary>
    public void Put(string store, byte[] key, byte[] value) => _changes.Add(new StateChange(store, key, value));

    /// <summary>Removes a key of a store.</summary>
    public void Delete(string store, byte[] key) => _changes.Add(new StateChange(store, key, null));

    /// <summary>
    /// Demands that an event stream (the records of one key in a topic that were appended under an expectation) has a version, and adds the
    /// records that this commit writes for it. Needs <see cref="EngineCapabilities.HasConditionalAppend"/>.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="streamKey">The key whose records are the stream.</param>
    /// <param name="version">The number of records that the stream must hold now: 0 for a new stream.</param>
    /// <param name="added">How many records this commit adds to it; at least 1.</param>
    public void Expect(string topic, string streamKey, long version, int added)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(version);
        ArgumentOutOfRangeException.ThrowIfLessThan(added, 1);
        if (_expectations.Exists(e => e.Topic == topic && e.StreamKey == streamKey))
            throw new ArgumentException($"The stream '{streamKey}' of topic '{topic}' has an expected version in this commit already.");
        _expectations.Add(new ExpectedVersion(topic, streamKey, version, added));
    }

    /// <summary>
    /// Takes out the batches that were asked for but got no record, which no engine could write. For engines and runtimes.
    /// </summary>
    public void DropEmptyBatches()
    {
        foreach (var batch in _batches)
        {
            if (batch.Records.Count == 0) batch.Records.Dispose();
        }

        _batches.RemoveAll(batch => batch.Records.Count == 0);
    }

    /// <summary>How large the batches have become.</summary>
    internal BatchSize[] Sizes() => [.. _batches.Select(batch => new BatchSize(batch.Target, batch.Records.SizeBytes))];

    /// <summary>Gives the batch buffers back.</summary>
    public void Dispose()
    {
        foreach (var batch in _batches) batch.Records.Dispose();
        _batches.Clear();
    }

    private int SizeOf(TopicPartition target)
    {
        for (var i = 0; i < _sizes.Count; i++)
        {
            if (_sizes[i].Target == target) return _sizes[i].Bytes;
        }

        return RecordBatchBuilder.SizeHintDefault;
    }
}

/// <summary>Records for one partition within a commit.</summary>
/// <param name="Target">The partition.</param>
/// <param name="Records">The records.</param>
public sealed record CommitBatch(TopicPartition Target, RecordBatchBuilder Records);

/// <summary>A position: the offset of the next record to read of a topic, at the owner's partition number.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="NextOffset">The offset.</param>
public readonly record struct TopicPosition(string Topic, long NextOffset);

/// <summary>One change of keyed state.</summary>
/// <param name="Store">The store's name, unique within the group.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The new value; null removes the key.</param>
public readonly record struct StateChange(string Store, byte[] Key, byte[]? Value);

/// <summary>A condition on an event stream's version.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="StreamKey">The stream's key.</param>
/// <param name="Version">The version that must hold.</param>
/// <param name="Added">How many records are added to the stream.</param>
public readonly record struct ExpectedVersion(string Topic, string StreamKey, long Version, int Added);

/// <summary>How a commit ended. A failure of the world is an exception instead; then nothing is known to have happened.</summary>
public abstract record CommitResult
{
    private CommitResult()
    {
    }

    /// <summary>Everything is durable.</summary>
    /// <param name="BaseOffsets">For each batch, in the commit's order, the offset of its first record.</param>
    public sealed record Committed(IReadOnlyList<long> BaseOffsets) : CommitResult;

    /// <summary>An expected version did not hold; nothing happened.</summary>
    /// <param name="Expected">The expectation that failed first.</param>
    /// <param name="ActualVersion">The version that the stream has.</param>
    public sealed record Conflicted(ExpectedVersion Expected, long ActualVersion) : CommitResult;

    /// <summary>The base offsets, where a conflict is impossible because nothing was expected.</summary>
    public IReadOnlyList<long> RequireCommitted() => this switch
    {
        Committed committed => committed.BaseOffsets,
        Conflicted conflict => throw new InvalidOperationException(
            $"The stream '{conflict.Expected.StreamKey}' has version {conflict.ActualVersion}, not {conflict.Expected.Version}."),
        _ => throw new InvalidOperationException($"Unknown result {GetType().Name}."),
    };
}

/// <summary>
/// An idempotent producer: the engine drops what it sends twice and refuses what an older owner of the same name sends. One append at a
/// time per partition keeps its order; <see cref="Engine.AppendAsync"/> numbers the batches. Not thread safe.
/// </summary>
/// <param name="name">The producer's stable name.</param>
/// <param name="id">The id that the engine gave to the name.</param>
/// <param name="epoch">The epoch of this opening; greater than that of every earlier one.</param>
public sealed class Producer(string name, long id, short epoch)
{
    private readonly Dictionary<TopicPartition, int> _nextSequences = [];

    /// <summary>The producer's stable name.</summary>
    public string Name { get; } = name;

    /// <summary>The id that stands in its batches.</summary>
    public long Id { get; } = id;

    /// <summary>The epoch that stands in its batches.</summary>
    public short Epoch { get; } = epoch;

    /// <summary>
    /// The sequence number that the next record to a partition gets; 0 at first in each epoch. Repeat a number to send a batch again.
    /// </summary>
    public int NextSequence(TopicPartition target) => _nextSequences.GetValueOrDefault(target);

    /// <summary>Moves the sequence on, once a batch is acknowledged.</summary>
    public void Advance(TopicPartition target, int records) =>
        _nextSequences[target] = (int)(((long)NextSequence(target) + records) & int.MaxValue);

    /// <inheritdoc/>
    public override string ToString() => string.Create(null, stackalloc char[64], $"{Name} (id {Id}, epoch {Epoch})");
}

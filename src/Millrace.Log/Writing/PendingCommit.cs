using Millrace.Log.Journal;
using Millrace.Log.Segments;

namespace Millrace.Log.Writing;

/// <summary>A batch ready to be stamped: encoded and checksummed on the caller's thread.</summary>
internal readonly record struct PendingBatch(TopicLog Topic, int Partition, Memory<byte> Bytes, RecordBatchHeader Header)
{
    public PartitionLog Log => Topic.Partitions[Partition];
}

/// <summary>A commit on its way through the writer.</summary>
internal sealed class PendingCommit : Work<CommitResult>
{
    private readonly Commit _commit;
    private readonly PendingBatch[] _batches;
    private readonly TopicLog[] _positionTopics;
    private readonly TopicLog[] _expectationTopics;
    private readonly GroupPartition? _owner;
    private readonly long _ownerEpoch;
    private readonly int _sizeMax;
    private bool _isApplied = true;

    /// <summary>Resolves names and encodes batches; refuses what can be refused without the writer.</summary>
    public PendingCommit(Catalog catalog, LogOptions options, Commit commit, GroupPartition? owner, long ownerEpoch)
    {
        (_commit, _owner, _ownerEpoch) = (commit, owner, ownerEpoch);
        _batches = new PendingBatch[commit.Batches.Count];
        long size = Entries.OverheadBytes;
        for (var i = 0; i < _batches.Length; i++)
        {
            var target = commit.Batches[i].Target;
            var topic = Resolve(catalog, target);
            var bytes = Encode(commit, i);
            RecordBatchHeader.TryRead(bytes.Span, out var header);
            _batches[i] = new PendingBatch(topic, target.Partition, bytes, header);
            size += bytes.Length + Entries.OverheadBytes;
        }

        _positionTopics = new TopicLog[commit.Positions.Count];
        for (var i = 0; i < _positionTopics.Length; i++)
        {
            _positionTopics[i] = Resolve(catalog, new TopicPartition(commit.Positions[i].Topic, owner!.Number));
            size += Entries.OverheadBytes;
        }

        foreach (var change in commit.Changes)
            size += Entries.OverheadBytes + (change.Store.Length * 3L) + change.Key.Length + (change.Value?.Length ?? 0);
        _expectationTopics = new TopicLog[commit.Expectations.Count];
        for (var i = 0; i < _expectationTopics.Length; i++)
        {
            _expectationTopics[i] = catalog.Topic(commit.Expectations[i].Topic);
            size += Entries.OverheadBytes + (commit.Expectations[i].StreamKey.Length * 3L);
        }

        if (size > options.CommitBytesMax)
        {
            throw new MillraceException(FailureCodes.TooLarge,
                $"The commit has about {size} bytes; {options.CommitBytesMax} are possible (LogOptions.CommitBytesMax). Split it.");
        }

        _sizeMax = (int)size;

        // State on disk must not be ahead of the journal, also after a power loss.
        NeedsSync = !IsRelaxed() || (options.OpenStateStore is not null && commit.Changes.Count > 0);
    }

    public override bool NeedsSync { get; }

    public override void Stage(Writer writer)
    {
        if (_owner is not null && _owner.OwnerEpoch != _ownerEpoch)
        {
            throw new MillraceException(FailureCodes.Fenced,
                $"Partition {_owner.Number} of group '{_owner.Group.Name}' has an owner with epoch {_owner.OwnerEpoch}; epoch " +
                $"{_ownerEpoch} may write nothing more.");
        }

        if (_owner is not null && _owner.AbortedEpoch == _ownerEpoch)
        {
            throw new MillraceException(FailureCodes.CommitAborted,
                $"A commit of partition {_owner.Number} of group '{_owner.Group.Name}' failed before this one, which was made on top " +
                "of it. Restore, then work on.");
        }

        foreach (var batch in _batches) ThrowIfDeleted(batch.Topic);
        foreach (var topic in _positionTopics) ThrowIfDeleted(topic);
        foreach (var topic in _expectationTopics) ThrowIfDeleted(topic);
        if (IsRepeat(writer) || IsConflict()) return;

        writer.Journal(_sizeMax + (_owner is null ? 0 : (_owner.Group.Name.Length * 3) + Entries.OverheadBytes));
        foreach (var batch in _batches) batch.Log.Prepare(batch.Bytes.Length);

        // Nothing below can be refused: what is changed here is what the frame will say.
        _isApplied = false;
        StageBatches(writer);
        StageState(writer);
    }

    public override void Apply(Writer writer)
    {
        if (_isApplied) return;
        foreach (var batch in _batches)
        {
            RecordBatchHeader.TryRead(batch.Bytes.Span, out var header);
            batch.Log.Append(batch.Bytes.Span, header);
            writer.Touch(batch.Log);
        }

        if (_owner is null) return;
        for (var i = 0; i < _positionTopics.Length; i++) _owner.Positions[_positionTopics[i].Number] = _commit.Positions[i].NextOffset;
        _owner.Apply(_commit.Changes, writer.LastSequence, writer.States);
        _owner.IsDirty = true;
    }

    public override void Fail(Exception reason)
    {
        AbortLater();
        base.Fail(reason);
    }

    private void AbortLater() => _owner?.Abort(_ownerEpoch);

    private static TopicLog Resolve(Catalog catalog, TopicPartition target)
    {
        _ = catalog.Partition(target);
        return catalog.Topic(target.Topic);
    }

    private static void ThrowIfDeleted(TopicLog topic)
    {
        if (topic.IsDeleted) throw new MillraceException(FailureCodes.TopicNotFound, $"Topic '{topic.Name}' was deleted.");
    }

    private static Memory<byte> Encode(Commit commit, int batch)
    {
        var (target, records) = commit.Batches[batch];
        if (records.Count == 0) throw new ArgumentException($"The commit's batch for {target} holds no record.");
        return commit.Producer is { } producer
            ? records.Complete(producer.Id, producer.Epoch, producer.NextSequence(target))
            : records.Complete();
    }

    /// <summary>A commit waits for the sync unless everything it touches is in topics that chose not to.</summary>
    private bool IsRelaxed()
    {
        if (_batches.Length == 0 && _positionTopics.Length == 0) return false;
        foreach (var batch in _batches)
        {
            if (batch.Topic.Specification.Durability == Durability.Synced) return false;
        }

        foreach (var topic in _positionTopics)
        {
            if (topic.Specification.Durability == Durability.Synced) return false;
        }

        return true;
    }

    /// <summary>
    /// Checks the producer's numbers. True when all of this was committed before: then the caller gets the same answer again.
    /// </summary>
    private bool IsRepeat(Writer writer)
    {
        if (_commit.Producer is not { } producer || _batches.Length == 0) return false;
        if (!writer.Catalog.Producers.TryGetValue(producer.Id, out var known) || known.Epoch != producer.Epoch)
        {
            throw new MillraceException(FailureCodes.Fenced,
                $"Producer {producer} was opened again elsewhere; this opening of it may write nothing more.");
        }

        var repeats = new long?[_batches.Length];
        for (var i = 0; i < _batches.Length; i++)
        {
            var batch = _batches[i];
            var target = (batch.Topic.Number, batch.Partition);
            repeats[i] = known.OffsetOfRepeat(target, batch.Header.BaseSequence, batch.Header.Count);
            if (repeats[i] is null && known.NextSequence(target) != batch.Header.BaseSequence)
            {
                throw new MillraceException(FailureCodes.SequenceGap,
                    $"Producer {producer} sent sequence {batch.Header.BaseSequence} to {batch.Log.Name}; {known.NextSequence(target)} " +
                    "was to follow.");
            }
        }

        if (repeats.All(r => r is null)) return false;
        if (repeats.Any(r => r is null))
        {
            throw new MillraceException(FailureCodes.SequenceGap,
                $"Producer {producer} sent a commit of which some batches were committed before and others were not.");
        }

        Result = new CommitResult.Committed([.. repeats.Select(r => r!.Value)]);
        return true;
    }

    private bool IsConflict()
    {
        for (var i = 0; i < _expectationTopics.Length; i++)
        {
            var expected = _commit.Expectations[i];
            var actual = _expectationTopics[i].StreamVersions.GetValueOrDefault(expected.StreamKey);
            if (actual == expected.Version) continue;
            Result = new CommitResult.Conflicted(expected, actual);
            AbortLater();
            return true;
        }

        return false;
    }

    private void StageBatches(Writer writer)
    {
        var offsets = new long[_batches.Length];
        for (var i = 0; i < _batches.Length; i++)
        {
            var (topic, partition, bytes, header) = _batches[i];
            var log = topic.Partitions[partition];
            offsets[i] = log.NextOffset;
            RecordBatchHeader.Stamp(bytes.Span, offsets[i], leaderEpoch: 0);
            log.NextOffset = offsets[i] + header.Count;
            Entries.WriteBatch(writer.Frame, topic.Number, partition, bytes.Span);
            if (_commit.Producer is { } producer)
            {
                writer.Catalog.Producers[producer.Id].Add(
                    (topic.Number, partition), new ProducedBatch(producer.Epoch, header.BaseSequence, header.Count, offsets[i]));
            }
        }

        Result = new CommitResult.Committed(offsets);
        for (var i = 0; i < _expectationTopics.Length; i++)
        {
            var expected = _commit.Expectations[i];
            var topic = _expectationTopics[i];
            topic.StreamVersions[expected.StreamKey] = expected.Version + expected.Added;
            topic.AreVersionsDirty = true;
            Entries.WriteStreamVersion(writer.Frame, topic.Number, expected.StreamKey, expected.Version + expected.Added);
        }
    }

    private void StageState(Writer writer)
    {
        if (_owner is null || (_positionTopics.Length == 0 && _commit.Changes.Count == 0)) return;
        if (writer.Catalog.NamedGroups.TryAdd(_owner.Group.Number, _owner.Group)) Entries.WriteGroupNamed(writer.Frame, _owner.Group);
        for (var i = 0; i < _positionTopics.Length; i++)
            Entries.WritePosition(writer.Frame, _owner, _positionTopics[i].Number, _commit.Positions[i].NextOffset);
        foreach (var change in _commit.Changes) Entries.WriteChange(writer.Frame, _owner, change);
    }
}

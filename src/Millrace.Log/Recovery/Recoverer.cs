using Millrace.Log.Writing;
using Millrace.Log.Journal;
using Millrace.Log.Segments;

namespace Millrace.Log.Recovery;

/// <summary>
/// Brings the engine back: the last checkpoint, then the journal on top. It writes only what it would write again after being interrupted
/// itself.
/// </summary>
internal sealed class Recoverer(Folder folder, LogOptions options)
{
    private readonly Catalog _catalog = new();
    private readonly HashSet<int> _deletedTopics = [];
    private readonly StateStores _states = new(folder, options);
    private readonly Dictionary<GroupPartition, List<StateChange>> _changes = []; // of the frame that is being read

    /// <summary>Returns the catalog and the sequence of the next frame.</summary>
    public (Catalog Catalog, long NextSequence) Run()
    {
        try
        {
            var storage = options.Storage;
            foreach (var directory in new[] { folder.Journal, folder.Logs, folder.State }) storage.CreateDirectory(directory);
            storage.SyncDirectory(folder.Root);
            storage.DeleteFile(JournalFile.SpareIn(folder.Journal));
            var hasCheckpoint = storage.FileExists(folder.Checkpoint);
            if (!hasCheckpoint) FindDeletions(fromSequence: 1);
            var sequence = hasCheckpoint ? ReadCheckpoint() : 1;

            var journal = new JournalReader(storage, folder.Journal);
            foreach (var frame in journal.Read(sequence)) Replay(frame);
            foreach (var topic in _catalog.TopicsByNumber.Values)
            {
                foreach (var partition in topic.Partitions) partition.EndRecovery();
            }

            DropUnknownDirectories();
            _catalog.Generation++;
            return (_catalog, journal.NextSequence);
        }
        catch
        {
            _catalog.Close();
            throw;
        }
    }

    private long ReadCheckpoint()
    {
        var content = new ByteReader(SealedFile.Read(options.Storage, folder.Checkpoint), folder.Checkpoint);
        var sequence = content.Int64();
        _catalog.Generation = content.Int64();
        _catalog.NextTopicNumber = content.Int32();
        _catalog.NextProducerId = content.Int64();

        // Topics that the journal goes on to delete have lost their files already; they are known, but not opened.
        var topics = new List<KnownTopic>();
        for (var left = content.Count(30); left > 0; left--) topics.Add(ReadTopic(ref content));
        FindDeletions(sequence);
        foreach (var topic in topics) OpenTopic(topic);

        for (var left = content.Count(12); left > 0; left--) ReadGroup(ref content);
        for (var left = content.Count(18); left > 0; left--) ReadProducer(ref content);
        return sequence;
    }

    private KnownTopic ReadTopic(ref ByteReader content)
    {
        var number = content.Int32();
        var (id, specification) = Entries.ReadTopic(ref content);
        var versionsAt = content.Int64();
        var partitions = new KnownPartition[specification.Partitions];
        for (var i = 0; i < partitions.Length; i++)
        {
            var segments = new SegmentExtent[content.Count(12)];
            for (var s = 0; s < segments.Length; s++) segments[s] = new SegmentExtent(content.Int64(), content.Int32());
            partitions[i] = new KnownPartition(segments, content.Int64());
        }

        return new KnownTopic(new TopicLog(options, folder.Logs, number, id, specification), versionsAt, partitions);
    }

    private void OpenTopic(KnownTopic known)
    {
        var topic = known.Topic;
        _catalog.Add(topic);
        if (_deletedTopics.Contains(topic.Number)) return;
        for (var i = 0; i < known.Partitions.Length; i++)
            topic.Partitions[i].Open(known.Partitions[i].Segments, known.Partitions[i].EndOffset);
        topic.VersionsAt = known.VersionsAt;
        if (known.VersionsAt == 0) return;
        var path = Path.Combine(folder.State, Folder.VersionsName(topic.Number, known.VersionsAt));
        Snapshots.ReadVersions(SealedFile.Read(options.Storage, path), path, topic);
    }

    private void ReadGroup(ref ByteReader content)
    {
        var number = content.Int32();
        var group = _catalog.AddNamed(number, content.Text());
        for (var left = content.Count(12); left > 0; left--)
        {
            var partition = group.Partition(content.Int32());
            partition.SnapshotAt = content.Int64();
            var path = Path.Combine(folder.State, Folder.SnapshotName(number, partition.Number, partition.SnapshotAt));
            Snapshots.ReadGroupPartition(SealedFile.Read(options.Storage, path), path, partition, _states);
        }
    }

    private void ReadProducer(ref ByteReader content)
    {
        var id = content.Int64();
        var epoch = content.Int16();
        var producer = _catalog.AddProducer(id, content.Text(), epoch);
        for (var left = content.Count(12); left > 0; left--)
        {
            var target = (content.Int32(), content.Int32());
            for (var batches = content.Count(18); batches > 0; batches--)
                producer.Add(target, new ProducedBatch(content.Int16(), content.Int32(), content.Int32(), content.Int64()));
        }
    }

    /// <summary>A first pass over the journal; it also cuts off a torn tail.</summary>
    private void FindDeletions(long fromSequence)
    {
        var visitor = new EntryVisitor { TopicDeleted = number => _deletedTopics.Add(number) };
        foreach (var frame in new JournalReader(options.Storage, folder.Journal).Read(fromSequence)) visitor.Visit(frame);
    }

    private void Replay(Frame frame)
    {
        var visitor = new EntryVisitor
        {
            Opened = generation => _catalog.Generation = generation,
            TopicCreated = CreateTopic,
            TopicDeleted = number => _catalog.Remove(_catalog.TopicsByNumber[number]),
            ProducerOpened = (id, epoch, name) => _catalog.AddProducer(id, name, epoch),
            GroupNamed = (number, name) => _catalog.AddNamed(number, name),
            Batch = AppendBatch,
            Position = (group, partition, topic, nextOffset) => Changed(group, partition).Positions[topic] = nextOffset,
            Change = (group, partition, change) => Note(Changed(group, partition), change),
            StreamVersion = (topic, key, version) =>
            {
                _catalog.TopicsByNumber[topic].StreamVersions[key] = version;
                _catalog.TopicsByNumber[topic].AreVersionsDirty = true;
            },
        };
        visitor.Visit(frame);
        foreach (var (partition, changes) in _changes) partition.Apply(changes, frame.Sequence, _states);
        _changes.Clear();
    }

    private void CreateTopic(int number, Guid id, TopicSpecification specification)
    {
        var topic = new TopicLog(options, folder.Logs, number, id, specification);
        if (!_deletedTopics.Contains(number))
        {
            foreach (var partition in topic.Partitions) partition.Create(id);
        }

        _catalog.Add(topic);
    }

    private void AppendBatch(int topicNumber, int partitionNumber, ReadOnlySpan<byte> batch, string origin)
    {
        if (_deletedTopics.Contains(topicNumber)) return;
        var topic = _catalog.TopicsByNumber[topicNumber];
        var partition = topic.Partitions[partitionNumber];
        if (!RecordBatchHeader.TryRead(batch, out var header) || !header.IsIntact(batch) || header.BaseOffset != partition.NextOffset)
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{origin}: the batch for {partition.Name} at offset {header.BaseOffset} does not continue the partition at " +
                $"{partition.NextOffset}.");
        }

        partition.Prepare(batch.Length);
        partition.Append(batch, header);
        partition.EndGroup();
        if (header.ProducerId >= 0 && _catalog.Producers.TryGetValue(header.ProducerId, out var producer))
        {
            producer.Add((topicNumber, partitionNumber),
                new ProducedBatch(header.ProducerEpoch, header.BaseSequence, header.Count, header.BaseOffset));
        }
    }

    private GroupPartition Changed(int group, int partition)
    {
        var changed = _catalog.NamedGroups[group].Partition(partition);
        changed.IsDirty = true;
        return changed;
    }

    private void Note(GroupPartition partition, in StateChange change)
    {
        if (!_changes.TryGetValue(partition, out var changes)) _changes.Add(partition, changes = []);
        changes.Add(change);
    }

    /// <summary>What a deleted topic left behind when its deletion was cut short.</summary>
    private void DropUnknownDirectories()
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var topic in _catalog.TopicsByNumber.Values)
        {
            foreach (var partition in topic.Partitions) known.Add(partition.Name.ToString());
        }

        foreach (var name in options.Storage.ListDirectories(folder.Logs))
        {
            if (!known.Contains(name)) options.Storage.DeleteDirectory(Path.Combine(folder.Logs, name));
        }
    }

    /// <summary>A topic as the checkpoint knows it.</summary>
    private sealed record KnownTopic(TopicLog Topic, long VersionsAt, KnownPartition[] Partitions);

    private readonly record struct KnownPartition(SegmentExtent[] Segments, long EndOffset);
}

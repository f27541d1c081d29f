namespace Millrace.Log.Journal;

/// <summary>Reads a frame's entries in order and calls what its user set for each kind.</summary>
internal sealed class EntryVisitor
{
    public delegate void BatchEntry(int topic, int partition, ReadOnlySpan<byte> batch, string origin);

    public Action<long>? Opened { get; init; }

    public Action<int, Guid, TopicSpecification>? TopicCreated { get; init; }

    public Action<int>? TopicDeleted { get; init; }

    public Action<long, short, string>? ProducerOpened { get; init; }

    public Action<int, string>? GroupNamed { get; init; }

    public BatchEntry? Batch { get; init; }

    public Action<int, int, int, long>? Position { get; init; }

    public Action<int, int, StateChange>? Change { get; init; }

    public Action<int, string, long>? StreamVersion { get; init; }

    public void Visit(Frame frame)
    {
        var entries = new ByteReader(frame.Payload, frame.Origin);
        while (!entries.IsAtEnd) VisitOne(ref entries, frame.Origin);
    }

    private void VisitOne(ref ByteReader entries, string origin)
    {
        var kind = entries.Byte();
        switch (kind)
        {
            case Entries.Opened:
                var generation = entries.Int64();
                Opened?.Invoke(generation);
                break;
            case Entries.TopicCreated:
                var created = entries.Int32();
                var (topicId, specification) = Entries.ReadTopic(ref entries);
                TopicCreated?.Invoke(created, topicId, specification);
                break;
            case Entries.TopicDeleted:
                var deleted = entries.Int32();
                TopicDeleted?.Invoke(deleted);
                break;
            case Entries.ProducerOpened:
                var (id, epoch, name) = (entries.Int64(), entries.Int16(), entries.Text());
                ProducerOpened?.Invoke(id, epoch, name);
                break;
            case Entries.GroupNamed:
                var (number, groupName) = (entries.Int32(), entries.Text());
                GroupNamed?.Invoke(number, groupName);
                break;
            case Entries.Batch:
                var (topic, partition) = (entries.Int32(), entries.Int32());
                var batch = entries.Bytes();
                Batch?.Invoke(topic, partition, batch, origin);
                break;
            case Entries.Position:
                var (group, owned, ofTopic, nextOffset) = (entries.Int32(), entries.Int32(), entries.Int32(), entries.Int64());
                Position?.Invoke(group, owned, ofTopic, nextOffset);
                break;
            case Entries.Put:
            case Entries.Delete:
                var (ofGroup, ofPartition, store) = (entries.Int32(), entries.Int32(), entries.Text());
                var key = entries.Bytes().ToArray();
                var change = new StateChange(store, key, kind == Entries.Put ? entries.Bytes().ToArray() : null);
                Change?.Invoke(ofGroup, ofPartition, change);
                break;
            case Entries.StreamVersion:
                var (streamTopic, streamKey, version) = (entries.Int32(), entries.Text(), entries.Int64());
                StreamVersion?.Invoke(streamTopic, streamKey, version);
                break;
            default:
                throw new MillraceException(
                    FailureCodes.UnknownVersion,
                    $"{origin} holds an entry of kind {kind}, which this program does not know. Use a newer one.");
        }
    }
}

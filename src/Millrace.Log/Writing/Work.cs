using Millrace.Log.Journal;
using Millrace.Log.Segments;

namespace Millrace.Log.Writing;

/// <summary>
/// Something that callers want of the writer. It is staged (checked, and its entries added to the frame), then, once the frame is as
/// durable as it asked, applied; at last the caller hears. Staging that throws a <see cref="MillraceException"/> refuses this work alone
/// and must have changed nothing; whatever fails later stops the engine.
/// </summary>
internal abstract class Work
{
    /// <summary>Whether no other work may follow in the same frame.</summary>
    public virtual bool EndsGroup => false;

    /// <summary>Whether the caller may only hear after the sync.</summary>
    public virtual bool NeedsSync => true;

    public abstract void Stage(Writer writer);

    public abstract void Apply(Writer writer);

    public abstract void Complete();

    public abstract void Fail(Exception reason);
}

/// <summary>Work whose caller waits for a result.</summary>
internal abstract class Work<T> : Work
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Done => _done.Task;

    protected T? Result { get; set; }

    public override void Complete() => _done.SetResult(Result!);

    public override void Fail(Exception reason) => _done.TrySetException(reason);
}

/// <summary>Creates a topic: its files first, then the entry that replays to the same.</summary>
internal sealed class TopicCreation(TopicSpecification specification) : Work<TopicDescription>
{
    private TopicLog? _topic;

    public override bool EndsGroup => true;

    public override void Stage(Writer writer)
    {
        if (writer.Catalog.Topics.ContainsKey(specification.Name))
            throw new MillraceException(FailureCodes.TopicExists, $"Topic '{specification.Name}' exists already.");
        if (writer.Catalog.Colliding(specification.Name) is { } other)
        {
            throw new MillraceException(FailureCodes.TopicExists,
                $"Topic '{specification.Name}' collides with '{other}': names that differ only in '.' and '_' are one name in Kafka's " +
                "metrics, and Kafka refuses the second.");
        }

        writer.Journal(specification.Name.Length + Entries.OverheadBytes);
        var topic = writer.NewTopic(writer.Catalog.NextTopicNumber, NewId(writer.Options.Random), specification);
        try
        {
            foreach (var partition in topic.Partitions) partition.Create(topic.Id);
        }
        catch (DiskFullException)
        {
            topic.Dispose();
            foreach (var partition in topic.Partitions) writer.Options.Storage.DeleteDirectory(partition.DirectoryPath);
            throw;
        }

        writer.Catalog.NextTopicNumber++;
        _topic = topic;
        Entries.WriteTopicCreated(writer.Frame, topic.Number, topic.Id, specification);
    }

    public override void Apply(Writer writer)
    {
        writer.Catalog.Add(_topic!);
        Result = _topic!.Describe();
    }

    private static Guid NewId(Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40); // version 4 (RFC 9562, 5.4)
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>Deletes a topic. Its files go after the entry is durable and no checkpoint uses them.</summary>
internal sealed class TopicDeletion(string name) : Work<bool>
{
    private TopicLog? _topic;

    public override bool EndsGroup => true;

    public override void Stage(Writer writer)
    {
        _topic = writer.Catalog.Topic(name);
        writer.Journal(Entries.OverheadBytes);
        Entries.WriteTopicDeleted(writer.Frame, _topic.Number);
    }

    public override void Apply(Writer writer)
    {
        writer.Catalog.Remove(_topic!);
        writer.DeleteFiles(_topic!);
    }
}

/// <summary>Opens an idempotent producer and fences its earlier openings.</summary>
internal sealed class ProducerOpening(string name) : Work<Producer>
{
    public override bool EndsGroup => true;

    public override void Stage(Writer writer)
    {
        writer.Journal((name.Length * 3) + Entries.OverheadBytes);
        var known = writer.Catalog.Producers.Values.FirstOrDefault(p => p.Name == name);
        // Kafka too takes a new id when the 16 bits of the epoch are used up.
        var isNew = known is null || known.Epoch == short.MaxValue;
        var id = isNew ? writer.Catalog.NextProducerId : known!.Id;
        var epoch = isNew ? (short)0 : (short)(known!.Epoch + 1);
        Entries.WriteProducerOpened(writer.Frame, id, epoch, name);
        Result = new Producer(name, id, epoch);
    }

    public override void Apply(Writer writer) => writer.Catalog.AddProducer(Result!.Id, name, Result.Epoch);
}

namespace Millrace.Log.Segments;

/// <summary>A topic with its partitions and the versions of the event streams in it.</summary>
internal sealed class TopicLog : IDisposable
{
    public TopicLog(LogOptions options, string logsDirectory, int number, Guid id, TopicSpecification specification)
    {
        (Number, Id, Specification) = (number, id, specification);
        Partitions = new PartitionLog[specification.Partitions];
        for (var i = 0; i < Partitions.Length; i++)
            Partitions[i] = new PartitionLog(options, logsDirectory, new TopicPartition(specification.Name, i));
    }

    /// <summary>The number that the journal knows the topic by; never used again for another.</summary>
    public int Number { get; }

    public Guid Id { get; }

    public TopicSpecification Specification { get; }

    public string Name => Specification.Name;

    public PartitionLog[] Partitions { get; }

    /// <summary>How many records each event stream (key) holds that were appended under an expectation. Writer only.</summary>
    public Dictionary<string, long> StreamVersions { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether a version changed since the last checkpoint began. Writer only.</summary>
    public bool AreVersionsDirty { get; set; }

    /// <summary>The checkpoint whose file holds the versions, or 0 when there is none. Set by the checkpoint.</summary>
    public long VersionsAt { get; set; }

    /// <summary>True once it was deleted; a commit that still refers to it is refused.</summary>
    public bool IsDeleted { get; private set; }

    public TopicDescription Describe() => new()
    {
        Name = Name,
        Id = Id,
        Durability = Specification.Durability,
        Partitions = [.. Partitions.Select((p, i) => new PartitionDescription(i, p.StartOffset, p.EndOffset, LeaderEpoch: 0))],
    };

    public void Delete()
    {
        IsDeleted = true;
        foreach (var partition in Partitions) partition.Close(FailureCodes.TopicNotFound);
    }

    public void Dispose()
    {
        foreach (var partition in Partitions) partition.Dispose();
    }
}

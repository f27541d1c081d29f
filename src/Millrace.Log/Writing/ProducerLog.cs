namespace Millrace.Log.Writing;

/// <summary>An idempotent producer as the log knows it. Writer only.</summary>
internal sealed class ProducerLog(long id, string name)
{
    /// <summary>How many recent batches per partition a repeat is recognised among; Kafka remembers five too.</summary>
    private const int RecentMax = 5;

    public long Id { get; } = id;

    public string Name { get; } = name;

    public short Epoch { get; set; }

    /// <summary>The latest batches per partition, oldest first, ordered by topic and partition for the checkpoint's sake.</summary>
    public SortedDictionary<(int Topic, int Partition), List<ProducedBatch>> Recent { get; } = [];

    /// <summary>The sequence that the next batch must begin with.</summary>
    public int NextSequence((int Topic, int Partition) target) =>
        Recent.TryGetValue(target, out var batches) && batches[^1].Epoch == Epoch ? After(batches[^1].BaseSequence, batches[^1].Count) : 0;

    /// <summary>The offset that an earlier sending of this batch got, if it is a repeat.</summary>
    public long? OffsetOfRepeat((int Topic, int Partition) target, int baseSequence, int count)
    {
        if (!Recent.TryGetValue(target, out var batches)) return null;
        foreach (var batch in batches)
        {
            if (batch.Epoch == Epoch && batch.BaseSequence == baseSequence && batch.Count == count) return batch.BaseOffset;
        }

        return null;
    }

    public void Add((int Topic, int Partition) target, ProducedBatch batch)
    {
        if (!Recent.TryGetValue(target, out var batches)) Recent.Add(target, batches = []);
        batches.Add(batch);
        if (batches.Count > RecentMax) batches.RemoveAt(0);
    }

    private static int After(int sequence, int count) => (int)(((long)sequence + count) & int.MaxValue);
}

/// <summary>A batch that a producer sent.</summary>
internal readonly record struct ProducedBatch(short Epoch, int BaseSequence, int Count, long BaseOffset);

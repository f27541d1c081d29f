namespace Millrace.Kafka.Writing;

/// <summary>
/// One opening of a named producer. It commits one at a time, in the order of the calls, and remembers what was acknowledged under which
/// number, so that what is sent again is answered and not written. Thread safe.
/// </summary>
internal sealed class ProducerSession(Producer producer, TransactionWriter writer) : IAsyncDisposable
{
    /// <summary>How many batches of a partition are remembered: Kafka's own brokers remember five.</summary>
    private const int RememberedMax = 16;

    private readonly SemaphoreSlim _turn = new(1, 1); // guards _partitions; a queue, so that callers take their turns in order
    private readonly Dictionary<TopicPartition, Sequence> _partitions = [];

    public Producer Producer { get; } = producer;

    public async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellation)
    {
        // The numbers are taken at the call: the caller moves on only when it is answered.
        var numbers = commit.Batches.Select(batch => Producer.NextSequence(batch.Target)).ToArray();
        await _turn.WaitAsync(cancellation);
        try
        {
            if (Remembered(commit, numbers) is { } offsets) return new CommitResult.Committed(offsets);
            for (var i = 0; i < numbers.Length; i++) DemandNext(commit.Batches[i], numbers[i]);
            var result = await writer.CommitAsync(new PendingCommit(commit, null, cancellation));
            var committed = result.RequireCommitted();
            for (var i = 0; i < numbers.Length; i++) Remember(commit.Batches[i], numbers[i], committed[i]);
            return result;
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync() => await Clients.Requests.BlockingAsync(() =>
    {
        writer.Dispose();
        return 0;
    });

    private Sequence Of(TopicPartition partition)
    {
        if (!_partitions.TryGetValue(partition, out var sequence)) _partitions[partition] = sequence = new Sequence();
        return sequence;
    }

    private long[]? Remembered(Commit commit, int[] numbers)
    {
        var offsets = new long[numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            var batch = commit.Batches[i];
            var known = Of(batch.Target).Recent.Find(recent => recent.Number == numbers[i] && recent.Count == batch.Records.Count);
            if (known is null) return null;
            offsets[i] = known.Offset;
        }

        return offsets;
    }

    private void DemandNext(CommitBatch batch, int number)
    {
        var next = Of(batch.Target).Next;
        if (number == next) return;
        throw new MillraceException(FailureCodes.SequenceGap,
            $"Producer {Producer} sends number {number} to {batch.Target}, but {next} is the next one: records before it never came.");
    }

    private void Remember(CommitBatch batch, int number, long offset)
    {
        var sequence = Of(batch.Target);
        sequence.Next = (int)(((long)number + batch.Records.Count) & int.MaxValue);
        sequence.Recent.Add(new Acknowledged(number, batch.Records.Count, offset));
        if (sequence.Recent.Count > RememberedMax) sequence.Recent.RemoveAt(0);
    }

    private sealed record Acknowledged(int Number, int Count, long Offset);

    private sealed class Sequence
    {
        public int Next { get; set; }

        public List<Acknowledged> Recent { get; } = [];
    }
}

using Millrace.Kafka.Groups;

namespace Millrace.Kafka.Writing;

/// <summary>
/// A commit that waits for its transaction. Its caller waits for the answer and keeps the buffers until then; cancelled, it ends before a
/// transaction takes it, or between two tries of one.
/// </summary>
internal sealed class PendingCommit(Commit commit, KafkaPartition? owner, CancellationToken cancellation)
{
    private readonly TaskCompletionSource<CommitResult> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long[] _offsets = new long[commit.Batches.Count];

    public Commit Commit { get; } = commit;

    /// <summary>The partition on whose behalf it is made; null for a commit without a group.</summary>
    public KafkaPartition? Owner { get; } = owner;

    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>Whether it only commits the owner's positions again: then its failure is nobody's.</summary>
    public bool IsRefresh { get; init; }

    public Task<CommitResult> Answer => _answer.Task;

    /// <summary>About how many bytes it sends.</summary>
    public long Bytes { get; } = BytesOf(commit);

    /// <summary>The offset in the changelog after its last change, once that is delivered; -1 when it changes nothing.</summary>
    public long ChangelogEnd { get; private set; } = -1;

    /// <summary>Why the brokers refused one of its records, if they said so of a record that was asked about.</summary>
    public Confluent.Kafka.Error? Refusal { get; private set; }

    /// <summary>Whether it sent records of which none was reported delivered: then its transaction's end was never asked for.</summary>
    public bool IsUndelivered => Witness is null && (Commit.Batches.Count > 0 || Commit.Changes.Count > 0);

    /// <summary>A record whose offset is known, to look later whether its transaction happened.</summary>
    public (TopicPartition Source, long Offset)? Witness { get; private set; }

    /// <summary>Another try begins.</summary>
    public void Begin() => (ChangelogEnd, Refusal, Witness) = (-1, null, null);

    public void Delivered(int batch, Confluent.Kafka.TopicPartitionOffset at)
    {
        _offsets[batch] = at.Offset.Value;
        Saw(at);
    }

    public void DeliveredLastChange(Confluent.Kafka.TopicPartitionOffset at)
    {
        ChangelogEnd = at.Offset.Value + 1;
        Saw(at);
    }

    public void Refused(Confluent.Kafka.Error error) => Refusal ??= error;

    /// <summary>Answers; after a failure the owner's later commits fail too, until it restores.</summary>
    public void Fail(Exception failure)
    {
        if (!IsRefresh) Owner?.Abort();
        _answer.TrySetException(failure);
    }

    public void Cancel()
    {
        Owner?.Abort();
        _answer.TrySetCanceled(Cancellation);
    }

    public void Succeed()
    {
        Owner?.Committed(Commit, ChangelogEnd);
        _answer.TrySetResult(new CommitResult.Committed(_offsets));
    }

    private void Saw(Confluent.Kafka.TopicPartitionOffset at) =>
        Witness = (new TopicPartition(at.Topic, at.Partition.Value), at.Offset.Value);

    private static long BytesOf(Commit commit)
    {
        var bytes = 0L;
        foreach (var batch in commit.Batches) bytes += batch.Records.SizeBytes;
        foreach (var change in commit.Changes) bytes += change.Key.Length + (change.Value?.Length ?? 0) + 64;
        return bytes;
    }
}

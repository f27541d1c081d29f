namespace Millrace.Kafka.Groups;

/// <summary>Partitions that are to be released before the group goes on.</summary>
internal sealed class Handover(IReadOnlyList<KafkaPartition> partitions)
{
    private readonly TaskCompletionSource _all = new();
    private readonly HashSet<KafkaPartition> _left = [.. partitions];

    public IReadOnlyList<KafkaPartition> Partitions => partitions;

    public void Done(KafkaPartition partition)
    {
        lock (_left)
        {
            _left.Remove(partition);
            if (_left.Count == 0) _all.TrySetResult();
        }
    }

    /// <summary>False when not all were released in time. When the member leaves its partitions are ended already.</summary>
    public bool Wait(TimeSpan time, TimeProvider clock, CancellationToken cancellation)
    {
        if (partitions.Count == 0) return true;
        try
        {
            _all.Task.WaitAsync(time, clock, cancellation).GetAwaiter().GetResult();
            return true;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}

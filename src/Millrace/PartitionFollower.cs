namespace Millrace;

/// <summary>
/// Reads one partition from an offset on, outside any group, follows it, and tells how far it is. Whoever must see what is durable waits
/// for the offset behind it. Thread safe; it runs once.
/// </summary>
/// <param name="source">The partition.</param>
/// <param name="from">Where to begin.</param>
/// <param name="take">Takes in what was read; called in the log's order, one call at a time.</param>
public sealed class PartitionFollower(TopicPartition source, long from, Action<FetchedRecords> take)
{
    private const int ReadBytesMax = 1 << 20;

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private readonly PriorityQueue<TaskCompletionSource, long> _waiting = new();
    private long _offset = from;
    private Exception? _end;

    /// <summary>The partition.</summary>
    public TopicPartition Source => source;

    private long Offset
    {
        get
        {
            lock (_lock) return _offset;
        }
    }

    /// <summary>Reads until it is cancelled or fails; then all who wait fail with it, too.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task RunAsync(Engine engine, CancellationToken cancellation)
    {
        try
        {
            using var reader = engine.OpenReader(source, Offset);
            while (true)
            {
                using var records = await reader.ReadAsync(ReadBytesMax, cancellation);
                take(records);
                Advance(reader.Offset);
            }
        }
        catch (Exception failure)
        {
            End(failure is OperationCanceledException
                ? new MillraceException(FailureCodes.Stopped, $"{source} is not read any more.")
                : failure);
            throw;
        }
    }

    /// <summary>Completes once everything before an offset was taken in.</summary>
    /// <param name="offset">The offset behind what is waited for.</param>
    /// <param name="cancellation">Gives the wait up.</param>
    /// <exception cref="Exception">What ended the reading.</exception>
    public Task WaitAsync(long offset, CancellationToken cancellation)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_offset >= offset) return Task.CompletedTask;
            if (_end is not null) return Task.FromException(_end);
            _waiting.Enqueue(waiter, offset);
        }

        return waiter.Task.WaitAsync(cancellation);
    }

    private void Advance(long offset)
    {
        lock (_lock)
        {
            _offset = offset;
            while (_waiting.TryPeek(out var waiter, out var awaited) && awaited <= offset)
            {
                _waiting.Dequeue();
                waiter.SetResult();
            }
        }
    }

    private void End(Exception failure)
    {
        lock (_lock)
        {
            _end = failure;
            while (_waiting.TryDequeue(out var waiter, out _))
            {
                waiter.SetException(failure);
                _ = waiter.Task.Exception; // whoever gave the wait up does not look any more
            }
        }
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Millrace;

/// <summary>
/// Reads a global topic of a processor, all partitions from their beginning, and goes on with what comes; after a failure anew, after a
/// pause. One loop. Its state is read by others at any time.
/// </summary>
[SuppressMessage("Design", "CA1001",
    Justification = "The source has no timer and no foreign token: there is nothing to free, and late calls may still cancel.")]
internal sealed class GlobalFollower(string processor, GlobalTopic topic, RuntimeContext context, Action<Exception> engineFailed)
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Signal _wake = new();
    private readonly Backoff _backoff = new(context.Options, $"{processor}-{topic.Name}", 0);
    private long[] _offsets = []; // by partition, how far it was given; replaced by the loop, read by others
    private volatile string? _lastFailure;
    private Task _following = Task.CompletedTask;

    /// <summary>Completes when the topic has been read to where it ended then; never fails, and not at all if that never comes.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Why it had to begin anew last, as text; null when it never did.</summary>
    public string? LastFailure => _lastFailure;

    public void Start() => _following = context.Start(RunAsync);

    public async Task EndAsync()
    {
        _stop.Cancel();
        _wake.Set();
        await _following;
    }

    /// <summary>Whether all that lies in the topic, by the engine's own account, has been given.</summary>
    public async ValueTask<bool> HasCaughtUpAsync(CancellationToken cancellation)
    {
        if (await context.Engine.FindTopicAsync(topic.Name, cancellation) is not { } description) return false;
        var offsets = Volatile.Read(ref _offsets);
        return offsets.Length == description.Partitions.Count && HasReached(offsets, description);
    }

    /// <summary>The edge of the loop: everything is caught here.</summary>
    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await FollowAsync();
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure)
            {
                _lastFailure = $"Global topic '{topic.Name}': {failure.Message}";
                if (FailureKinds.Of(failure) == FailureKind.EngineFailed)
                {
                    engineFailed(failure);
                    return;
                }

                await PauseAsync(failure);
            }
        }
    }

    private async Task FollowAsync()
    {
        var description = await context.Engine.FindTopicAsync(topic.Name, _stop.Token)
            ?? throw new MillraceException(FailureCodes.TopicNotFound, $"Topic '{topic.Name}' was deleted.");
        var offsets = description.Partitions.Select(partition => partition.StartOffset).ToArray();
        Volatile.Write(ref _offsets, offsets);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var intake = new Intake(_wake);
        try
        {
            foreach (var (partition, start, _, _) in description.Partitions)
                intake.Add(topic.Name, start, context.Engine.OpenReader(new TopicPartition(topic.Name, partition), start));
            await ReadAsync(intake, topic.Begin(), offsets, description);
        }
        finally
        {
            end.Cancel();
            await intake.EndWaitsAsync();
        }

        async Task ReadAsync(Intake readers, GlobalTopicIntake target, long[] given, TopicDescription atStart)
        {
            var isComplete = false;
            while (!_stop.IsCancellationRequested)
            {
                var hasRead = TryTake(readers, target, given);
                if (!isComplete && HasReached(given, atStart))
                {
                    isComplete = true;
                    Complete(target, given, atStart);
                }

                if (hasRead) await Task.Yield(); // others take turns on the scheduler
                else if (readers.TryWait(end.Token)) await _wake.WaitAsync();
            }
        }
    }

    private bool TryTake(Intake readers, GlobalTopicIntake target, long[] given)
    {
        if (readers.TryRead(context.Options.FetchBytesMax, out _) is not { } fetched) return false;
        using (fetched)
        {
            target.Take(fetched);
            Volatile.Write(ref given[fetched.Source.Partition], fetched.NextOffset);
        }

        context.Watch.Changed();
        return true;
    }

    private void Complete(GlobalTopicIntake target, long[] given, TopicDescription atStart)
    {
        target.Complete();
        _backoff.Reset();
        _ready.TrySetResult();
        context.Log.GlobalRead(processor, topic.Name, given.Sum() - atStart.Partitions.Sum(partition => partition.StartOffset));
        context.Watch.Changed();
    }

    private static bool HasReached(long[] offsets, TopicDescription description)
    {
        foreach (var partition in description.Partitions)
        {
            if (Volatile.Read(ref offsets[partition.Partition]) < partition.EndOffset) return false;
        }

        return true;
    }

    private async Task PauseAsync(Exception failure)
    {
        var pause = _backoff.Next();
        context.Log.GlobalFailed(processor, topic.Name, pause, failure);
        context.Watch.Changed();
        try
        {
            await Task.Delay(pause, context.Options.Time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The processor stops; the loop's condition sees it.
        }
    }
}

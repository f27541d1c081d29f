using System.Collections.Concurrent;

namespace Millrace.Log.Disk;

/// <summary>
/// A scheduler of one thread: work that blocks on the disk runs there and takes no thread from the pool. The thread ends with the work.
/// </summary>
internal sealed class DiskThread : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];

    public static Task Run(Func<Task> work)
    {
        var scheduler = new DiskThread();
#pragma warning disable RS0030 // The real disk is the one place that owns threads; a simulated disk runs the work on its own scheduler.
        new Thread(scheduler.Work) { IsBackground = true, Name = "millrace-disk" }.Start();
#pragma warning restore RS0030
        var running = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, scheduler).Unwrap();
        _ = running.ContinueWith(
            static (_, state) => ((DiskThread)state!)._tasks.CompleteAdding(), scheduler, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, Default);
        return running;
    }

    public void Dispose() => _tasks.Dispose();

    protected override void QueueTask(Task task)
    {
        // The work is the only task, so nothing of it can be left after its end.
        if (!_tasks.IsAddingCompleted && _tasks.TryAdd(task)) return;
        throw new InvalidOperationException("The disk's thread has ended.");
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;

    private void Work()
    {
        foreach (var task in _tasks.GetConsumingEnumerable()) TryExecuteTask(task);
        Dispose();
    }
}

using System.Collections.Concurrent;

namespace Millrace.Tests.Runtime;

/// <summary>One thread that runs task after task, as a simulation's scheduler does.</summary>
internal sealed class PumpScheduler : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];
    private readonly Thread _thread;

    public PumpScheduler()
    {
        _thread = new Thread(() =>
        {
            foreach (var task in _tasks.GetConsumingEnumerable()) TryExecuteTask(task);
        });
        _thread.Start();
    }

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Completes when it has nothing to run: everybody waits for something else.</summary>
    public async Task QuietAsync()
    {
        while (!await Task.Factory.StartNew(() => _tasks.Count == 0, CancellationToken.None, TaskCreationOptions.None, this))
        {
        }
    }

    public void Dispose()
    {
        _tasks.CompleteAdding();
        _thread.Join();
        _tasks.Dispose();
    }

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;

    protected override void QueueTask(Task task) => _tasks.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;
}

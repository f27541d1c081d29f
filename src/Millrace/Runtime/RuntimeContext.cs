using Microsoft.Extensions.Logging;

namespace Millrace;

/// <summary>What all loops of one runtime share. Each part is thread safe.</summary>
internal sealed record RuntimeContext
{
    public required Engine Engine { get; init; }

    public required ProcessorRuntimeOptions Options { get; init; }

    public required TopicDirectory Topics { get; init; }

    public required RuntimeMeters Meters { get; init; }

    public required RuntimeWatch Watch { get; init; }

    public required ILogger Log { get; init; }

    /// <summary>Starts a loop on the scheduler of the options. Whatever it awaits continues there.</summary>
    public Task Start(Func<Task> loop) =>
        Task.Factory.StartNew(loop, CancellationToken.None, TaskCreationOptions.DenyChildAttach, Options.Scheduler).Unwrap();
}

/// <summary>Lets others await that something changed in the runtime, without polling. Thread safe.</summary>
internal sealed class RuntimeWatch
{
    private readonly Lock _gate = new(); // guards _next
    private TaskCompletionSource? _next;
    private long _awakenings;

    /// <summary>How often a loop went from idle to work; a span in which it did not change is one in which nobody worked.</summary>
    public long Awakenings => Interlocked.Read(ref _awakenings);

    /// <summary>Completes at the next change. Take it before looking at what may change.</summary>
    public Task NextChange()
    {
        lock (_gate) return (_next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    public void Changed()
    {
        TaskCompletionSource? waited;
        lock (_gate) (waited, _next) = (_next, null);
        waited?.SetResult();
    }

    public void Awoke() => Interlocked.Increment(ref _awakenings);
}

namespace Millrace;

/// <summary>
/// Runs processors on an engine: joins their groups, restores, reads, processes and commits, one loop per partition that it owns. Thread safe.
/// </summary>
public sealed class ProcessorRuntime : IAsyncDisposable
{
    /// <summary>Makes a runtime; nothing happens before <see cref="StartAsync"/>.</summary>
    public ProcessorRuntime(Engine engine, IReadOnlyList<Processor> processors, ProcessorRuntimeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(processors);
        (options ?? new ProcessorRuntimeOptions()).Validate();
    }

    /// <summary>What each processor is doing now, in the order in which they were given.</summary>
    public IReadOnlyList<ProcessorStatus> Statuses => throw new NotSupportedException("The loops follow in the next commit.");

    /// <summary>Joins the groups and starts the loops.</summary>
    public ValueTask StartAsync(CancellationToken cancellation = default) => throw new NotSupportedException("The loops follow in the next commit.");

    /// <summary>Stops in good order within <see cref="ProcessorRuntimeOptions.StopDeadline"/>. Again has no effect.</summary>
    public ValueTask StopAsync(CancellationToken cancellation = default) => throw new NotSupportedException("The loops follow in the next commit.");

    /// <summary>Completes when every processor has committed all that was in its topics, including what they said to each other.</summary>
    public ValueTask WaitUntilIdleAsync(CancellationToken cancellation = default) => throw new NotSupportedException("The loops follow in the next commit.");

    /// <summary>Completes when a condition on the statuses holds; it is looked at after every change of a state.</summary>
    public ValueTask WaitUntilAsync(Func<IReadOnlyList<ProcessorStatus>, bool> condition, CancellationToken cancellation = default) =>
        throw new NotSupportedException("The loops follow in the next commit.");

    /// <summary>Stops, if that is not done.</summary>
    public ValueTask DisposeAsync() => StopAsync(CancellationToken.None);
}

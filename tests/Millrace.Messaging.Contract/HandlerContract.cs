using Millrace.Contract;

namespace Millrace.Messaging.Contract;

/// <summary>
/// The ground of every class of the handler suite. A derived class per engine says only how to get a host. Handlers and their runtime have
/// a clock that the test sets; the engine keeps the system's, so nothing of its own waits for the test. A deadline ends a test that would
/// wait for ever.
/// </summary>
public abstract class HandlerContract : IDisposable
{
    /// <summary>Far above what a test needs, so that only a hang meets it.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(100);

    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    /// <summary>Begins the test's time.</summary>
    protected HandlerContract() => _deadline.CancelAfter(Deadline);

    /// <summary>Cancelled at the deadline, or when the run is.</summary>
    protected CancellationToken Cancellation => _deadline.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        _deadline.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Makes a host with data of its own, or with data that it shares with other tests.</summary>
    protected abstract EngineHost CreateHost();

    /// <summary>Opens an engine with topics of this test's own.</summary>
    protected Task<HandlerRig> OpenAsync(int partitions = 1) => HandlerRig.OpenAsync(CreateHost(), partitions, Cancellation);
}

namespace Millrace.Contract;

/// <summary>How an engine ends before it is opened again.</summary>
public enum Ending
{
    /// <summary>By <see cref="Engine.DisposeAsync"/>.</summary>
    Graceful,

    /// <summary>Without being asked: what the operating system has is kept, everything else is gone.</summary>
    Crash,
}

/// <summary>
/// What an engine's test project gives the suite: the data of one test, and engines opened on it one after the other. Data may be shared
/// with other tests (a broker), so the suite names topics and groups uniquely and never counts all of them.
/// </summary>
public abstract class EngineHost : IAsyncDisposable
{
    /// <summary>Whether <see cref="CrashAsync"/> is possible; where it is not, those tests say that they were skipped.</summary>
    public abstract bool CanCrash { get; }

    /// <summary>
    /// Whether every offset holds a record. Not so on Kafka, where the marker that ends a transaction takes an offset of its own: there an
    /// end offset is at least, not exactly, the last record's offset plus one.
    /// </summary>
    public abstract bool HasDenseOffsets { get; }

    /// <summary>Opens the engine on the data of this test.</summary>
    public abstract ValueTask<Engine> OpenAsync(CancellationToken cancellation);

    /// <summary>Ends an engine as a kill would.</summary>
    public abstract ValueTask CrashAsync(Engine engine);

    /// <summary>Removes the data.</summary>
    public abstract ValueTask DisposeAsync();
}

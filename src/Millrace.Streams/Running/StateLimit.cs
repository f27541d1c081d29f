namespace Millrace.Streams.Running;

/// <summary>How much of a topology's state is in memory in this process, shared by its instances alike. Thread safe.</summary>
internal sealed class StateLimit(long? bytesMax)
{
    private int _instances;

    /// <summary>Null when all is.</summary>
    public long? BytesMax => bytesMax;

    /// <summary>What an instance may have now.</summary>
    public long Share => bytesMax.GetValueOrDefault() / Math.Max(1, Volatile.Read(ref _instances));

    public void Join() => Interlocked.Increment(ref _instances);

    public void Leave() => Interlocked.Decrement(ref _instances);
}

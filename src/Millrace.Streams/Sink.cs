namespace Millrace.Streams;

/// <summary>
/// What takes a stream's records and its event time: the next operator of a fused chain, or an output. A record costs one virtual call.
/// Called from one loop, never two calls at a time; not thread safe.
/// </summary>
/// <typeparam name="T">The records' type.</typeparam>
public abstract class Sink<T>
{
    /// <summary>Takes a record.</summary>
    /// <param name="value">The record.</param>
    /// <param name="timestamp">Its event time, in milliseconds since 1970-01-01T00:00:00Z.</param>
    public abstract void Push(T value, long timestamp);

    /// <summary>
    /// Event time has come to <paramref name="watermark"/>: no record at or before it is expected any more. It never goes back, and
    /// <see cref="long.MaxValue"/> is the end of the stream.
    /// </summary>
    /// <param name="watermark">In milliseconds since 1970-01-01T00:00:00Z.</param>
    public abstract void Advance(long watermark);

    /// <summary>
    /// Whether the stream is idle now: then who waits for several streams does not wait for this one. Nothing by default.
    /// </summary>
    /// <param name="isIdle">True when it became idle, false when it is active again.</param>
    public virtual void SetIdle(bool isIdle)
    {
    }
}

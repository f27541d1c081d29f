namespace Millrace;

/// <summary>
/// How many partitions each topic has, known without waiting: a key is placed in the middle of a processor's call. Thread safe.
/// </summary>
internal sealed class TopicDirectory(Engine engine)
{
    private volatile Dictionary<string, int> _partitions = []; // replaced as a whole, never changed

    /// <summary>
    /// Asks the engine for all topics: at the start, and before a failed partition starts again (its topic may be new, or another one now).
    /// </summary>
    public async ValueTask RefreshAsync(CancellationToken cancellation)
    {
        var partitions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var topic in await engine.ListTopicsAsync(cancellation)) partitions[topic.Name] = topic.Partitions.Count;
        _partitions = partitions;
    }

    public int PartitionsOf(string topic)
    {
        if (_partitions.TryGetValue(topic, out var count)) return count;
        throw new MillraceException(FailureCodes.TopicNotFound,
            $"Topic '{topic}' did not exist when the runtime last asked. Create it before a processor says something to it; " +
            "the runtime asks again when the processor's partition restarts.");
    }
}

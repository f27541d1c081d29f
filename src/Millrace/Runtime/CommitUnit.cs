namespace Millrace;

/// <summary>How large a batch has become.</summary>
internal readonly record struct BatchSize(TopicPartition Target, int Bytes);

/// <summary>
/// What the calls since the last commit did, gathered to be committed together. Filled by the partition's loop; once launched it is the
/// engine's until it is done.
/// </summary>
internal sealed class CommitUnit(long sequence, IReadOnlyList<BatchSize> sizes) : IDisposable
{
    // What a change costs beside its bytes: two array headers and the entries that hold them. It bounds memory, so about right is enough.
    private const int ChangeOverheadBytes = 96;

    private readonly List<Intake.Source> _moved = [];
    private long _bytes;
    private bool _isSealed;
    private volatile bool _isDone;

    /// <summary>Greater by one than that of the unit before, within a run.</summary>
    public long Sequence { get; } = sequence;

    public Commit Commit { get; } = new(sizes);

    /// <summary>
    /// The keys changed, in the order in which they first were. The state of a key at the end of the unit is what is committed.
    /// </summary>
    public List<ChangedKey> Changed { get; } = [];

    /// <summary>How many records were read and timers fired.</summary>
    public int Calls { get; private set; }

    /// <summary>Where the loop's processing stood when the unit was sealed: all topics.</summary>
    public IReadOnlyList<TopicPosition> PositionsAfter { get; private set; } = [];

    /// <summary>When the commit was handed to the engine: a timestamp of the clock.</summary>
    public long LaunchedAt { get; set; }

    /// <summary>How the commit went, valid once <see cref="IsDone"/>.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Completes after <see cref="IsDone"/> is set; never fails.</summary>
    public Task Completion { get; set; } = Task.CompletedTask;

    public bool IsDone => _isDone;

    public bool HasWork => _moved.Count > 0 || Changed.Count > 0 || Commit.Batches.Count > 0;

    /// <summary>How many bytes were read, changed and said.</summary>
    public long Bytes
    {
        get
        {
            if (_isSealed) return _bytes;
            var bytes = _bytes;
            var batches = Commit.Batches;
            for (var i = 0; i < batches.Count; i++) bytes += batches[i].Records.SizeBytes;
            return bytes;
        }
    }

    public void CountChange(int bytes) => _bytes += bytes + ChangeOverheadBytes;

    public void CountTimer() => Calls++;

    public void CountBatch(Intake.Source source, int records, int bytes)
    {
        Calls += records;
        _bytes += bytes;
        if (!_moved.Contains(source)) _moved.Add(source);
    }

    /// <summary>Puts everything into the commit. Afterwards nothing is added.</summary>
    public void Seal(IReadOnlyList<TopicPosition> positionsAfter)
    {
        _bytes = Bytes;
        _isSealed = true;
        Commit.DropEmptyBatches();
        foreach (var source in _moved) Commit.SetPosition(source.Topic, source.NextOffset);
        foreach (var changed in Changed)
        {
            if (changed.Value is { } value) Commit.Put(changed.Store, changed.Key, value);
            else Commit.Delete(changed.Store, changed.Key);
        }

        PositionsAfter = positionsAfter;
    }

    /// <summary>The engine's answer, from whatever thread.</summary>
    public void Finish(Exception? failure)
    {
        Failure = failure;
        _isDone = true;
    }

    /// <summary>Gives the buffers back, except when the wait for the engine was cut short: then it may still be reading them.</summary>
    public void Dispose()
    {
        if (Failure is not OperationCanceledException) Commit.Dispose();
    }
}

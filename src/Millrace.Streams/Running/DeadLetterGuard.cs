namespace Millrace.Streams.Running;

/// <summary>
/// Decides what becomes of a record that cannot be read or worked on. If nothing was kept or said because of it, it is a dead letter at
/// once. Else what it left half done has to go: the instance ends, and the next one, whose state is that of the last commit, makes it a
/// dead letter when it comes to it. Used by one loop only.
/// </summary>
internal sealed class DeadLetterGuard(ProcessorScope scope, Condemned condemned)
{
    private TopicPartition _source;
    private bool _isHere; // whether a record of the batch in hand may be condemned

    /// <summary>How many dead letters were said.</summary>
    public long Count { get; private set; }

    public void Begin(FetchedRecords records)
    {
        _source = records.Source;
        _isHere = condemned.Forget(_source, records.FromOffset);
    }

    /// <summary>Says a record that an earlier instance could not work on.</summary>
    public bool IsCondemned(in Record record)
    {
        if (!_isHere || condemned.Find(_source, record.Offset) is not { } failure) return false;
        Count++;
        DeadLetters.Say(scope, _source, record, failure, attempts: 1);
        return true;
    }

    public void Say(in Record record, string reason)
    {
        Count++;
        DeadLetters.Say(scope, _source, record, reason, attempts: 0);
    }

    /// <summary>True when the record was said; false when the failure has to end the instance.</summary>
    public bool Takes(Exception failure, in Record record, bool hasActed)
    {
        if (IsOfTheWorld(failure)) return false;
        if (hasActed)
        {
            condemned.Add(_source, record.Offset, failure);
            return false;
        }

        Count++;
        DeadLetters.Say(scope, _source, record, failure, attempts: 1);
        return true;
    }

    /// <summary>
    /// A record of the batch in hand that cannot be worked on any more once it was left: the next instance makes it a dead letter. False
    /// when the record is not to blame.
    /// </summary>
    public bool Condemns(Exception failure, long offset)
    {
        if (IsOfTheWorld(failure)) return false;
        condemned.Add(_source, offset, failure);
        return true;
    }

    /// <summary>Whether the record is not to blame, so that leaving it out would lose it.</summary>
    private static bool IsOfTheWorld(Exception failure) => failure is OutOfMemoryException or OperationCanceledException
        or MillraceException
    {
        Code: not (FailureCodes.NotAnEvent or FailureCodes.DataMismatch or FailureCodes.UnknownEventType or FailureCodes.TooLarge
            or FailureCodes.LookupFailed)
    };
}

/// <summary>
/// Records that ended an instance, by partition and offset, until their partition has passed them. It outlives instances; a process that
/// starts anew meets such a record once more. Thread safe.
/// </summary>
internal sealed class Condemned
{
    private readonly Lock _gate = new(); // guards _failures
    private readonly Dictionary<TopicPartition, SortedDictionary<long, Exception>> _failures = [];

    public void Add(TopicPartition source, long offset, Exception failure)
    {
        lock (_gate)
        {
            if (!_failures.TryGetValue(source, out var failures)) _failures.Add(source, failures = []);
            failures[offset] = failure;
        }
    }

    /// <summary>Drops those before an offset, which is read and so is committed; returns whether any are left.</summary>
    public bool Forget(TopicPartition source, long before)
    {
        lock (_gate)
        {
            if (!_failures.TryGetValue(source, out var failures)) return false;
            foreach (var offset in failures.Keys.TakeWhile(offset => offset < before).ToList()) failures.Remove(offset);
            if (failures.Count > 0) return true;
            _failures.Remove(source);
            return false;
        }
    }

    public Exception? Find(TopicPartition source, long offset)
    {
        lock (_gate) return _failures.TryGetValue(source, out var failures) ? failures.GetValueOrDefault(offset) : null;
    }
}

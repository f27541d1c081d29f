namespace Millrace;

/// <summary>What a processor, or its work on one partition, is doing.</summary>
public enum ProcessorState
{
    /// <summary>It joins its group, or restores a partition's state.</summary>
    Starting = 0,

    /// <summary>It works, or waits for something to work on.</summary>
    Running = 1,

    /// <summary>It failed and waits before it starts again from its last commit.</summary>
    BackingOff = 2,

    /// <summary>It ended in good order: stopped, or the partition went to another member.</summary>
    Stopped = 3,

    /// <summary>The engine stopped or its storage failed; only a new runtime on a new engine helps.</summary>
    Failed = 4,
}

/// <summary>What one processor is doing at a moment.</summary>
public sealed record ProcessorStatus
{
    /// <summary>The processor's name.</summary>
    public required string Processor { get; init; }

    /// <summary>What it is doing: of its partitions, the state that needs the most attention.</summary>
    public required ProcessorState State { get; init; }

    /// <summary>Why it failed last, as text; null when it never did.</summary>
    public string? Failure { get; init; }

    /// <summary>The partitions that it owns, in order of their numbers.</summary>
    public required IReadOnlyList<PartitionStatus> Partitions { get; init; }
}

/// <summary>What a processor's work on one partition is doing at a moment.</summary>
public sealed record PartitionStatus
{
    /// <summary>The partition's number.</summary>
    public required int Partition { get; init; }

    /// <summary>What it is doing.</summary>
    public required ProcessorState State { get; init; }

    /// <summary>The committed positions, one per topic that has this partition.</summary>
    public required IReadOnlyList<TopicPosition> Positions { get; init; }

    /// <summary>How many records of all topics lie behind the committed positions; as of the last answer of the engine.</summary>
    public required long Lag { get; init; }

    /// <summary>How often it started again after a failure.</summary>
    public required int Restarts { get; init; }

    /// <summary>Why it failed last, as text; null when it never did.</summary>
    public string? LastFailure { get; init; }

    /// <summary>How many commits are under way.</summary>
    public required int CommitsInFlight { get; init; }

    /// <summary>How many timers are pending.</summary>
    public required int Timers { get; init; }
}

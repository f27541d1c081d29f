using Confluent.Kafka;

namespace Millrace.Kafka.Writing;

/// <summary>How one try of a transaction ended.</summary>
internal abstract record TransactionOutcome
{
    private TransactionOutcome()
    {
    }

    /// <summary>It happened, whole.</summary>
    public sealed record Committed : TransactionOutcome;

    /// <summary>It did not happen, for a reason that may pass: try again.</summary>
    public sealed record Aborted(Error Error) : TransactionOutcome;

    /// <summary>It did not happen, and will not with this commit in it, or with one of them if it is not known which.</summary>
    public sealed record Refused(PendingCommit? Culprit, Error Error) : TransactionOutcome;

    /// <summary>It happened or not; nothing can be looked up.</summary>
    public sealed record Unknown(Error Error) : TransactionOutcome;
}

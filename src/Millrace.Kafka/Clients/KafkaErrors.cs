using Confluent.Kafka;

namespace Millrace.Kafka.Clients;

/// <summary>What Kafka's errors ask for, in one place. The table is docs/internals/kafka.md.</summary>
internal static class KafkaErrors
{
    /// <summary>The member, or its generation of the group, is not the group's any more.</summary>
    public static bool IsMemberFenced(ErrorCode code) => code is
        ErrorCode.IllegalGeneration or ErrorCode.UnknownMemberId or ErrorCode.FencedInstanceId or ErrorCode.RebalanceInProgress
        or ErrorCode.FencedMemberEpoch or ErrorCode.StaleMemberEpoch or ErrorCode.UnreleasedInstanceId;

    /// <summary>Another producer has the transactional id, or the broker ended the transaction.</summary>
    public static bool IsProducerFenced(ErrorCode code) => code is
        ErrorCode.Local_Fenced or ErrorCode.ProducerFenced or ErrorCode.InvalidProducerEpoch or ErrorCode.InvalidProducerIdMapping
        or ErrorCode.UnknownProducerId;

    /// <summary>Not a matter of waiting: the same call fails again until someone changes something.</summary>
    public static bool IsRefusal(ErrorCode code) => IsNotAuthorized(code) || IsTooLarge(code) || IsNoTopic(code) || code is
        ErrorCode.InvalidRecord or ErrorCode.PolicyViolation or ErrorCode.UnsupportedVersion or ErrorCode.Local_UnsupportedFeature
        or ErrorCode.InvalidConfig or ErrorCode.InvalidReplicationFactor or ErrorCode.InvalidTransactionTimeout
        or ErrorCode.InvalidSessionTimeout or ErrorCode.TopicException or ErrorCode.InvalidTimestamp;

    /// <summary>The partition has another leader, or the same one anew, than the client remembers.</summary>
    public static bool IsLeaderMoved(ErrorCode code) => code is
        ErrorCode.NotLeaderForPartition or ErrorCode.FencedLeaderEpoch or ErrorCode.UnknownLeaderEpoch or ErrorCode.LeaderNotAvailable;

    public static bool IsNoTopic(ErrorCode code) => code is
        ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition or ErrorCode.UnknownTopicId;

    /// <summary>A failure that callers see, with the code that programs may match.</summary>
    public static MillraceException ToFailure(string what, Error error, Exception? inner = null) =>
        ToFailure(what, error.Code, error.Reason, inner);

    public static MillraceException ToFailure(string what, ErrorCode code, string reason, Exception? inner = null) => code switch
    {
        _ when IsNotAuthorized(code) => new MillraceException(FailureCodes.NotAuthorized,
            $"{what}: Kafka refuses it ({code}: {reason}). Grant this principal the right, or change the credentials.", inner),
        _ when IsNoTopic(code) =>
            new MillraceException(FailureCodes.TopicNotFound, $"{what}: there is no such topic or partition ({code}: {reason}).", inner),
        _ when IsTooLarge(code) => new MillraceException(FailureCodes.TooLarge,
            $"{what}: a record or batch is larger than Kafka takes ({code}: {reason}). See {nameof(KafkaOptions.RecordBytesMax)} and the " +
            "topic's max.message.bytes.", inner),
        _ when IsProducerFenced(code) || IsMemberFenced(code) =>
            new MillraceException(FailureCodes.Fenced, $"{what}: a newer owner took over ({code}: {reason}).", inner),
        ErrorCode.TopicAlreadyExists => new MillraceException(FailureCodes.TopicExists, $"{what}: {reason}", inner),
        ErrorCode.OffsetOutOfRange or ErrorCode.Local_AutoOffsetReset => new MillraceException(FailureCodes.OffsetOutOfRange,
            $"{what}: retention removed the records, or the offset was never there ({reason}).", inner),
        ErrorCode.Local_BadMsg or ErrorCode.Local_BadCompression or ErrorCode.InvalidMsg =>
            new MillraceException(FailureCodes.Corrupt, $"{what}: {code}: {reason}", inner),
        _ when IsRefusal(code) => new MillraceException(FailureCodes.NotSupported, $"{what}: Kafka refuses it ({code}: {reason}).", inner),
        _ => new MillraceException(FailureCodes.Unreachable, $"{what}: the brokers did not do it in time ({code}: {reason}).", inner),
    };

    private static bool IsTooLarge(ErrorCode code) => code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge;

    /// <summary>The brokers know who asks, or do not believe it, and refuse.</summary>
    public static bool IsNotAuthorized(ErrorCode code) => code is
        ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed
        or ErrorCode.TransactionalIdAuthorizationFailed or ErrorCode.SaslAuthenticationFailed or ErrorCode.Local_Authentication
        or ErrorCode.DelegationTokenAuthorizationFailed or ErrorCode.Local_Ssl;
}

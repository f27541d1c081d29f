using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Millrace.Kafka.Clients;

/// <summary>What the engine and its clients log. Never payloads, settings or secrets.</summary>
internal sealed partial class ClientLog(ILogger log)
{
    private volatile Error? _lastError;

    /// <summary>The code of that error.</summary>
    public ErrorCode LastErrorCode => _lastError?.Code ?? ErrorCode.NoError;

    /// <summary>The last error that a client reported by itself, for messages about brokers that do not answer.</summary>
    public string LastError => _lastError?.Reason ?? "no broker said why";

    public void Client(LogMessage message)
    {
        var level = (LogLevel)message.LevelAs(LogLevelType.MicrosoftExtensionsLogging);
        if (log.IsEnabled(level)) ClientSaid(level, message.Name, message.Facility, message.Message);
    }

    public void Error(Error error)
    {
        // That a connection or all of them are gone follows a refusal; why is what was said before.
        var isConsequence = error.Code == ErrorCode.Local_AllBrokersDown
            || (error.Code == ErrorCode.Local_Transport && KafkaErrors.IsNotAuthorized(LastErrorCode));
        if (!isConsequence || _lastError is null) _lastError = error;
        ClientError(error.IsFatal ? LogLevel.Error : LogLevel.Warning, error.Code, error.Reason);
    }

    [LoggerMessage(EventId = 601, Message = "{Client} {Facility}: {Text}")]
    private partial void ClientSaid(LogLevel level, string client, string facility, string text);

    [LoggerMessage(EventId = 602, Message = "Kafka: {Code}: {Reason}")]
    private partial void ClientError(LogLevel level, ErrorCode code, string reason);

    [LoggerMessage(EventId = 603, Level = LogLevel.Error, Message = "Getting a bearer token failed; it is tried again")]
    public partial void TokenFailed(Exception failure);

    [LoggerMessage(EventId = 604, Level = LogLevel.Information,
        Message = "The engine is open on {Servers} as instance {Instance} (librdkafka {Library})")]
    public partial void Opened(string servers, string instance, string library);

    [LoggerMessage(
        EventId = 605, Level = LogLevel.Warning, Message = "A transaction was ended without effect and is tried again: {Code}: {Reason}")]
    public partial void Retried(ErrorCode code, string reason);

    [LoggerMessage(EventId = 606, Level = LogLevel.Warning,
        Message = "The producer of transactional id {TransactionalId} can go on no more and is made anew: {Code}: {Reason}")]
    public partial void Rebuilt(string transactionalId, ErrorCode code, string reason);

    [LoggerMessage(EventId = 607, Level = LogLevel.Warning,
        Message = "Whether a transaction happened was not answered; its records say that it did: {Happened}")]
    public partial void Resolved(bool happened);

    [LoggerMessage(EventId = 608, Level = LogLevel.Error, Message = "The engine stops writing")]
    public partial void WriterFailed(Exception failure);

    [LoggerMessage(EventId = 609, Level = LogLevel.Information,
        Message = "Partition {Partition} of {Group} is restored: {Records} changes read from offset {From}")]
    public partial void Restored(string group, int partition, long records, long from);

    [LoggerMessage(EventId = 610, Level = LogLevel.Warning,
        Message = "The copy of the state of partition {Partition} of {Group} was not saved; the next start reads more of the changelog")]
    public partial void NotSaved(string group, int partition, Exception failure);

    [LoggerMessage(EventId = 611, Level = LogLevel.Warning, Message = "A copy of state in {File} is thrown away: {Reason}")]
    public partial void CopyDropped(string file, string reason);

    [LoggerMessage(EventId = 612, Level = LogLevel.Warning, Message = "A request to Kafka is tried again: {What}: {Code}: {Reason}")]
    public partial void RequestRetried(string what, ErrorCode code, string reason);

    [LoggerMessage(EventId = 613, Level = LogLevel.Warning, Message = "The member {Member} of {Group} lost its partitions")]
    public partial void MembershipLost(string member, string group);

    [LoggerMessage(
        EventId = 615, Level = LogLevel.Warning, Message = "The positions of partition {Partition} of {Group} were not committed again")]
    public partial void NotRefreshed(string group, int partition, Exception failure);

    [LoggerMessage(
        EventId = 616, Level = LogLevel.Debug, Message = "The standby copy of partition {Partition} of {Group} is at offset {Offset}")]
    public partial void StandbyAt(string group, int partition, long offset);

    [LoggerMessage(
        EventId = 617, Level = LogLevel.Error, Message = "The copy of the state of partition {Partition} of {Group} cannot be changed")]
    public partial void NotApplied(string group, int partition, Exception failure);

    [LoggerMessage(EventId = 618, Level = LogLevel.Warning,
        Message = "The member {Member} did not hand over partitions {Partitions} of {Group} within {Time}, and lost them")]
    public partial void NotHandedOver(string member, string partitions, string group, TimeSpan time);

    [LoggerMessage(EventId = 614, Level = LogLevel.Warning, Message = "A standby copy of partition {Partition} of {Group} begins again")]
    public partial void StandbyFailed(string group, int partition, Exception failure);
}

using Microsoft.Extensions.Logging;

namespace Millrace.Relational;

internal static partial class SinkLog
{
    [LoggerMessage(EventId = 5001, Level = LogLevel.Information,
        Message = "Sink {Sink} goes on with {Source} at offset {Position}, which the database holds; the log's position is {From}.")]
    public static partial void Claimed(ILogger logger, string sink, TopicPartition source, long position, long from);

    [LoggerMessage(EventId = 5002, Level = LogLevel.Warning,
        Message = "The database of sink {Sink} ends at offset {Position} of {Source} and the log's position is {From} already: records " +
            "between them are not in the database, unless retention or compaction took them from the log. Was the database set back?")]
    public static partial void Behind(ILogger logger, string sink, TopicPartition source, long position, long from);

    [LoggerMessage(EventId = 5003, Level = LogLevel.Warning,
        Message = "{Count} records of {Source} are dead letters of sink {Sink}, the first at offset {Offset}; records and reasons are in " +
            "{Topic}.")]
    public static partial void DeadLettered(ILogger logger, string sink, TopicPartition source, int count, long offset, string topic);
}

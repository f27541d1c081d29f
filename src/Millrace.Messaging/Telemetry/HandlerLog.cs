using Microsoft.Extensions.Logging;

namespace Millrace.Messaging;

internal static partial class HandlerLog
{
    [LoggerMessage(EventId = 3001, Level = LogLevel.Information,
        Message = "{Handler} failed at attempt {Attempt} for offset {Offset} of {Source}; it is tried again in {Delay}.")]
    public static partial void Retrying(
        ILogger logger, string handler, Exception failure, int attempt, long offset, TopicPartition source, TimeSpan delay);

    [LoggerMessage(EventId = 3002, Level = LogLevel.Warning,
        Message =
            "Offset {Offset} of {Source} is a dead letter after {Attempts} attempts; record and reason are in its topic of dead letters.")]
    public static partial void DeadLettered(ILogger logger, Exception reason, long offset, TopicPartition source, int attempts);
}

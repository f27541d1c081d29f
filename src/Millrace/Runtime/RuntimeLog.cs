using Microsoft.Extensions.Logging;

namespace Millrace;

/// <summary>Every line that the runtime logs. The ids are fixed.</summary>
internal static partial class RuntimeLog
{
    [LoggerMessage(1000, LogLevel.Information, "{Processors} processors started")]
    public static partial void Started(this ILogger log, int processors);

    [LoggerMessage(1001, LogLevel.Information, "Processors stopped")]
    public static partial void Stopped(this ILogger log);

    [LoggerMessage(1002, LogLevel.Warning,
        "The stop's deadline of {Deadline} has passed: what is not committed is cancelled; it is processed again at the next start")]
    public static partial void StopDeadlinePassed(this ILogger log, TimeSpan deadline);

    [LoggerMessage(1003, LogLevel.Error,
        "Processors still ran {Grace} after they were cancelled and are left behind, fenced: their code ignores its cancellation token")]
    public static partial void LeftBehind(this ILogger log, TimeSpan grace);

    [LoggerMessage(1010, LogLevel.Information, "Processor {Processor} got partition {Partition}, epoch {Epoch}")]
    public static partial void Assigned(this ILogger log, string processor, int partition, long epoch);

    [LoggerMessage(1011, LogLevel.Information, "Processor {Processor} gave up partition {Partition}, epoch {Epoch}")]
    public static partial void Released(this ILogger log, string processor, int partition, long epoch);

    [LoggerMessage(1012, LogLevel.Information, "Processor {Processor} lost partition {Partition}, epoch {Epoch}, to another member")]
    public static partial void Lost(this ILogger log, string processor, int partition, long epoch);

    [LoggerMessage(1013, LogLevel.Information,
        "Processor {Processor} was fenced on partition {Partition}, epoch {Epoch}: another member has it")]
    public static partial void Fenced(this ILogger log, string processor, int partition, long epoch);

    [LoggerMessage(1014, LogLevel.Warning, "Processor {Processor} could not give up partition {Partition} in good order")]
    public static partial void ReleaseFailed(this ILogger log, string processor, int partition, Exception failure);

    [LoggerMessage(1020, LogLevel.Warning,
        "Processor {Processor} failed on partition {Partition}; restart {Restart} from its last commit in {Pause}")]
    public static partial void Restarts(this ILogger log, string processor, int partition, int restart, TimeSpan pause, Exception failure);

    [LoggerMessage(1021, LogLevel.Information,
        "Processor {Processor} works again on partition {Partition} after {Failures} failures in a row")]
    public static partial void Recovered(this ILogger log, string processor, int partition, int failures);

    [LoggerMessage(1022, LogLevel.Warning,
        "Processor {Processor} failed on partition {Partition} while it stopped; what was not committed is processed again later")]
    public static partial void FailedWhileStopping(this ILogger log, string processor, int partition, Exception failure);

    [LoggerMessage(1023, LogLevel.Warning, "Processor {Processor} threw while its instance for partition {Partition} was disposed")]
    public static partial void DisposeFailed(this ILogger log, string processor, int partition, Exception failure);

    [LoggerMessage(1024, LogLevel.Information, "Processor {Processor} has read the global topic {Topic}: {Records} records")]
    public static partial void GlobalRead(this ILogger log, string processor, string topic, long records);

    [LoggerMessage(1025, LogLevel.Warning, "Processor {Processor} failed to follow the global topic {Topic}; it is read anew in {Pause}")]
    public static partial void GlobalFailed(this ILogger log, string processor, string topic, TimeSpan pause, Exception failure);

    [LoggerMessage(1030, LogLevel.Error, "Processor {Processor} ended: the engine failed")]
    public static partial void EngineFailed(this ILogger log, string processor, Exception failure);

    [LoggerMessage(1031, LogLevel.Warning, "Processor {Processor} fell out of its group and joins again in {Pause}")]
    public static partial void Rejoins(this ILogger log, string processor, TimeSpan pause, Exception failure);
}

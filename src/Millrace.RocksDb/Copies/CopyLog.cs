using Microsoft.Extensions.Logging;

namespace Millrace.RocksDb.Copies;

/// <summary>Every line that stores log. The ids are fixed.</summary>
internal static partial class CopyLog
{
    [LoggerMessage(5000, LogLevel.Warning, "The copy of state in {Directory} is thrown away and made anew from the changelog: {Reason}")]
    public static partial void ThrownAway(this ILogger log, string directory, string reason);

    [LoggerMessage(5001, LogLevel.Warning, "The damaged copy of state in {Directory} could not be marked as such")]
    public static partial void NotCondemned(this ILogger log, string directory, Exception failure);
}

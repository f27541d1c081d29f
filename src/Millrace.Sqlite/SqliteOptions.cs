using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace.Sqlite;

/// <summary>Where and how a SQLite file is kept.</summary>
public sealed record SqliteOptions
{
    /// <summary>The file. It and its folder are created when missing; two more files, <c>-wal</c> and <c>-shm</c>, go with it.</summary>
    public required string Path { get; init; }

    /// <summary>
    /// How long a write waits for another process that has the file, before it fails and is repeated. 5 seconds by default, whole seconds,
    /// at most an hour.
    /// </summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most batches that wait for the one writer; who comes then is throttled. 1,024 by default, at least 1.</summary>
    public int QueuedBatchesMax { get; init; } = 1_024;

    /// <summary>The most batches of one transaction: as many share one sync of the disk. 64 by default, at least 1.</summary>
    public int GroupBatchesMax { get; init; } = 64;

    /// <summary>Makes loggers. None by default.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Makes the meter. Without it a meter of its own is used.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>Throws an <see cref="ArgumentException"/> that names what is wrong, if anything is.</summary>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Path);
        if (BusyTimeout < TimeSpan.FromSeconds(1) || BusyTimeout > TimeSpan.FromHours(1))
            throw new ArgumentException($"{nameof(BusyTimeout)} {BusyTimeout} is not a second to an hour.");
        ArgumentOutOfRangeException.ThrowIfLessThan(QueuedBatchesMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(GroupBatchesMax, 1);
    }
}

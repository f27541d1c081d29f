using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace.RocksDb;

/// <summary>
/// The limits of state that is kept in RocksDB. Immutable. All stores together use about <see cref="BlockCacheBytesMax"/> of memory, and
/// each open store, which is one partition of one group, up to twice <see cref="WriteBufferBytesMax"/> more.
/// </summary>
public sealed record RocksDbOptions
{
    /// <summary>
    /// How many bytes of what is on disk, with its indexes and filters, all stores together keep in memory: 1 MiB to 1 TiB, 64 MiB by
    /// default.
    /// </summary>
    public long BlockCacheBytesMax { get; init; } = 64L << 20;

    /// <summary>
    /// How many bytes of changes one store gathers in memory before it writes them to a file: 64 KiB to 1 GiB, 16 MiB by default. While
    /// one such buffer is written, a second one fills; when both are full, changes wait. What is in them is lost by a crash and read from
    /// the changelog again.
    /// </summary>
    public int WriteBufferBytesMax { get; init; } = 16 << 20;

    /// <summary>How files are compressed; <see cref="RocksDbCompression.Lz4"/> by default. Files of all kinds are read, always.</summary>
    public RocksDbCompression Compression { get; init; } = RocksDbCompression.Lz4;

    /// <summary>How many files one store keeps open: 20 to 1,000,000, 256 by default. Their sizes are some 64 MiB.</summary>
    public int OpenFilesMax { get; init; } = 256;

    /// <summary>
    /// How long a change waits while files cannot be written or sorted as fast as state changes, before it fails with
    /// <see cref="FailureCodes.Throttled"/>: 1 ms to 1 hour, 10 s by default.
    /// </summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The clock of <see cref="StallTimeout"/>. The system's by default.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where <see cref="StateStore.SaveAsync"/> waits for the disk. The thread pool by default.</summary>
    public TaskScheduler Scheduler { get; init; } = TaskScheduler.Default;

    /// <summary>Told when a copy is thrown away, and why. Nothing by default.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    internal void Validate()
    {
        Check(nameof(BlockCacheBytesMax), BlockCacheBytesMax, 1L << 20, 1L << 40);
        Check(nameof(WriteBufferBytesMax), WriteBufferBytesMax, 64 << 10, 1 << 30);
        Check(nameof(OpenFilesMax), OpenFilesMax, 20, 1_000_000);
        if (!Enum.IsDefined(Compression))
        {
            var possible = string.Join(", ", Enum.GetNames<RocksDbCompression>());
            throw new ArgumentException($"RocksDbOptions.{nameof(Compression)} is {Compression}; {possible} are possible.");
        }

        if (StallTimeout < TimeSpan.FromMilliseconds(1) || StallTimeout > TimeSpan.FromHours(1))
            throw new ArgumentException($"RocksDbOptions.{nameof(StallTimeout)} is {StallTimeout}; 1 ms to 1 hour is possible.");
        ArgumentNullException.ThrowIfNull(Time);
        ArgumentNullException.ThrowIfNull(Scheduler);
        ArgumentNullException.ThrowIfNull(Logger);
    }

    private static void Check(string name, long value, long min, long max)
    {
        if (value < min || value > max) throw new ArgumentException($"RocksDbOptions.{name} is {value}; {min} to {max} is possible.");
    }
}

/// <summary>How RocksDB compresses the blocks of its files.</summary>
public enum RocksDbCompression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>LZ4: fast, about half the size for JSON.</summary>
    Lz4 = 4,

    /// <summary>Zstandard: smaller files, several times the work.</summary>
    Zstd = 7,
}

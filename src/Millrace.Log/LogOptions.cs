using System.Security.Cryptography;

namespace Millrace.Log;

/// <summary>The embedded engine's limits and parameters. Immutable; every default serves one process on one disk.</summary>
public sealed record LogOptions
{
    /// <summary>
    /// The largest value of the options that count bytes: 1 GiB, because offsets within a file are 32-bit in Kafka's index files.
    /// </summary>
    public const int BytesMax = 1 << 30;

    /// <summary>The disk. By default the real one.</summary>
    public IStorage Storage { get; init; } = new FileStorage();

    /// <summary>The clock, for the revocation time-out. By default the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Where topic ids and frame salts come from; used by one thread at a time. By default seeded by the system's own randomness.
    /// </summary>
    public Random Random { get; init; } = new(RandomNumberGenerator.GetInt32(int.MaxValue));

    /// <summary>When a segment file is closed and the next begun, in bytes; 4 KiB to <see cref="BytesMax"/>, 256 MiB by default.</summary>
    public int SegmentBytesMax { get; init; } = 256 << 20;

    /// <summary>
    /// How long the journal may grow, in bytes, before a checkpoint is made; it bounds recovery time, and a file of it is kept to be used
    /// again, of at most four times this. 4 KiB to <see cref="BytesMax"/>, 64 MiB by default.
    /// </summary>
    public int JournalBytesMax { get; init; } = 64 << 20;

    /// <summary>
    /// Whether a journal file that a checkpoint has made needless is used again for the next one, as PostgreSQL's wal_recycle; true by
    /// default. Switch it off on file systems that write what is overwritten to another place (Btrfs, ZFS): there it gains nothing, and a
    /// full disk would stop the engine instead of refusing commits.
    /// </summary>
    public bool RecyclesJournal { get; init; } = true;

    /// <summary>The largest commit in bytes, records and state together; 1 KiB to 256 MiB, 32 MiB by default.</summary>
    public int CommitBytesMax { get; init; } = 32 << 20;

    /// <summary>How many bytes one group commit gathers before it is written even though more callers wait; 4 MiB by default.</summary>
    public int GroupBytesMax { get; init; } = 4 << 20;

    /// <summary>How many commits may wait for the writer before callers wait for room; 1 to 1,000,000, 1,024 by default.</summary>
    public int QueuedCommitsMax { get; init; } = 1024;

    /// <summary>How many bytes of a segment lie between two entries of its sparse index; 4 KiB by default, as in Kafka.</summary>
    public int IndexIntervalBytes { get; init; } = 4096;

    /// <summary>
    /// How long a member may take to release a revoked partition before it is taken away; like Kafka's max.poll.interval.ms. One minute by
    /// default.
    /// </summary>
    public TimeSpan RevokeTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Where keyed state is kept, one store per partition of a group, in the folder's <c>stores</c>: on disk, for state larger than memory,
    /// <c>RocksDbStateStores.Open</c> for one. Null, the default, keeps it in memory. State that was in memory goes there at the next
    /// start; there is no way back. With it, a commit that changes state waits for the disk whatever the durability of its topics.
    /// </summary>
    public OpenStateStore? OpenStateStore { get; init; }

    internal void Validate()
    {
        Check(nameof(SegmentBytesMax), SegmentBytesMax, 4096, BytesMax);
        Check(nameof(JournalBytesMax), JournalBytesMax, 4096, BytesMax);
        Check(nameof(CommitBytesMax), CommitBytesMax, 1024, 256 << 20);
        Check(nameof(GroupBytesMax), GroupBytesMax, 1024, 256 << 20);
        Check(nameof(QueuedCommitsMax), QueuedCommitsMax, 1, 1_000_000);
        Check(nameof(IndexIntervalBytes), IndexIntervalBytes, 256, BytesMax);
        if (RevokeTimeout <= TimeSpan.Zero)
            throw new ArgumentException($"LogOptions.{nameof(RevokeTimeout)} is {RevokeTimeout}; it must be more than zero.");
    }

    private static void Check(string name, int value, int min, int max)
    {
        if (value < min || value > max) throw new ArgumentException($"LogOptions.{name} is {value}; {min} to {max} is possible.");
    }
}

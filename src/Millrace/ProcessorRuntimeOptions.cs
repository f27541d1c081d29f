using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace;

/// <summary>How a <see cref="ProcessorRuntime"/> works. Immutable; the defaults suit one process on one machine.</summary>
public sealed record ProcessorRuntimeOptions
{
    /// <summary>The clock of timers, back-off and deadlines. The system's by default.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where all loops run. The thread pool by default; a single-threaded scheduler makes a run repeatable.</summary>
    public TaskScheduler Scheduler { get; init; } = TaskScheduler.Default;

    /// <summary>About how many bytes one read takes, and so one call of a processor works on: 1 KiB to 64 MiB, 1 MiB by default.</summary>
    public int FetchBytesMax { get; init; } = 1 << 20;

    /// <summary>
    /// How many bytes one commit may gather (records read, records said, state changed) before it is made even though more is ready to be
    /// read: 1 KiB to 64 MiB, 4 MiB by default. A single call may go beyond it.
    /// </summary>
    public int CommitBytesMax { get; init; } = 4 << 20;

    /// <summary>
    /// How many records and timers one commit may gather before it is made: 1 to 10,000,000, 20,000 by default. A single call may go beyond
    /// it.
    /// </summary>
    public int CommitRecordsMax { get; init; } = 20_000;

    /// <summary>How many commits of one partition may be under way while the next records are processed: 1 to 64, 4 by default.</summary>
    public int CommitsInFlightMax { get; init; } = 4;

    /// <summary>
    /// How many bytes of one partition may be processed but not yet durable; above it nothing more is read: 1 KiB to 1 GiB, 16 MiB by
    /// default.
    /// </summary>
    public long UncommittedBytesMax { get; init; } = 16 << 20;

    /// <summary>
    /// How many bytes of all partitions of one processor may be processed but not yet durable; above it no partition begins another commit,
    /// and those that are being gathered are made: 1 KiB to 1 TiB, 128 MiB by default.
    /// </summary>
    public long ProcessorUncommittedBytesMax { get; init; } = 128 << 20;

    /// <summary>How many due timers fire before records are read again: 1 to 1,000,000, 1,000 by default.</summary>
    public int TimersPerRoundMax { get; init; } = 1_000;

    /// <summary>
    /// How many timers one partition may have pending, all of them in memory: 1 to 100,000,000, 1,000,000 by default. Setting one more
    /// fails with <see cref="FailureCodes.TooLarge"/>.
    /// </summary>
    public int TimersMax { get; init; } = 1_000_000;

    /// <summary>
    /// The pause before the first restart of a failed partition: 1 ms to 1 hour, 100 ms by default. It doubles with each failure in a row.
    /// </summary>
    public TimeSpan RestartBackoffMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause before a restart: from <see cref="RestartBackoffMin"/> to 1 hour, 30 s by default.</summary>
    public TimeSpan RestartBackoffMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Seeds the jitter of the pauses (each is shortened by up to a half). 0 by default; give each process of a group another one.
    /// </summary>
    public int Seed { get; init; }

    /// <summary>
    /// How long a stop waits for the batches in hand and their commits before it cancels them: 0 to 1 hour, 10 s by default.
    /// </summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a stop waits after it has cancelled, for processors that are slow to notice; then it leaves the group, which fences them,
    /// and returns. 0 to 1 hour, 2 s by default.
    /// </summary>
    public TimeSpan CancelGrace { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Where logs go; nowhere by default.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>
    /// Makes the meter <see cref="TelemetryNames.Meter"/>; null (the default) lets each runtime own a meter of that name.
    /// </summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>Throws an <see cref="ArgumentException"/> that names the option and its value when a limit is broken.</summary>
    public void Validate()
    {
        ArgumentNullException.ThrowIfNull(Time);
        ArgumentNullException.ThrowIfNull(Scheduler);
        ArgumentNullException.ThrowIfNull(LoggerFactory);
        Demand(nameof(FetchBytesMax), FetchBytesMax, 1 << 10, 64 << 20);
        Demand(nameof(CommitBytesMax), CommitBytesMax, 1 << 10, 64 << 20);
        Demand(nameof(CommitRecordsMax), CommitRecordsMax, 1, 10_000_000);
        Demand(nameof(CommitsInFlightMax), CommitsInFlightMax, 1, 64);
        Demand(nameof(UncommittedBytesMax), UncommittedBytesMax, 1 << 10, 1 << 30);
        Demand(nameof(ProcessorUncommittedBytesMax), ProcessorUncommittedBytesMax, 1 << 10, 1L << 40);
        Demand(nameof(TimersPerRoundMax), TimersPerRoundMax, 1, 1_000_000);
        Demand(nameof(TimersMax), TimersMax, 1, 100_000_000);
        Demand(nameof(RestartBackoffMin), RestartBackoffMin, TimeSpan.FromMilliseconds(1));
        Demand(nameof(RestartBackoffMax), RestartBackoffMax, RestartBackoffMin);
        Demand(nameof(StopDeadline), StopDeadline, TimeSpan.Zero);
        Demand(nameof(CancelGrace), CancelGrace, TimeSpan.Zero);
    }

    private static void Demand(string option, long value, long from, long to)
    {
        if (value < from || value > to) throw new ArgumentException($"{option} is {value}; it must be from {from} to {to}.");
    }

    private static void Demand(string option, TimeSpan value, TimeSpan from)
    {
        var to = TimeSpan.FromHours(1);
        if (value < from || value > to) throw new ArgumentException($"{option} is {value}; it must be from {from} to {to}.");
    }
}

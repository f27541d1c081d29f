using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Millrace.Relational;

/// <summary>
/// A database that sinks write to and series are read from. Rows and the position of what they came from are in one transaction, and an
/// owner of a partition that was replaced can write no more: exactly once, without two-phase commit. Thread safe. Dispose it after the
/// runtimes that use its processors.
/// </summary>
public abstract class SinkDatabase : IAsyncDisposable
{
    private readonly ILoggerFactory _loggers;
    private readonly Meter _meter;

    private protected SinkDatabase(ILoggerFactory loggers, IMeterFactory? meters)
    {
        _loggers = loggers;
        _meter = meters?.Create(TelemetryNames.Meter) ?? new Meter(TelemetryNames.Meter);
    }

    /// <summary>
    /// The processor that keeps a sink. Its state is what the database's positions were; it has a topic of dead letters beside each topic
    /// that it reads.
    /// </summary>
    /// <exception cref="ArgumentException">The sink breaks a rule.</exception>
    public Processor CreateProcessor(Sink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        sink.Validate();
        var log = _loggers.CreateLogger("Millrace.Relational.Sink");
        var meter = new SinkMeter(sink.Name, _meter);
        return new Processor
        {
            Name = sink.Name,
            Topics = sink.Topics,
            Companions = [.. sink.Topics.Select(DeadLetters.CompanionOf)],
            Create = scope => new PartitionSink(sink, this, scope, log, meter),
        };
    }

    /// <summary>Reads a series of a table.</summary>
    /// <exception cref="ArgumentException">The table breaks a rule or has no time column.</exception>
    public SeriesReader CreateSeriesReader(Table table)
    {
        ArgumentNullException.ThrowIfNull(table);
        table.Validate();
        return new SeriesReader(this, table);
    }

    /// <summary>Closes the database's connections. Calls under way fail.</summary>
    public abstract ValueTask DisposeAsync();

    /// <summary>Creates what is missing: the sinks' own tables and the table, its partitions and policies.</summary>
    internal abstract ValueTask PrepareAsync(Table table, DateTimeOffset now, CancellationToken cancellation);

    /// <summary>Drops what is past its retention and makes partitions ahead.</summary>
    internal abstract ValueTask KeepUpAsync(Table table, DateTimeOffset now, CancellationToken cancellation);

    /// <summary>Makes an owner the partition's only one and tells where it is.</summary>
    /// <param name="owner">Who.</param>
    /// <param name="from">
    /// The engine's position: where a new sink begins. Refusals below it are dead letters for good and are forgotten.
    /// </param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="MillraceException"><see cref="FailureCodes.Fenced"/> when there is a newer owner.</exception>
    internal abstract ValueTask<Claim> ClaimAsync(SinkOwner owner, long from, CancellationToken cancellation);

    /// <summary>Writes rows and position in one transaction and tells which records were refused.</summary>
    /// <exception cref="MillraceException">
    /// <see cref="FailureCodes.Fenced"/>, <see cref="FailureCodes.CommitAborted"/> when the position is not the expected one, <see
    /// cref="FailureCodes.DiskFull"/>, <see cref="FailureCodes.Unreachable"/>.
    /// </exception>
    internal abstract ValueTask<IReadOnlyList<Refusal>> WriteAsync(SinkBatch batch, CancellationToken cancellation);

    /// <summary>Reads a series.</summary>
    internal abstract ValueTask<IReadOnlyList<SeriesBucket>> ReadAsync(Table table, SeriesQuery query, CancellationToken cancellation);
}

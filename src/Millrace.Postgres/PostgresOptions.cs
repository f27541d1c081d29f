using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace.Postgres;

/// <summary>Where a PostgreSQL database is and how it is used.</summary>
public sealed record PostgresOptions
{
    /// <summary>
    /// Npgsql's connection string. It may hold a password: it is never logged and no part of <see cref="ToString"/>. Its time-outs, pool
    /// size and time zone are replaced by what stands here.
    /// </summary>
    public required string ConnectionString { get; init; }

    /// <summary>The most connections; a partition that writes uses one. 16 by default, 1 to 1,000.</summary>
    public int ConnectionsMax { get; init; } = 16;

    /// <summary>
    /// How long a connection may take to open, or be waited for in the pool. 5 seconds by default, whole seconds, to an hour.
    /// </summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one statement may take, until it counts as failed. 30 seconds by default, whole seconds, to an hour.</summary>
    public TimeSpan StatementTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How many partitions beyond the present one are made ahead, on a server without TimescaleDB. 2 by default, 0 to 100.
    /// </summary>
    public int PartitionsAhead { get; init; } = 2;

    /// <summary>Makes loggers. None by default.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Makes the meter. Without it a meter of its own is used.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>The options without the connection string.</summary>
    public override string ToString() =>
        $"{nameof(PostgresOptions)} {{ {nameof(ConnectionsMax)} = {ConnectionsMax}, {nameof(ConnectTimeout)} = {ConnectTimeout}, " +
        $"{nameof(StatementTimeout)} = {StatementTimeout}, {nameof(PartitionsAhead)} = {PartitionsAhead} }}";

    /// <summary>Throws an <see cref="ArgumentException"/> that names what is wrong, if anything is.</summary>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(ConnectionString);
        if (ConnectionsMax is < 1 or > 1000) throw new ArgumentException($"{nameof(ConnectionsMax)} {ConnectionsMax} is not 1 to 1,000.");
        if (PartitionsAhead is < 0 or > 100) throw new ArgumentException($"{nameof(PartitionsAhead)} {PartitionsAhead} is not 0 to 100.");
        DemandTimeout(nameof(ConnectTimeout), ConnectTimeout);
        DemandTimeout(nameof(StatementTimeout), StatementTimeout);
    }

    private static void DemandTimeout(string name, TimeSpan timeout)
    {
        if (timeout < TimeSpan.FromSeconds(1) || timeout > TimeSpan.FromHours(1))
            throw new ArgumentException($"{name} {timeout} is not a second to an hour.");
    }
}

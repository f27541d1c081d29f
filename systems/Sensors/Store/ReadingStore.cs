using Millrace;
using Millrace.Postgres;
using Millrace.Relational;
using Millrace.Sqlite;
using Sensors.Averages;
using Sensors.Readings;

namespace Sensors.Store;

/// <summary>
/// The time-series store: validated readings and minutes as tables, each written exactly once by a sink, and the series that are read from
/// them.
/// </summary>
internal static class ReadingStore
{
    /// <summary>The groups of the sinks.</summary>
    public const string ReadingsSink = "sensors-store-readings";
    public const string MinutesSink = "sensors-store-minutes";

    /// <summary>Adds the database, its sinks and the reader of series; nothing without a store.</summary>
    public static void AddReadingStore(this IServiceCollection services, SensorsOptions options)
    {
        if (options.Store == SeriesStore.None) return;
        var readings = Readings(options.Retention);
        services.AddSingleton<SinkDatabase>(provider => Open(options, provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton(provider => provider.GetRequiredService<SinkDatabase>().CreateSeriesReader(readings));
    }

    /// <summary>Adds the sinks to the runtime.</summary>
    public static MillraceBuilder AddReadingSinks(this MillraceBuilder millrace, SensorsOptions options)
    {
        if (options.Store == SeriesStore.None) return millrace;
        var codec = new ReadingCodec(ReadingTypes.Validated);
        return millrace
            .AddProcessor(provider => provider.GetRequiredService<SinkDatabase>().CreateProcessor(new Sink
            {
                Name = ReadingsSink,
                Topics = [ReadingTopics.Validated],
                Table = Readings(options.Retention),
                Map = (source, in record, rows) =>
                {
                    if (!codec.TryRead(record, out var reading, out _, out var reason))
                        throw new MillraceException(FailureCodes.NotAnEvent, reason);
                    rows.Add(reading.DeviceId, EventClock.Time(reading.Time), reading.Value);
                },
            }))
            .AddProcessor(provider => provider.GetRequiredService<SinkDatabase>().CreateProcessor(new Sink
            {
                Name = MinutesSink,
                Topics = [AverageTopics.Enriched],
                Table = Minutes(options.Retention),
                Map = (source, in record, rows) =>
                {
                    var minute = (MinuteAverage)provider.GetRequiredService<EventRegistry>().Read(EventCodec.Read(record));
                    rows.Add(
                        minute.DeviceId, minute.WindowStart, minute.Zone, minute.Count, minute.Min, minute.Max, minute.Mean, minute.Last);
                },
            }));
    }

    private static Table Readings(TimeSpan? retention) => new()
    {
        Name = "readings",
        Columns = [new("device", ColumnType.Text), new("time", ColumnType.Time), new("value", ColumnType.Real)],
        Key = ["device", "time"],
        TimeColumn = "time",
        Retention = retention,
    };

    private static Table Minutes(TimeSpan? retention) => new()
    {
        Name = "minutes",
        Columns =
        [
            new("device", ColumnType.Text), new("time", ColumnType.Time), new("zone", ColumnType.Text), new("count", ColumnType.Whole),
            new("min", ColumnType.Real), new("max", ColumnType.Real), new("mean", ColumnType.Real), new("last", ColumnType.Real),
        ],
        Key = ["device", "time"],
        TimeColumn = "time",
        Retention = retention,
    };

    private static SinkDatabase Open(SensorsOptions options, ILoggerFactory loggers) => options.Store switch
    {
        SeriesStore.Sqlite => new SqliteDatabase(
            new SqliteOptions { Path = Path.Combine(options.DataDirectory, "series.db"), LoggerFactory = loggers }),
        SeriesStore.Postgres => new PostgresDatabase(new PostgresOptions { ConnectionString = options.Postgres!, LoggerFactory = loggers }),
        _ => throw new InvalidOperationException($"Unknown store {options.Store}."),
    };
}

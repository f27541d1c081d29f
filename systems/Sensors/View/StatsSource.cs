using Millrace;
using Millrace.Streams;
using Sensors.Api;
using Sensors.Averages;
using Sensors.Readings;

namespace Sensors.View;

/// <summary>Puts the platform's numbers together: from the topics, the view, the groups' lags and the streams. Thread safe.</summary>
internal sealed class StatsSource(
    Engine engine, SensorsView view, RunningTopology streams, ProcessorRuntime runtime, SensorsOptions options, TimeProvider time)
    : IDisposable
{
    /// <summary>So long an answer stands for all who ask: a hundred pages cost what one does.</summary>
    private static readonly TimeSpan FreshFor = TimeSpan.FromMilliseconds(500);

    /// <summary>One asks, the others wait for the answer.</summary>
    private readonly SemaphoreSlim _turn = new(1, 1);
    private SensorsStats? _latest;
    private long _at;

    /// <summary>The numbers, at most half a second old.</summary>
    public async ValueTask<SensorsStats> ReadAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (_latest is not null && time.GetElapsedTime(_at) < FreshFor) return _latest;
            _latest = await MakeAsync(cancellation);
            _at = time.GetTimestamp();
            return _latest;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    /// <summary>What a replay came to; the view has to have caught up.</summary>
    /// <param name="malformed">Lines that were no readings.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public async ValueTask<RunReport> ReportAsync(long malformed, CancellationToken cancellation)
    {
        var stats = await MakeAsync(cancellation);
        var rejected = stats.Rejected;
        if (malformed > 0) rejected[Simulation.SeriesReplay.Malformed] = malformed;
        var accepted = WrittenTo(ReadingTopics.Validated, streams.Explain());
        var (alerts, _) = view.ListAlerts(_ => true, 1, int.MaxValue);
        return new RunReport
        {
            Readings = accepted + rejected.Values.Sum(),
            Accepted = accepted,
            Rejected = rejected,
            Late = stats.Late,
            Windows = stats.Windows,
            Alerts =
            [
                .. alerts.OrderBy(alert => alert.Start).ThenBy(alert => alert.AlertId, StringComparer.Ordinal)
                    .Select(alert => new EpisodeAnswer(alert.DeviceId, alert.Kind, alert.Severity, alert.Start, alert.End)),
            ],
        };
    }

    private async ValueTask<SensorsStats> MakeAsync(CancellationToken cancellation)
    {
        var topics = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var name in Topology.Topics)
        {
            var topic = await engine.FindTopicAsync(name, cancellation);
            topics[name] = topic?.Partitions.Sum(partition => partition.EndOffset) ?? 0;
        }

        var lag = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var status in runtime.Statuses)
            lag[status.Processor] = (await engine.DescribeLagAsync(status.Processor, cancellation)).Sum(partition => partition.Lag);
        var (devices, alerts, rejected) = view.Count();
        var explained = streams.Explain();
        var watermark = Watermark(explained);
        return new SensorsStats
        {
            Devices = devices,
            Alerts = alerts,
            Rejected = rejected,
            Late = WrittenTo(ReadingTopics.Late, explained),
            Windows = WrittenTo(AverageTopics.Enriched, explained),
            Topics = topics,
            Lag = lag,
            Watermark = watermark,
            EventTimeLagSeconds = options.IsReplay || watermark is null
                ? null
                : Math.Round((time.GetUtcNow() - watermark.Value).TotalSeconds, 1),
        };
    }

    /// <summary>How many records the streams wrote to a topic from here, by their own count: offsets have gaps on Kafka.</summary>
    private static long WrittenTo(string topic, TopologyStatus explained) => explained.Stages.SelectMany(stage => stage.Operators)
        .Where(one => one.Name.EndsWith($": output {topic}", StringComparison.Ordinal))
        .Sum(one => one.Sum(status => status.RecordsWritten));

    /// <summary>The least of the readings' partitions that have had one and are not idle; null when there is none.</summary>
    private static DateTimeOffset? Watermark(TopologyStatus explained)
    {
        var source = explained.Stages.SelectMany(stage => stage.Operators)
            .FirstOrDefault(one => one.Name.Contains(ReadingTopics.Raw, StringComparison.Ordinal));
        return source is { Awake: > 0 } ? EventClock.Time(source.Slowest.Watermark) : null;
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Millrace.Relational;

/// <summary>The instruments of one sink. Thread safe.</summary>
internal sealed class SinkMeter(string sink, Meter meter)
{
    private readonly Counter<long> _rows = meter.CreateCounter<long>(SinkTelemetryNames.Rows, "{row}", "Rows committed.");

    private readonly Counter<long> _skipped =
        meter.CreateCounter<long>(SinkTelemetryNames.Skipped, "{record}", "Records that the database has already.");

    private readonly Counter<long> _deadLetters =
        meter.CreateCounter<long>(SinkTelemetryNames.DeadLetters, "{record}", "Records said to the dead letters.");

    private readonly Histogram<double> _duration =
        meter.CreateHistogram<double>(SinkTelemetryNames.WriteDuration, "s", "How long one database transaction took.");

    public void Wrote(string topic, long rows, TimeSpan duration)
    {
        _rows.Add(rows, Tags(topic));
        _duration.Record(duration.TotalSeconds, Tags(topic));
    }

    public void Skipped(string topic, long records) => _skipped.Add(records, Tags(topic));

    public void DeadLettered(string topic, long records) => _deadLetters.Add(records, Tags(topic));

    private TagList Tags(string topic) => new()
    {
        { TelemetryNames.ConsumerGroup, sink },
        { TelemetryNames.Destination, topic },
    };
}

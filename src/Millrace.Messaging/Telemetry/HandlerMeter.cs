using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Millrace.Messaging;

/// <summary>The instruments of one group. Counters are added to once per batch. Thread safe.</summary>
internal sealed class HandlerMeter
{
    private readonly string _group;
    private readonly Counter<long> _handled;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _deadLetters;
    private readonly Counter<long> _forgottenEarly;
    private readonly Histogram<double> _duration;

    private HandlerMeter(string group, Meter meter)
    {
        _group = group;
        _handled = meter.CreateCounter<long>(HandlerTelemetryNames.Handled, "{event}", "Events handled with success.");
        _duplicates = meter.CreateCounter<long>(
            HandlerTelemetryNames.Duplicates, "{event}", "Events passed over because they had been handled before.");
        _retries = meter.CreateCounter<long>(HandlerTelemetryNames.Retries, "{attempt}", "Second and further attempts.");
        _deadLetters = meter.CreateCounter<long>(HandlerTelemetryNames.DeadLetters, "{record}", "Records given up.");
        _forgottenEarly = meter.CreateCounter<long>(
            HandlerTelemetryNames.ForgottenEarly, "{event}", "Events forgotten before their time because too many are remembered.");
        _duration = meter.CreateHistogram<double>(HandlerTelemetryNames.Duration, "s", "How long one attempt took.");
    }

    public bool MeasuresDuration => _duration.Enabled;

    /// <summary>With the host's meter factory where there is one. A meter of its own lives as long as the process.</summary>
    public static HandlerMeter Create(string group, IServiceProvider? services)
    {
        var factory = services?.GetService(typeof(IMeterFactory)) as IMeterFactory;
        return new HandlerMeter(group, factory?.Create(TelemetryNames.Meter) ?? new Meter(TelemetryNames.Meter));
    }

    public void Attempted(string topic, TimeSpan duration) => _duration.Record(duration.TotalSeconds, Tags(topic));

    public void ForgotEarly(int events) =>
        _forgottenEarly.Add(events, new KeyValuePair<string, object?>(TelemetryNames.ConsumerGroup, _group));

    public void Count(string topic, ref HandlerCounts counts)
    {
        var tags = Tags(topic);
        if (counts.Handled > 0) _handled.Add(counts.Handled, tags);
        if (counts.Duplicates > 0) _duplicates.Add(counts.Duplicates, tags);
        if (counts.Retries > 0) _retries.Add(counts.Retries, tags);
        if (counts.DeadLetters > 0) _deadLetters.Add(counts.DeadLetters, tags);
        counts = default;
    }

    private TagList Tags(string topic) => new()
    {
        { TelemetryNames.ConsumerGroup, _group },
        { TelemetryNames.Destination, topic },
    };
}

/// <summary>What one batch adds to the counters.</summary>
internal struct HandlerCounts
{
    public long Handled;
    public long Duplicates;
    public long Retries;
    public long DeadLetters;
}

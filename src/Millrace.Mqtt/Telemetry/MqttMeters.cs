using System.Diagnostics;
using System.Diagnostics.Metrics;
using Millrace.Mqtt.Intake;

namespace Millrace.Mqtt.Telemetry;

/// <summary>The instruments of one source. Thread safe.</summary>
internal sealed class MqttMeters : IDisposable
{
    private readonly Meter? _ownMeter;
    private readonly TagList _tags;
    private readonly Counter<long> _taken;
    private readonly Counter<long> _duplicates;
    private readonly Counter<long> _retainedPassed;
    private readonly Counter<long> _deadLetters;
    private readonly Counter<long> _restarts;
    private readonly Histogram<double> _commitDuration;
    private readonly UpDownCounter<long> _waiting;

    public MqttMeters(string source, IMeterFactory? factory)
    {
        if (factory is null) _ownMeter = new Meter(TelemetryNames.Meter);
        var meter = _ownMeter ?? factory!.Create(TelemetryNames.Meter);
        _tags = [new(TelemetryNames.System, TelemetryNames.SystemMillrace), new(TelemetryNames.ConsumerGroup, source)];
        _taken = meter.CreateCounter<long>(MqttTelemetryNames.Taken, "{message}", "Messages taken and durable.");
        _duplicates = meter.CreateCounter<long>(MqttTelemetryNames.Duplicates, "{message}", "Messages that had been taken before.");
        _retainedPassed = meter.CreateCounter<long>(MqttTelemetryNames.RetainedPassed, "{message}", "Retained messages passed over.");
        _deadLetters = meter.CreateCounter<long>(MqttTelemetryNames.DeadLetters, "{message}", "Messages that could not be taken.");
        _restarts = meter.CreateCounter<long>(MqttTelemetryNames.Restarts, "{restart}", "Restarts after a failure.");
        _commitDuration = meter.CreateHistogram<double>(
            MqttTelemetryNames.CommitDuration, "s", "From the call of a commit to its durability.");
        _waiting = meter.CreateUpDownCounter<long>(MqttTelemetryNames.Waiting, "{message}", "Messages that wait for their commit.");
    }

    public void Committed(in Tally tally, TimeSpan duration)
    {
        _taken.Add(tally.Taken, _tags);
        _duplicates.Add(tally.Duplicates, _tags);
        _retainedPassed.Add(tally.RetainedPassed, _tags);
        _deadLetters.Add(tally.DeadLetters, _tags);
        _commitDuration.Record(duration.TotalSeconds, _tags);
    }

    public void Waiting(int change) => _waiting.Add(change, _tags);

    public void Restarted() => _restarts.Add(1, _tags);

    /// <summary>A meter made by a factory is the factory's to dispose.</summary>
    public void Dispose() => _ownMeter?.Dispose();
}

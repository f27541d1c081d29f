using Millrace.Streams;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors.Alerts;

/// <summary>
/// Runs the watch of each device on the streams: readings, descriptions of devices and acknowledgements in, steps of alerts out.
/// </summary>
/// <param name="isByEventTime">Whether silence is judged by event time instead of by the clock.</param>
internal sealed class WatchReadings(bool isByEventTime) : ProcessFunction<string, object, AlertEvent>
{
    private const string Silence = "silence";

    private readonly Watch _watch = new(isByEventTime);
    private ValueState<DeviceWatch> _devices = null!;

    private TimerKind Clock => isByEventTime ? TimerKind.EventTime : TimerKind.ProcessingTime;

    /// <summary>The device that a record is about.</summary>
    public static string DeviceOf(object value) => value switch
    {
        SensorReading reading => reading.DeviceId,
        DeviceDescribed described => described.DeviceId,
        AcknowledgeAlert command => command.DeviceId,
        _ => throw new InvalidOperationException($"There is no device in a {value.GetType().Name}."),
    };

    /// <inheritdoc/>
    public override void Open(StateDeclarations states) =>
        _devices = states.Value("watch", new StateOptions<DeviceWatch> { Codec = WatchCodec.Codec });

    /// <inheritdoc/>
    public override void OnRecord(object value, ProcessContext<string, AlertEvent> context)
    {
        var watch = _devices.Value ?? new DeviceWatch();
        switch (value)
        {
            case SensorReading reading:
                _watch.OnReading(watch, reading, context.Now);
                Say(watch, context);
                Arm(watch, _watch.SilenceDue(watch), context);
                break;
            case DeviceDescribed described:
                watch.Described = described;
                watch.Zone = described.Zone ?? watch.Zone;
                Arm(watch, _watch.SilenceDue(watch), context);
                break;
            case AcknowledgeAlert command:
                _watch.OnAcknowledge(watch, command);
                Say(watch, context);
                break;
            default:
                throw new InvalidOperationException($"A {value.GetType().Name} is nothing to watch.");
        }

        _devices.Value = watch;
    }

    /// <inheritdoc/>
    public override void OnTimer(StreamTimer timer, ProcessContext<string, AlertEvent> context)
    {
        if (_devices.Value is not { } watch || watch.SilenceDue != timer.Time) return;
        watch.SilenceDue = 0;
        var next = _watch.OnSilence(watch, timer.Time);
        Say(watch, context);
        Arm(watch, next, context);
        _devices.Value = watch;
    }

    /// <summary>
    /// One timer per device is enough: a reading does not move it, it looks again when it fires. Only one that comes sooner replaces it.
    /// </summary>
    private void Arm(DeviceWatch watch, long? due, ProcessContext<string, AlertEvent> context)
    {
        if (due is not { } time || (watch.SilenceDue != 0 && watch.SilenceDue <= time)) return;
        if (watch.SilenceDue != 0) context.CancelTimer(Clock, Silence, watch.SilenceDue);
        watch.SilenceDue = time;
        context.SetTimer(Clock, Silence, time);
    }

    private void Say(DeviceWatch watch, ProcessContext<string, AlertEvent> context)
    {
        foreach (var change in _watch.Changes) context.Say(Event(context.Key, watch, change));
    }

    private static AlertEvent Event(string device, DeviceWatch watch, in AlertChange change)
    {
        var alert = change.Alert;
        var content = new AlertEvent.Content
        {
            AlertId = Watch.IdOf(device, alert),
            DeviceId = device,
            Zone = watch.Zone,
            SensorType = watch.SensorType,
            Kind = AlertKinds.All[(int)alert.Kind],
            Severity = alert.IsCritical ? Severities.Critical : Severities.Warning,
            Reason = alert.Reason,
            Value = change.Value,
            Peak = alert.Peak,
            Limit = alert.Limit,
            Start = EventClock.Time(alert.Start),
            Updated = EventClock.Time(change.Time),
            End = change.Step == AlertStep.Cleared ? EventClock.Time(change.Time) : null,
            AcknowledgedBy = alert.AcknowledgedBy,
            AcknowledgedAt = alert.AcknowledgedAt,
            Note = alert.Note,
        };
        return change.Step switch
        {
            AlertStep.Raised => new AlertEvent.Raised(content),
            AlertStep.Changed => new AlertEvent.Changed(content),
            AlertStep.Cleared => new AlertEvent.Cleared(content),
            AlertStep.Acknowledged => new AlertEvent.Acknowledged(content),
            _ => throw new InvalidOperationException($"Unknown step {change.Step}."),
        };
    }
}

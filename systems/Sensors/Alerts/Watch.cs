using System.Globalization;
using Sensors.Readings;

namespace Sensors.Alerts;

/// <summary>What happened to an alert.</summary>
internal enum AlertStep
{
    Raised = 0,
    Changed = 1,
    Cleared = 2,
    Acknowledged = 3,
}

/// <summary>A step of an alert, to be said.</summary>
/// <param name="Step">What happened.</param>
/// <param name="Alert">The alert by then.</param>
/// <param name="Time">The event time of the step.</param>
/// <param name="Value">The value that led to it; null for a silent device.</param>
internal readonly record struct AlertChange(AlertStep Step, OpenAlert Alert, long Time, double? Value);

/// <summary>How a device's values are held against its own history.</summary>
/// <param name="Horizon">How far the baseline reaches back.</param>
/// <param name="Smoothing">How long a deviation must last to count.</param>
/// <param name="WarmUp">How long to learn first.</param>
internal sealed record BaselineScale(TimeSpan Horizon, TimeSpan Smoothing, TimeSpan WarmUp);

/// <summary>
/// What is unusual of a device: limits with hysteresis, silence, rate of change, and deviation from its own history. A state machine
/// without input or output: (what is remembered, a reading) to (what is remembered, steps of alerts). It judges readings in the order of
/// their event time; one that is older than the latest is no news and passed over. Not thread safe.
/// </summary>
/// <param name="isByEventTime">Whether silence is judged by event time, as in a replay, instead of by the clock.</param>
internal sealed class Watch(bool isByEventTime)
{
    /// <summary>Three standard deviations, the usual bound of statistical process control; one ends the episode.</summary>
    public const double Enter = 3;
    public const double Leave = 1;

    /// <summary>A scale says nothing of a device that has fewer readings within its horizon.</summary>
    public const int BaselineReadingsMin = 100;

    /// <summary>A change is measured over at least so long: between two readings next to each other it is mostly noise.</summary>
    private const long RateOverMin = 30_000;

    /// <summary>An episode that gets worse is said again no sooner.</summary>
    private const long UpdateMin = 60_000;

    /// <summary>What silence is for a device of an unknown type: so many times its usual interval, and twice its longest gap.</summary>
    private const double SilenceIntervals = 10;
    private const double SilenceGaps = 2;
    private const long SilenceReadingsMin = 20;
    private const long SilenceMin = 60_000;

    private const double IntervalWeight = 0.05;

    /// <summary>Hours for devices that send every few seconds; weeks for those that send every few minutes or hours.</summary>
    public static IReadOnlyList<BaselineScale> Scales { get; } =
    [
        new(TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(10)),
        new(TimeSpan.FromDays(14), TimeSpan.FromHours(3), TimeSpan.FromDays(3)),
    ];

    private readonly List<AlertChange> _changes = [];

    /// <summary>The steps of the last call.</summary>
    public IReadOnlyList<AlertChange> Changes => _changes;

    /// <summary>A reading came.</summary>
    /// <param name="watch">What is remembered.</param>
    /// <param name="reading">The reading.</param>
    /// <param name="now">The clock.</param>
    public void OnReading(DeviceWatch watch, SensorReading reading, long now)
    {
        _changes.Clear();
        watch.LastArrival = now;
        if (reading.Time <= watch.LastTime) return;
        watch.SensorType = reading.SensorType;
        watch.Zone = watch.Described?.Zone ?? reading.Zone;
        var rules = SensorRules.Of(reading.SensorType);
        JudgeSilence(watch, reading);
        JudgeLimits(watch, reading, rules);
        JudgeRate(watch, reading, rules);
        JudgeHistory(watch, reading);
        Learn(watch, reading);
    }

    /// <summary>
    /// The timer for silence is due. Says when it is due next; null when nothing is to be waited for until a reading comes.
    /// </summary>
    /// <param name="watch">What is remembered.</param>
    /// <param name="due">What it was set for.</param>
    public long? OnSilence(DeviceWatch watch, long due)
    {
        _changes.Clear();
        if (SilenceAfter(watch) is not { } after || watch.Open[(int)AlertKind.MissingData] is not null) return null;
        var next = (isByEventTime ? watch.LastTime : watch.LastArrival) + after;
        if (next > due) return next;
        RaiseSilence(watch, after);
        return null;
    }

    /// <summary>When the timer for silence is due after a reading; null for never.</summary>
    public long? SilenceDue(DeviceWatch watch) =>
        SilenceAfter(watch) is { } after ? (isByEventTime ? watch.LastTime : watch.LastArrival) + after : null;

    /// <summary>Somebody takes an alert on.</summary>
    /// <param name="watch">What is remembered.</param>
    /// <param name="command">Which alert, and who.</param>
    public void OnAcknowledge(DeviceWatch watch, AcknowledgeAlert command)
    {
        _changes.Clear();
        foreach (var alert in watch.Open)
        {
            if (alert is null || IdOf(command.DeviceId, alert) != command.AlertId) continue;
            Keep(watch, alert with { AcknowledgedBy = command.By, AcknowledgedAt = command.At, Note = command.Note });
            _changes.Add(new AlertChange(AlertStep.Acknowledged, watch.Open[(int)alert.Kind]!, watch.LastTime, watch.LastValue));
            return;
        }
    }

    /// <summary>An alert's id: its device, kind and start.</summary>
    public static string IdOf(string device, OpenAlert alert) =>
        string.Create(CultureInfo.InvariantCulture, $"{device}~{AlertKinds.All[(int)alert.Kind].ToLowerInvariant()}~{alert.Start}");

    private static long? SilenceAfter(DeviceWatch watch)
    {
        if (watch.LastTime == DeviceWatch.Never) return null;
        if (watch.Described?.SilentAfterSeconds is { } seconds) return (long)(seconds * 1_000);
        if (SensorRules.Of(watch.SensorType).SilentAfter is { } after) return (long)after.TotalMilliseconds;
        return watch.Count < SilenceReadingsMin
            ? null
            : Math.Max(SilenceMin, (long)Math.Max(SilenceIntervals * watch.Interval, SilenceGaps * watch.LongestGap));
    }

    private static AlertLimits LimitsOf(DeviceWatch watch, SensorRules rules) => watch.Described is { } said
        ? new AlertLimits(
            said.CriticalLow ?? rules.Limits.CriticalLow, said.Low ?? rules.Limits.Low,
            said.High ?? rules.Limits.High, said.CriticalHigh ?? rules.Limits.CriticalHigh)
        : rules.Limits;

    /// <summary>
    /// A reading ends a silence. By event time the reading itself may be what tells of the silence before it: the watermark comes after it.
    /// </summary>
    private void JudgeSilence(DeviceWatch watch, SensorReading reading)
    {
        if (watch.Open[(int)AlertKind.MissingData] is null && isByEventTime
            && SilenceAfter(watch) is { } after && reading.Time - watch.LastTime > after)
            RaiseSilence(watch, after);
        if (watch.Open[(int)AlertKind.MissingData] is { } open) Clear(watch, open, reading);
    }

    private void RaiseSilence(DeviceWatch watch, long after)
    {
        var start = watch.LastTime + after;
        var seconds = after / 1_000.0;
        Raise(watch, null, new OpenAlert
        {
            Kind = AlertKind.MissingData,
            IsCritical = false,
            Side = 0,
            Start = start,
            Updated = start,
            Peak = seconds,
            Limit = seconds,
            Reason = Say($"no reading for {seconds:0.###} s"),
        });
    }

    private void JudgeLimits(DeviceWatch watch, SensorReading reading, SensorRules rules)
    {
        var limits = LimitsOf(watch, rules);
        var value = reading.Value;
        if (watch.Open[(int)AlertKind.Threshold] is { } open)
        {
            var isOver = open.Side > 0
                ? limits.High is not { } high || value <= high - rules.Hysteresis
                : limits.Low is not { } low || value >= low + rules.Hysteresis;
            if (!isOver)
            {
                Worsen(watch, open, reading, value, open.Side > 0 ? value > limits.CriticalHigh : value < limits.CriticalLow);
                return;
            }

            Clear(watch, open, reading);
        }

        var side = value > limits.High ? 1 : value < limits.Low ? -1 : 0;
        if (side == 0) return;
        var limit = (side > 0 ? limits.High : limits.Low)!.Value;
        Raise(watch, reading, new OpenAlert
        {
            Kind = AlertKind.Threshold,
            IsCritical = side > 0 ? value > limits.CriticalHigh : value < limits.CriticalLow,
            Side = side,
            Start = reading.Time,
            Updated = reading.Time,
            Peak = value,
            Limit = limit,
            Reason = Say($"the value {value:0.###} is {(side > 0 ? "above" : "below")} {limit:0.###}"),
        });
    }

    private void JudgeRate(DeviceWatch watch, SensorReading reading, SensorRules rules)
    {
        if (rules.RateMax is not { } limit || watch.OlderTime == DeviceWatch.Never || reading.Time - watch.OlderTime < RateOverMin) return;
        var rate = (reading.Value - watch.OlderValue) / (reading.Time - watch.OlderTime) * 60_000;
        if (watch.Open[(int)AlertKind.RateOfChange] is { } open)
        {
            if (Math.Abs(rate) > limit / 2) Worsen(watch, open, reading, rate, Math.Abs(rate) > 2 * limit);
            else Clear(watch, open, reading);
            return;
        }

        if (Math.Abs(rate) <= limit) return;
        Raise(watch, reading, new OpenAlert
        {
            Kind = AlertKind.RateOfChange,
            IsCritical = Math.Abs(rate) > 2 * limit,
            Side = Math.Sign(rate),
            Start = reading.Time,
            Updated = reading.Time,
            Peak = rate,
            Limit = limit,
            Reason = Say($"the value changes by {rate:0.###} a minute, beyond {limit:0.###}"),
        });
    }

    private void JudgeHistory(DeviceWatch watch, SensorReading reading)
    {
        for (var scale = 0; scale < Scales.Count; scale++)
        {
            var deviation = Follow(watch, reading, scale);
            if (deviation is not { } z) continue;
            if (watch.Open[(int)AlertKind.ZScore] is { } open)
            {
                if (open.Scale != scale) continue;
                if (Math.Abs(z) >= Leave) Worsen(watch, open, reading, z, Math.Abs(z) > 2 * Enter);
                else Clear(watch, open, reading);
                continue;
            }

            if (Math.Abs(z) < Enter) continue;
            Raise(watch, reading, new OpenAlert
            {
                Kind = AlertKind.ZScore,
                IsCritical = Math.Abs(z) > 2 * Enter,
                Side = Math.Sign(z),
                Scale = scale,
                Start = reading.Time,
                Updated = reading.Time,
                Peak = z,
                Limit = Enter,
                Reason = Say($"the mean of {Span(Scales[scale].Smoothing)} is {Math.Abs(z):0.#} standard deviations ")
                    + $"{(z > 0 ? "above" : "below")} that of {Span(Scales[scale].Horizon)}",
            });
        }
    }

    /// <summary>
    /// Takes a value into a baseline; how far the recent mean was from the mean of before, in standard deviations, once enough is known.
    /// </summary>
    private static double? Follow(DeviceWatch watch, SensorReading reading, int scale)
    {
        var (baseline, settings) = (watch.Baselines[scale], Scales[scale]);
        if (baseline.Since == DeviceWatch.Never)
        {
            baseline.Since = reading.Time;
            baseline.Mean = baseline.Recent = reading.Value;
            return null;
        }

        double step = reading.Time - watch.LastTime;
        double known = reading.Time - baseline.Since;
        baseline.Recent += (1 - Math.Exp(-step / settings.Smoothing.TotalMilliseconds)) * (reading.Value - baseline.Recent);
        double? deviation = known >= settings.WarmUp.TotalMilliseconds && watch.Count >= BaselineReadingsMin
            && settings.Horizon.TotalMilliseconds >= BaselineReadingsMin * watch.Interval && baseline.Variance > 0
            ? (baseline.Recent - baseline.Mean) / Math.Sqrt(baseline.Variance)
            : null;

        // Until the horizon is filled, all that is known counts alike (West 1979, weighted by time).
        var weight = 1 - Math.Exp(-step / Math.Min(settings.Horizon.TotalMilliseconds, known));
        var distance = reading.Value - baseline.Mean;
        baseline.Mean += weight * distance;
        baseline.Variance = (1 - weight) * (baseline.Variance + (weight * distance * distance));
        return deviation;
    }

    private static void Learn(DeviceWatch watch, SensorReading reading)
    {
        if (watch.LastTime != DeviceWatch.Never)
        {
            var gap = reading.Time - watch.LastTime;
            watch.LongestGap = Math.Max(watch.LongestGap, gap);
            watch.Interval = watch.Count == 1
                ? gap
                : watch.Interval + (IntervalWeight * (Math.Min(gap, SilenceIntervals * watch.Interval) - watch.Interval));
        }

        if (watch.NewerTime == DeviceWatch.Never || reading.Time - watch.NewerTime >= RateOverMin)
        {
            (watch.OlderTime, watch.OlderValue) = (watch.NewerTime, watch.NewerValue);
            (watch.NewerTime, watch.NewerValue) = (reading.Time, reading.Value);
        }

        (watch.LastTime, watch.LastValue) = (reading.Time, reading.Value);
        watch.Count++;
    }

    private void Raise(DeviceWatch watch, SensorReading? reading, OpenAlert alert)
    {
        Keep(watch, alert);
        _changes.Add(new AlertChange(AlertStep.Raised, alert, alert.Start, reading?.Value));
    }

    /// <summary>An episode goes on: said again when it became critical, or got worse and was not said for a while.</summary>
    private void Worsen(DeviceWatch watch, OpenAlert open, SensorReading reading, double measure, bool isCritical)
    {
        var isWorse = open.Side >= 0 ? measure > open.Peak : measure < open.Peak;
        var becomesCritical = isCritical && !open.IsCritical;
        if (!isWorse && !becomesCritical) return;
        var worse = open with { Peak = isWorse ? measure : open.Peak, IsCritical = open.IsCritical || isCritical };
        if (becomesCritical || reading.Time - open.Updated >= UpdateMin)
        {
            worse = worse with { Updated = reading.Time };
            _changes.Add(new AlertChange(AlertStep.Changed, worse, reading.Time, reading.Value));
        }

        Keep(watch, worse);
    }

    private void Clear(DeviceWatch watch, OpenAlert open, SensorReading reading)
    {
        watch.Open[(int)open.Kind] = null;
        _changes.Add(new AlertChange(AlertStep.Cleared, open, reading.Time, reading.Value));
    }

    private static void Keep(DeviceWatch watch, OpenAlert alert) => watch.Open[(int)alert.Kind] = alert;

    private static string Span(TimeSpan span) => span.TotalDays >= 1 ? Say($"{span.TotalDays:0} days")
        : span.TotalHours >= 1 ? Say($"{span.TotalHours:0} h") : Say($"{span.TotalMinutes:0} min");

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

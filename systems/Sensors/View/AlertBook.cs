using Sensors.Alerts;
using Sensors.Api;

namespace Sensors.View;

/// <summary>States of alerts, as answers say them.</summary>
internal static class AlertStates
{
    public const string Open = "OPEN";

    public const string Acknowledged = "ACKNOWLEDGED";

    public const string Cleared = "CLEARED";

    public static IReadOnlyList<string> All { get; } = [Open, Acknowledged, Cleared];
}

/// <summary>Alerts as their steps tell of them: all that are open, and the latest that are over. Not thread safe.</summary>
/// <param name="clearedMax">How many that are over are kept.</param>
internal sealed class AlertBook(int clearedMax)
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Entry>> _openByDevice = new(StringComparer.Ordinal);
    private readonly Queue<string> _cleared = new();
    private long _raised;

    /// <summary>Takes a step in.</summary>
    /// <param name="step">The step.</param>
    /// <param name="change">The number of the change.</param>
    public void Apply(AlertEvent step, long change)
    {
        if (!_entries.TryGetValue(step.AlertId, out var entry))
        {
            entry = new Entry();
            _entries.Add(step.AlertId, entry);
            _raised++;
        }

        entry.Change = change;
        entry.Alert = Answer(step);
        if (!_openByDevice.TryGetValue(step.DeviceId, out var open)) _openByDevice.Add(step.DeviceId, open = []);
        open.Remove(entry);
        if (step is not AlertEvent.Cleared)
        {
            open.Add(entry);
            return;
        }

        if (open.Count == 0) _openByDevice.Remove(step.DeviceId);
        _cleared.Enqueue(step.AlertId);
        while (_cleared.Count > clearedMax) _entries.Remove(_cleared.Dequeue());
    }

    /// <summary>What a device's open alerts make of it; unknown without any.</summary>
    public DeviceStatus StatusOf(string device)
    {
        if (!_openByDevice.TryGetValue(device, out var open)) return DeviceStatus.Unknown;
        if (open.Exists(entry => entry.Alert.Kind == AlertKinds.MissingData)) return DeviceStatus.Silent;
        return open.Exists(entry => entry.Alert.Severity == Severities.Critical) ? DeviceStatus.Critical : DeviceStatus.Warning;
    }

    public AlertAnswer? Find(string id) => _entries.TryGetValue(id, out var entry) ? entry.Alert : null;

    public IEnumerable<AlertAnswer> All() => _entries.Values.Select(entry => entry.Alert);

    public IReadOnlyList<AlertAnswer> Since(long change) =>
        [.. _entries.Values.Where(entry => entry.Change > change).OrderBy(entry => entry.Change).Select(entry => entry.Alert)];

    public AlertCounts Count()
    {
        var open = _openByDevice.Values.SelectMany(entries => entries).ToLookup(entry => entry.Alert.State);
        return new AlertCounts(open[AlertStates.Open].Count(), open[AlertStates.Acknowledged].Count(), _raised);
    }

    private static AlertAnswer Answer(AlertEvent step) => new()
    {
        AlertId = step.AlertId,
        DeviceId = step.DeviceId,
        Zone = step.Zone,
        SensorType = step.SensorType,
        Kind = step.Kind,
        Severity = step.Severity,
        State = step is AlertEvent.Cleared ? AlertStates.Cleared
            : step.AcknowledgedBy is null ? AlertStates.Open : AlertStates.Acknowledged,
        Reason = step.Reason,
        Value = step.Value,
        Peak = step.Peak,
        Limit = step.Limit,
        Start = step.Start,
        Updated = step.Updated,
        End = step.End,
        AcknowledgedBy = step.AcknowledgedBy,
        AcknowledgedAt = step.AcknowledgedAt,
        Note = step.Note,
    };

    private sealed class Entry
    {
        public AlertAnswer Alert { get; set; } = null!;

        public long Change { get; set; }
    }
}

using Sensors.Alerts;
using Sensors.Api;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors.View;

/// <summary>How a device is, in the order of the live feed's numbers.</summary>
internal enum DeviceStatus : byte
{
    Unknown = 0,
    Ok = 1,
    Warning = 2,
    Critical = 3,
    Silent = 4,
}

/// <summary>A device's row of the live feed.</summary>
/// <param name="Index">Its number in the feed, from 0, for as long as the process runs.</param>
/// <param name="Device">The device.</param>
/// <param name="Time">The latest event time in milliseconds since 1970-01-01T00:00:00Z; 0 without a reading.</param>
/// <param name="Value">The latest value; NaN without a reading.</param>
/// <param name="Status">How it is.</param>
internal readonly record struct LiveValue(int Index, string Device, long Time, double Value, DeviceStatus Status);

/// <summary>
/// What queries and pages see: a fold over the topics, in memory. Every change has a number, so that whoever follows asks for what is newer
/// than the last number it saw, and what changed twice meanwhile is told once. Thread safe.
/// </summary>
internal sealed class SensorsView
{
    /// <summary>So many alerts that are over are kept.</summary>
    public const int ClearedMax = 10_000;

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Device> _byId = new(StringComparer.Ordinal);
    private readonly List<Device> _devices = [];
    private readonly AlertBook _alerts = new(ClearedMax);
    private readonly SortedDictionary<string, long> _rejected = new(StringComparer.Ordinal);
    private TaskCompletionSource _alertChanged = NewSignal();
    private long _change;

    /// <summary>The number of the latest change.</summary>
    public long Change
    {
        get
        {
            lock (_lock) return _change;
        }
    }

    /// <summary>Takes readings in; one that is older than the latest of its device changes nothing.</summary>
    public void Apply(IReadOnlyList<SensorReading> readings)
    {
        lock (_lock)
        {
            _change++;
            foreach (var reading in readings)
            {
                var device = DeviceOf(reading.DeviceId);
                if (device.Latest is { } latest && reading.Time < latest.Time) continue;
                if (device.Latest is null || device.Latest.SensorType != reading.SensorType || device.Latest.Unit != reading.Unit
                    || device.Latest.Zone != reading.Zone)
                    device.DescriptionChange = _change;
                device.Latest = reading;
                device.Change = _change;
            }
        }
    }

    /// <summary>Takes descriptions in.</summary>
    public void Apply(DeviceDescribed described)
    {
        lock (_lock)
        {
            var device = DeviceOf(described.DeviceId);
            device.Described = described;
            device.Change = device.DescriptionChange = ++_change;
        }
    }

    /// <summary>Takes a step of an alert in.</summary>
    public void Apply(AlertEvent step)
    {
        lock (_lock)
        {
            _alerts.Apply(step, ++_change);
            var device = DeviceOf(step.DeviceId);
            device.Status = _alerts.StatusOf(step.DeviceId);
            device.Change = _change;
            _alertChanged.TrySetResult();
            _alertChanged = NewSignal();
        }
    }

    /// <summary>Takes a rejected reading in.</summary>
    public void Apply(ReadingRejected rejected)
    {
        lock (_lock) _rejected[rejected.Reason] = _rejected.GetValueOrDefault(rejected.Reason) + 1;
    }

    /// <summary>A device; null when there is none.</summary>
    public DeviceAnswer? FindDevice(string id)
    {
        lock (_lock) return _byId.TryGetValue(id, out var device) ? Answer(device) : null;
    }

    /// <summary>Devices by id, those for which all that is not null holds.</summary>
    public (IReadOnlyList<DeviceAnswer> Items, int Total) ListDevices(DeviceFilter filter, int page, int pageSize)
    {
        lock (_lock)
        {
            var found = _devices.Where(device =>
                filter.Holds(device.Id, device.Zone, device.Type, device.StatusNow, device.Described?.Name))
                .OrderBy(device => device.Id, StringComparer.Ordinal).ToList();
            return ([.. found.Skip((int)Math.Min(int.MaxValue, (page - 1L) * pageSize)).Take(pageSize).Select(Answer)], found.Count);
        }
    }

    /// <summary>An alert; null when there is none, or it was over long ago.</summary>
    public AlertAnswer? FindAlert(string id)
    {
        lock (_lock) return _alerts.Find(id);
    }

    /// <summary>Completes with an alert once a condition holds for it.</summary>
    public async Task<AlertAnswer> WaitForAlertAsync(string id, Func<AlertAnswer, bool> condition, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_alerts.Find(id) is { } alert && condition(alert)) return alert;
                changed = _alertChanged.Task;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>Alerts, newest first, for which the condition holds.</summary>
    public (IReadOnlyList<AlertAnswer> Items, int Total) ListAlerts(Func<AlertAnswer, bool> condition, int page, int pageSize)
    {
        lock (_lock)
        {
            var found = _alerts.All().Where(condition)
                .OrderByDescending(alert => alert.Start).ThenBy(alert => alert.AlertId, StringComparer.Ordinal).ToList();
            return ([.. found.Skip((int)Math.Min(int.MaxValue, (page - 1L) * pageSize)).Take(pageSize)], found.Count);
        }
    }

    /// <summary>Alerts that changed after a change, oldest change first.</summary>
    public IReadOnlyList<AlertAnswer> AlertsSince(long change)
    {
        lock (_lock) return _alerts.Since(change);
    }

    /// <summary>Devices that have another value or status than at a change.</summary>
    public IReadOnlyList<LiveValue> ValuesSince(long change)
    {
        lock (_lock)
        {
            var changed = new List<LiveValue>();
            for (var i = 0; i < _devices.Count; i++)
            {
                var device = _devices[i];
                if (device.Change > change)
                    changed.Add(Live(i, device));
            }

            return changed;
        }
    }

    /// <summary>Devices that are new or have another description than at a change, with their numbers.</summary>
    public IReadOnlyList<(LiveValue Value, DeviceAnswer Device)> DescriptionsSince(long change)
    {
        lock (_lock)
        {
            var changed = new List<(LiveValue, DeviceAnswer)>();
            for (var i = 0; i < _devices.Count; i++)
            {
                var device = _devices[i];
                if (device.DescriptionChange <= change) continue;
                changed.Add((Live(i, device), Answer(device)));
            }

            return changed;
        }
    }

    /// <summary>How many devices and alerts, and what was rejected.</summary>
    public (DeviceCounts Devices, AlertCounts Alerts, SortedDictionary<string, long> Rejected) Count()
    {
        lock (_lock)
        {
            var counts = new int[5];
            foreach (var device in _devices) counts[(int)device.StatusNow]++;
            return (
                new DeviceCounts(_devices.Count, counts[1], counts[2], counts[3], counts[4]), _alerts.Count(),
                new SortedDictionary<string, long>(_rejected, StringComparer.Ordinal));
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Device DeviceOf(string id)
    {
        if (_byId.TryGetValue(id, out var known)) return known;
        var device = new Device(id) { DescriptionChange = _change, Change = _change };
        _byId.Add(id, device);
        _devices.Add(device);
        return device;
    }

    private static LiveValue Live(int index, Device device) =>
        new(index, device.Id, device.Latest?.Time ?? 0, device.Latest?.Value ?? double.NaN, device.StatusNow);

    private static DeviceAnswer Answer(Device device)
    {
        var rules = SensorRules.Of(device.Type);
        var (said, latest) = (device.Described, device.Latest);
        return new DeviceAnswer
        {
            DeviceId = device.Id,
            Name = said?.Name,
            Model = said?.Model,
            Zone = device.Zone,
            SensorType = device.Type,
            Unit = latest?.Unit ?? "",
            Location = latest?.Location is { } place ? new LocationAnswer(place.Latitude, place.Longitude) : null,
            Value = latest?.Value,
            Time = latest is null ? null : EventClock.Time(latest.Time),
            BatteryLevel = latest?.BatteryLevel,
            SignalStrength = latest?.SignalStrength,
            Status = device.StatusNow.ToString().ToUpperInvariant(),
            Low = said?.Low ?? rules.Limits.Low,
            High = said?.High ?? rules.Limits.High,
            CriticalLow = said?.CriticalLow ?? rules.Limits.CriticalLow,
            CriticalHigh = said?.CriticalHigh ?? rules.Limits.CriticalHigh,
            SilentAfterSeconds = said?.SilentAfterSeconds ?? rules.SilentAfter?.TotalSeconds,
            Described = said is null ? null : new DeviceRequest
            {
                Name = said.Name,
                Model = said.Model,
                Zone = said.Zone,
                Low = said.Low,
                High = said.High,
                CriticalLow = said.CriticalLow,
                CriticalHigh = said.CriticalHigh,
                SilentAfterSeconds = said.SilentAfterSeconds,
            },
        };
    }

    private sealed class Device(string id)
    {
        public string Id => id;

        public SensorReading? Latest { get; set; }

        public DeviceDescribed? Described { get; set; }

        /// <summary>What its open alerts say; unknown when there is none.</summary>
        public DeviceStatus Status { get; set; }

        public long Change { get; set; }

        public long DescriptionChange { get; set; }

        public string Zone => Described?.Zone ?? Latest?.Zone ?? "";

        public string Type => Latest?.SensorType ?? "";

        public DeviceStatus StatusNow => Status != DeviceStatus.Unknown ? Status : Latest is null ? DeviceStatus.Unknown : DeviceStatus.Ok;
    }
}

/// <summary>Which devices are asked for; null stands for all.</summary>
internal sealed record DeviceFilter(string? Zone, string? Type, DeviceStatus? Status, string? Text)
{
    public bool Holds(string id, string zone, string type, DeviceStatus status, string? name) =>
        (Zone is null || Zone == zone) && (Type is null || Type == type) && (Status is null || Status == status)
        && (Text is null || id.Contains(Text, StringComparison.OrdinalIgnoreCase)
            || (name?.Contains(Text, StringComparison.OrdinalIgnoreCase) ?? false));
}

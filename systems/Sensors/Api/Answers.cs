namespace Sensors.Api;

/// <summary>A device.</summary>
public sealed record DeviceAnswer
{
    public required string DeviceId { get; init; }

    public required string? Name { get; init; }

    public required string? Model { get; init; }

    public required string Zone { get; init; }

    public required string SensorType { get; init; }

    public required string Unit { get; init; }

    public required LocationAnswer? Location { get; init; }

    /// <summary>The latest value, of the latest event time.</summary>
    public required double? Value { get; init; }

    public required DateTimeOffset? Time { get; init; }

    public required double? BatteryLevel { get; init; }

    public required double? SignalStrength { get; init; }

    /// <summary>OK, WARNING, CRITICAL, SILENT, or UNKNOWN before its first reading.</summary>
    public required string Status { get; init; }

    /// <summary>The limits that are in force: the device's own, else its type's.</summary>
    public required double? Low { get; init; }

    public required double? High { get; init; }

    public required double? CriticalLow { get; init; }

    public required double? CriticalHigh { get; init; }

    public required double? SilentAfterSeconds { get; init; }

    /// <summary>What was said of the device itself, as PUT takes it; null when nothing was.</summary>
    public required DeviceRequest? Described { get; init; }
}

/// <summary>Where a device is, in degrees.</summary>
public readonly record struct LocationAnswer(double Lat, double Lon);

/// <summary>A page of devices, by id.</summary>
public sealed record DevicePage
{
    public required IReadOnlyList<DeviceAnswer> Items { get; init; }

    public required int Page { get; init; }

    public required int PageSize { get; init; }

    public required int Total { get; init; }
}

/// <summary>What is to be said of a device; what is left out, or null, is as its type or its readings have it.</summary>
public sealed record DeviceRequest
{
    public string? Name { get; init; }

    public string? Model { get; init; }

    public string? Zone { get; init; }

    public double? Low { get; init; }

    public double? High { get; init; }

    public double? CriticalLow { get; init; }

    public double? CriticalHigh { get; init; }

    public double? SilentAfterSeconds { get; init; }
}

/// <summary>A device's series, from the time-series store.</summary>
public sealed record SeriesAnswer
{
    public required string DeviceId { get; init; }

    public required string Unit { get; init; }

    public required DateTimeOffset From { get; init; }

    public required DateTimeOffset To { get; init; }

    public required double StepSeconds { get; init; }

    public required IReadOnlyList<PointAnswer> Points { get; init; }
}

/// <summary>A step of a series that has values.</summary>
public readonly record struct PointAnswer(DateTimeOffset Time, double Min, double Max, double Mean, double Last, long Count);

/// <summary>An alert: one episode.</summary>
public sealed record AlertAnswer
{
    public required string AlertId { get; init; }

    public required string DeviceId { get; init; }

    public required string Zone { get; init; }

    public required string SensorType { get; init; }

    public required string Kind { get; init; }

    public required string Severity { get; init; }

    /// <summary>OPEN, ACKNOWLEDGED or CLEARED.</summary>
    public required string State { get; init; }

    public required string Reason { get; init; }

    public required double? Value { get; init; }

    public required double? Peak { get; init; }

    public required double? Limit { get; init; }

    public required DateTimeOffset Start { get; init; }

    public required DateTimeOffset Updated { get; init; }

    public required DateTimeOffset? End { get; init; }

    public required string? AcknowledgedBy { get; init; }

    public required DateTimeOffset? AcknowledgedAt { get; init; }

    public required string? Note { get; init; }
}

/// <summary>A page of alerts, newest first.</summary>
public sealed record AlertPage
{
    public required IReadOnlyList<AlertAnswer> Items { get; init; }

    public required int Page { get; init; }

    public required int PageSize { get; init; }

    public required int Total { get; init; }
}

/// <summary>Somebody takes an alert on.</summary>
public sealed record AcknowledgeRequest
{
    public string? By { get; init; }

    public string? Note { get; init; }
}

/// <summary>The platform in numbers.</summary>
public sealed record SensorsStats
{
    public required DeviceCounts Devices { get; init; }

    public required AlertCounts Alerts { get; init; }

    /// <summary>Rejected readings by reason.</summary>
    public required SortedDictionary<string, long> Rejected { get; init; }

    /// <summary>Readings that came after their minute had closed.</summary>
    public required long Late { get; init; }

    /// <summary>Minutes of devices.</summary>
    public required long Windows { get; init; }

    /// <summary>Records ever written, by topic.</summary>
    public required SortedDictionary<string, long> Topics { get; init; }

    /// <summary>Records behind, by consumer group.</summary>
    public required SortedDictionary<string, long> Lag { get; init; }

    /// <summary>The least watermark of the partitions of this process that have one.</summary>
    public required DateTimeOffset? Watermark { get; init; }

    /// <summary>How far the watermark is behind the clock; null in a replay.</summary>
    public required double? EventTimeLagSeconds { get; init; }
}

/// <summary>Devices by status.</summary>
public readonly record struct DeviceCounts(int Total, int Ok, int Warning, int Critical, int Silent);

/// <summary>Alerts by state, and how many there ever were.</summary>
public readonly record struct AlertCounts(int Open, int Acknowledged, long Raised);

/// <summary>A topology that runs: why is there no output?</summary>
public sealed record TopologyAnswer
{
    public required string Name { get; init; }

    public required IReadOnlyList<StageAnswer> Stages { get; init; }
}

/// <summary>A stage of it: one processor.</summary>
public sealed record StageAnswer
{
    public required string Name { get; init; }

    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>How many partitions run in this process.</summary>
    public required int Partitions { get; init; }

    public required IReadOnlyList<OperatorAnswer> Operators { get; init; }
}

/// <summary>An operator, over the partitions of this process.</summary>
public sealed record OperatorAnswer
{
    public required string Name { get; init; }

    public required long RecordsIn { get; init; }

    public required long RecordsOut { get; init; }

    public required long RecordsLate { get; init; }

    public required long RecordsKeyless { get; init; }

    public required long StateEntries { get; init; }

    public required long StateBytes { get; init; }

    /// <summary>The least of its partitions that have one.</summary>
    public required DateTimeOffset? Watermark { get; init; }

    /// <summary>Whose it is.</summary>
    public required string? HeldBackBy { get; init; }

    /// <summary>How far the watermark has to come for the next result, on that partition.</summary>
    public required DateTimeOffset? WaitsFor { get; init; }
}

/// <summary>What a replay came to: the line that it ends with.</summary>
public sealed record RunReport
{
    public required long Readings { get; init; }

    public required long Accepted { get; init; }

    public required SortedDictionary<string, long> Rejected { get; init; }

    public required long Late { get; init; }

    public required long Windows { get; init; }

    public required IReadOnlyList<EpisodeAnswer> Alerts { get; init; }
}

/// <summary>An alert's episode in event time; without an end it goes on.</summary>
public sealed record EpisodeAnswer(string Device, string Kind, string Severity, DateTimeOffset Start, DateTimeOffset? End);

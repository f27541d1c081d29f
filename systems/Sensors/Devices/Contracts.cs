namespace Sensors.Devices;

/// <summary>The topic of devices' descriptions: a table, by device.</summary>
internal static class DeviceTopics
{
    /// <summary>The latest description of a device is what counts.</summary>
    public const string Described = "devices.described";
}

/// <summary>What people say of a device; whatever is null is as its sensor type has it, or as its readings say.</summary>
internal sealed record DeviceDescribed
{
    /// <summary>The CloudEvents type.</summary>
    public const string Type = "com.iot.devices.device.described";

    /// <summary>The device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>A name for people.</summary>
    public string? Name { get; init; }

    /// <summary>The maker's model.</summary>
    public string? Model { get; init; }

    /// <summary>The zone.</summary>
    public string? Zone { get; init; }

    /// <summary>Below it, an alert.</summary>
    public double? Low { get; init; }

    /// <summary>Above it, an alert.</summary>
    public double? High { get; init; }

    /// <summary>Below it, a critical alert.</summary>
    public double? CriticalLow { get; init; }

    /// <summary>Above it, a critical alert.</summary>
    public double? CriticalHigh { get; init; }

    /// <summary>After so many seconds without a reading, an alert.</summary>
    public double? SilentAfterSeconds { get; init; }
}

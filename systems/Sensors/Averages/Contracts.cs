using Millrace.Streams;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors.Averages;

/// <summary>The topic of averages.</summary>
internal static class AverageTopics
{
    /// <summary>Minutes of devices, with what is known of them.</summary>
    public const string Enriched = "sensors.enriched";
}

/// <summary>A minute of a device's readings, enriched by what is known of it.</summary>
internal sealed record MinuteAverage
{
    /// <summary>The CloudEvents type.</summary>
    public const string Type = "com.iot.sensors.reading.averaged";

    /// <summary>The device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>What it measures.</summary>
    public required string SensorType { get; init; }

    /// <summary>In which unit.</summary>
    public required string Unit { get; init; }

    /// <summary>The zone: that of the description, else that of the readings.</summary>
    public required string Zone { get; init; }

    /// <summary>The device's name, if it is described.</summary>
    public string? Name { get; init; }

    /// <summary>The device's model, if it is described.</summary>
    public string? Model { get; init; }

    /// <summary>Where the minute begins.</summary>
    public required DateTimeOffset WindowStart { get; init; }

    /// <summary>Where it ends; not part of it.</summary>
    public required DateTimeOffset WindowEnd { get; init; }

    /// <summary>How many readings.</summary>
    public required long Count { get; init; }

    /// <summary>The least value.</summary>
    public required double Min { get; init; }

    /// <summary>The greatest value.</summary>
    public required double Max { get; init; }

    /// <summary>The arithmetic mean.</summary>
    public required double Mean { get; init; }

    /// <summary>The value of the latest time; of several, the one that came last.</summary>
    public required double Last { get; init; }

    /// <summary>A window's result with what is known of the device.</summary>
    public static MinuteAverage Of(Windowed<string, MinuteOfReadings> result, DeviceDescribed? device) => new()
    {
        DeviceId = result.Key,
        SensorType = result.Value.SensorType,
        Unit = result.Value.Unit,
        Zone = device?.Zone ?? result.Value.Zone,
        Name = device?.Name,
        Model = device?.Model,
        WindowStart = EventClock.Time(result.Window.Start),
        WindowEnd = EventClock.Time(result.Window.End),
        Count = result.Value.Count,
        Min = result.Value.Min,
        Max = result.Value.Max,
        Mean = result.Value.Sum / result.Value.Count,
        Last = result.Value.Last,
    };
}

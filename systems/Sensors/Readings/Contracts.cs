namespace Sensors.Readings;

/// <summary>The topics of readings.</summary>
internal static class ReadingTopics
{
    /// <summary>What devices sent, as they sent it.</summary>
    public const string Raw = "sensors.raw";

    /// <summary>What passed the rules.</summary>
    public const string Validated = "sensors.validated";

    /// <summary>What did not, with the reason.</summary>
    public const string Rejected = "sensors.rejected";

    /// <summary>What came after its minute had closed: validated, in no average.</summary>
    public const string Late = "sensors.late";
}

/// <summary>The CloudEvents types of readings.</summary>
internal static class ReadingTypes
{
    /// <summary>A device's reading, as it comes.</summary>
    public const string Received = "com.iot.sensors.reading.received";

    /// <summary>A reading that passed the rules.</summary>
    public const string Validated = "com.iot.sensors.reading.validated";

    /// <summary>A reading that did not.</summary>
    public const string Rejected = "com.iot.sensors.reading.rejected";

    /// <summary>
    /// A device's clock without a reading: it only moves event time on, so that windows close although there is nothing more to measure.
    /// </summary>
    public const string Clock = "com.iot.sensors.clock.advanced";
}

/// <summary>Where a device is.</summary>
/// <param name="Latitude">In degrees.</param>
/// <param name="Longitude">In degrees.</param>
internal readonly record struct Place(double Latitude, double Longitude);

/// <summary>
/// A reading as it travels through the streams: the event's own fields and its data. Immutable; one object from the codec to the last
/// output.
/// </summary>
internal sealed class SensorReading
{
    /// <summary>The event's id.</summary>
    public required string Id { get; init; }

    /// <summary>The device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>What is measured; empty when it is missing.</summary>
    public required string SensorType { get; init; }

    /// <summary>The value; NaN when it is missing.</summary>
    public required double Value { get; init; }

    /// <summary>The unit; empty when it is missing.</summary>
    public required string Unit { get; init; }

    /// <summary>The place, if it is known.</summary>
    public Place? Location { get; init; }

    /// <summary>The zone; empty when it is missing.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Percent, if it is known.</summary>
    public double? BatteryLevel { get; init; }

    /// <summary>In dBm, if it is known.</summary>
    public double? SignalStrength { get; init; }

    /// <summary>When it was measured by the device's clock, in milliseconds since 1970-01-01T00:00:00Z.</summary>
    public required long Time { get; init; }

    /// <summary>True for a device's clock without a reading.</summary>
    public bool IsClock { get; init; }

    /// <summary>
    /// The event as it goes on: what the device sent, byte for byte, but for the type; null when it is to be written anew.
    /// </summary>
    public byte[]? Envelope { get; init; }
}

/// <summary>Why a reading was rejected. The names are what events and answers say.</summary>
internal static class Rejections
{
    /// <summary>A field that is needed is missing or empty.</summary>
    public const string Incomplete = "INCOMPLETE";

    /// <summary>The unit is not one of its type.</summary>
    public const string Unit = "UNIT";

    /// <summary>The value is outside of what such a sensor can measure.</summary>
    public const string Range = "RANGE";

    /// <summary>The time is too far ahead of the clock, or too far behind it.</summary>
    public const string Clock = "CLOCK";

    /// <summary>The device sent a reading of this id before.</summary>
    public const string Duplicate = "DUPLICATE";

    /// <summary>The battery is below what the sensor needs to measure right, or no percentage.</summary>
    public const string Battery = "BATTERY";

    /// <summary>The signal strength is none.</summary>
    public const string Signal = "SIGNAL";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Incomplete, Unit, Range, Clock, Duplicate, Battery, Signal];
}

/// <summary>A reading that did not pass, as it is said to <see cref="ReadingTopics.Rejected"/>.</summary>
internal sealed record ReadingRejected
{
    /// <summary>One of <see cref="Rejections"/>.</summary>
    public required string Reason { get; init; }

    /// <summary>The field and its value, in words.</summary>
    public required string Detail { get; init; }

    /// <summary>The reading's id.</summary>
    public required string ReadingId { get; init; }

    /// <summary>The device.</summary>
    public required string DeviceId { get; init; }

    /// <summary>What it measures.</summary>
    public required string SensorType { get; init; }

    /// <summary>The value, if there is one.</summary>
    public double? Value { get; init; }

    /// <summary>The unit.</summary>
    public required string Unit { get; init; }

    /// <summary>When it was measured by the device's clock.</summary>
    public required DateTimeOffset Time { get; init; }
}

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Millrace.Streams;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors.Alerts;

/// <summary>Kinds of alerts; a device has at most one open alert of each.</summary>
internal enum AlertKind
{
    Threshold = 0,
    RateOfChange = 1,
    ZScore = 2,
    MissingData = 3,
}

/// <summary>An alert that is not over.</summary>
internal sealed record OpenAlert
{
    public required AlertKind Kind { get; init; }

    public required bool IsCritical { get; init; }

    /// <summary>1 above, -1 below, 0 where there is no such thing.</summary>
    public required int Side { get; init; }

    /// <summary>Which of the scales of <see cref="Baseline"/> it is judged by.</summary>
    public int Scale { get; init; }

    /// <summary>When it began, and when it was last said anything of, in event time.</summary>
    public required long Start { get; init; }

    public required long Updated { get; init; }

    public required double Peak { get; init; }

    public required double Limit { get; init; }

    public required string Reason { get; init; }

    public string? AcknowledgedBy { get; init; }

    public DateTimeOffset? AcknowledgedAt { get; init; }

    public string? Note { get; init; }
}

/// <summary>
/// What is remembered of a device to tell what is unusual of it: a few hundred bytes, whatever it sends. Changed in place by <see
/// cref="Watch"/>. Times are in milliseconds since 1970-01-01T00:00:00Z.
/// </summary>
internal sealed class DeviceWatch
{
    public const long Never = long.MinValue;

    /// <summary>The greatest event time so far.</summary>
    public long LastTime { get; set; } = Never;

    /// <summary>When the last reading came, by the clock.</summary>
    public long LastArrival { get; set; } = Never;

    public double LastValue { get; set; }

    public long Count { get; set; }

    /// <summary>The usual time between readings, in milliseconds: a moving mean.</summary>
    public double Interval { get; set; }

    /// <summary>The longest time between two readings so far.</summary>
    public long LongestGap { get; set; }

    /// <summary>Two readings of before, some time apart, that a change is measured from.</summary>
    public long OlderTime { get; set; } = Never;

    public double OlderValue { get; set; }

    public long NewerTime { get; set; } = Never;

    public double NewerValue { get; set; }

    /// <summary>When the timer for silence is due; 0 when there is none.</summary>
    public long SilenceDue { get; set; }

    /// <summary>What the readings said last.</summary>
    public string SensorType { get; set; } = "";

    public string Zone { get; set; } = "";

    /// <summary>What people say of the device.</summary>
    public DeviceDescribed? Described { get; set; }

    /// <summary>One per scale.</summary>
    public Baseline[] Baselines { get; set; } = [new(), new()];

    /// <summary>By <see cref="AlertKind"/>.</summary>
    public OpenAlert?[] Open { get; set; } = new OpenAlert?[4];
}

/// <summary>
/// Mean, variance and recent mean of a device's values, each forgetting exponentially by time: readings may come in any rhythm.
/// </summary>
internal sealed class Baseline
{
    public double Mean { get; set; }

    public double Variance { get; set; }

    /// <summary>The mean of the recent past.</summary>
    public double Recent { get; set; }

    public long Since { get; set; } = DeviceWatch.Never;
}

/// <summary>
/// How watches are kept: nineteen numbers of 8 bytes, most significant first, then type and zone, each behind its length in a byte, then,
/// where there is any, the rest as JSON.
/// </summary>
internal static class WatchCodec
{
    private const int NumbersBytes = 19 * 8;

    public static StateCodec<DeviceWatch> Codec { get; } = new(1, Write, Read);

    /// <summary>Writes what is remembered.</summary>
    public static void Write(DeviceWatch watch, IBufferWriter<byte> output)
    {
        var bytes = new StateBytesWriter(output, NumbersBytes + (2 * StateBytesWriter.TextBytesMax));
        bytes.Put(watch.LastTime);
        bytes.Put(watch.LastArrival);
        bytes.Put(watch.LastValue);
        bytes.Put(watch.Count);
        bytes.Put(watch.Interval);
        bytes.Put(watch.LongestGap);
        bytes.Put(watch.OlderTime);
        bytes.Put(watch.OlderValue);
        bytes.Put(watch.NewerTime);
        bytes.Put(watch.NewerValue);
        bytes.Put(watch.SilenceDue);
        foreach (var baseline in watch.Baselines)
        {
            bytes.Put(baseline.Mean);
            bytes.Put(baseline.Variance);
            bytes.Put(baseline.Recent);
            bytes.Put(baseline.Since);
        }

        bytes.Put(watch.SensorType);
        bytes.Put(watch.Zone);
        bytes.Close();
        if (watch.Described is null && Array.TrueForAll(watch.Open, alert => alert is null)) return;
        using var json = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(json, new WatchRest { Described = watch.Described, Open = watch.Open }, WatchJson.Default.WatchRest);
    }

    /// <summary>Reads what was written.</summary>
    public static DeviceWatch Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new StateBytesReader(bytes);
        var watch = new DeviceWatch
        {
            LastTime = reader.Whole(),
            LastArrival = reader.Whole(),
            LastValue = reader.Real(),
            Count = reader.Whole(),
            Interval = reader.Real(),
            LongestGap = reader.Whole(),
            OlderTime = reader.Whole(),
            OlderValue = reader.Real(),
            NewerTime = reader.Whole(),
            NewerValue = reader.Real(),
            SilenceDue = reader.Whole(),
        };
        foreach (var baseline in watch.Baselines)
        {
            baseline.Mean = reader.Real();
            baseline.Variance = reader.Real();
            baseline.Recent = reader.Real();
            baseline.Since = reader.Whole();
        }

        watch.SensorType = reader.Text();
        watch.Zone = reader.Text();
        if (reader.Rest.IsEmpty) return watch;
        var rest = JsonSerializer.Deserialize(reader.Rest, WatchJson.Default.WatchRest)!;
        watch.Described = rest.Described;
        rest.Open.CopyTo(watch.Open, 0);
        return watch;
    }
}

/// <summary>What few devices have: a description, open alerts.</summary>
internal sealed record WatchRest
{
    public DeviceDescribed? Described { get; init; }

    public required OpenAlert?[] Open { get; init; }
}

/// <summary>The JSON of it.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WatchRest))]
internal sealed partial class WatchJson : JsonSerializerContext;

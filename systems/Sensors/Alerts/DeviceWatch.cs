using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Millrace.Streams;
using Sensors.Devices;

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
    private const int TextBytesMax = 1 + (Readings.SensorLimits.NameLengthMax * 3);

    public static StateCodec<DeviceWatch> Codec { get; } = new(1, Write, Read);

    /// <summary>Writes what is remembered.</summary>
    public static void Write(DeviceWatch watch, IBufferWriter<byte> output)
    {
        var bytes = output.GetSpan(NumbersBytes + (2 * TextBytesMax));
        var at = 0;
        Put(bytes, ref at, watch.LastTime);
        Put(bytes, ref at, watch.LastArrival);
        Put(bytes, ref at, watch.LastValue);
        Put(bytes, ref at, watch.Count);
        Put(bytes, ref at, watch.Interval);
        Put(bytes, ref at, watch.LongestGap);
        Put(bytes, ref at, watch.OlderTime);
        Put(bytes, ref at, watch.OlderValue);
        Put(bytes, ref at, watch.NewerTime);
        Put(bytes, ref at, watch.NewerValue);
        Put(bytes, ref at, watch.SilenceDue);
        foreach (var baseline in watch.Baselines)
        {
            Put(bytes, ref at, baseline.Mean);
            Put(bytes, ref at, baseline.Variance);
            Put(bytes, ref at, baseline.Recent);
            Put(bytes, ref at, baseline.Since);
        }

        Put(bytes, ref at, watch.SensorType);
        Put(bytes, ref at, watch.Zone);
        output.Advance(at);
        if (watch.Described is null && Array.TrueForAll(watch.Open, alert => alert is null)) return;
        using var json = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(json, new WatchRest { Described = watch.Described, Open = watch.Open }, WatchJson.Default.WatchRest);
    }

    /// <summary>Reads what was written.</summary>
    public static DeviceWatch Read(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        var watch = new DeviceWatch
        {
            LastTime = Whole(bytes, ref at),
            LastArrival = Whole(bytes, ref at),
            LastValue = Real(bytes, ref at),
            Count = Whole(bytes, ref at),
            Interval = Real(bytes, ref at),
            LongestGap = Whole(bytes, ref at),
            OlderTime = Whole(bytes, ref at),
            OlderValue = Real(bytes, ref at),
            NewerTime = Whole(bytes, ref at),
            NewerValue = Real(bytes, ref at),
            SilenceDue = Whole(bytes, ref at),
        };
        foreach (var baseline in watch.Baselines)
        {
            baseline.Mean = Real(bytes, ref at);
            baseline.Variance = Real(bytes, ref at);
            baseline.Recent = Real(bytes, ref at);
            baseline.Since = Whole(bytes, ref at);
        }

        watch.SensorType = Text(bytes, ref at);
        watch.Zone = Text(bytes, ref at);
        if (at == bytes.Length) return watch;
        var rest = JsonSerializer.Deserialize(bytes[at..], WatchJson.Default.WatchRest)!;
        watch.Described = rest.Described;
        rest.Open.CopyTo(watch.Open, 0);
        return watch;
    }

    private static void Put(Span<byte> bytes, ref int at, long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(bytes[at..], value);
        at += 8;
    }

    private static void Put(Span<byte> bytes, ref int at, double value)
    {
        BinaryPrimitives.WriteDoubleBigEndian(bytes[at..], value);
        at += 8;
    }

    private static void Put(Span<byte> bytes, ref int at, string text)
    {
        var length = Encoding.UTF8.GetBytes(text, bytes[(at + 1)..]);
        bytes[at] = checked((byte)length);
        at += 1 + length;
    }

    private static long Whole(ReadOnlySpan<byte> bytes, ref int at)
    {
        at += 8;
        return BinaryPrimitives.ReadInt64BigEndian(bytes[(at - 8)..]);
    }

    private static double Real(ReadOnlySpan<byte> bytes, ref int at)
    {
        at += 8;
        return BinaryPrimitives.ReadDoubleBigEndian(bytes[(at - 8)..]);
    }

    private static string Text(ReadOnlySpan<byte> bytes, ref int at)
    {
        var length = bytes[at];
        at += 1 + length;
        return Encoding.UTF8.GetString(bytes.Slice(at - length, length));
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

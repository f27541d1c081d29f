using System.Text;
using Millrace;
using Sensors.Readings;

namespace Sensors.Tests;

/// <summary>Readings and records to test with.</summary>
internal static class Examples
{
    /// <summary>2026-01-25T10:30:00Z.</summary>
    public const long Start = 1_769_337_000_000;

    /// <summary>The reference system's own example, field by field.</summary>
    public const string Envelope = """
        {"specversion":"1.0","id":"sensor-reading-abc123","source":"/devices/sensor-001","type":"com.iot.sensors.reading.received",
         "time":"2026-01-25T10:30:00.123Z","datacontenttype":"application/json","subject":"temperature",
         "data":{"deviceId":"sensor-001","sensorType":"temperature","value":23.5,"unit":"celsius",
                 "location":{"lat":47.6062,"lon":-122.3321,"zone":"warehouse-a"},"batteryLevel":87,"signalStrength":-65}}
        """;

    private static long s_number;

    public static SensorReading Reading(
        double value, long time, string device = "sensor-001", string type = "temperature", string unit = "celsius", string? id = null,
        double? battery = 87, double? signal = -65) => new()
        {
            Id = id ?? $"reading-{Interlocked.Increment(ref s_number)}",
            DeviceId = device,
            SensorType = type,
            Value = value,
            Unit = unit,
            Zone = "warehouse-a",
            BatteryLevel = battery,
            SignalStrength = signal,
            Time = time,
        };

    /// <summary>Reads one record through a codec.</summary>
    public static (SensorReading? Reading, string Reason) Read(string value, string key = "sensor-001")
    {
        using var batch = new RecordBatchBuilder();
        batch.Add(Start, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));
        using var fetched = batch.ToFetched(new TopicPartition(ReadingTopics.Raw, 0), 0, 1);
        foreach (var record in fetched)
            return new ReadingCodec(ReadingTypes.Received).TryRead(record, out var reading, out _, out var reason) ? (reading, "") : (null, reason);
        throw new InvalidOperationException("There is no record.");
    }
}

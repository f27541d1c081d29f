using System.Text.Json.Serialization;
using Sensors.Alerts;
using Sensors.Api;
using Sensors.Averages;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors;

/// <summary>How events are written as JSON: camelCase, nothing by reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(UtcTimeConverter)])]
[JsonSerializable(typeof(ReadingRejected))]
[JsonSerializable(typeof(MinuteAverage))]
[JsonSerializable(typeof(DeviceDescribed))]
[JsonSerializable(typeof(AcknowledgeAlert))]
[JsonSerializable(typeof(AlertEvent.Raised))]
[JsonSerializable(typeof(AlertEvent.Changed))]
[JsonSerializable(typeof(AlertEvent.Cleared))]
[JsonSerializable(typeof(AlertEvent.Acknowledged))]
internal sealed partial class EventJson : JsonSerializerContext;

/// <summary>How the interface and the live feed are written as JSON: the same, but with nulls, so that a field is always there.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(UtcTimeConverter)])]
[JsonSerializable(typeof(DeviceAnswer))]
[JsonSerializable(typeof(DevicePage))]
[JsonSerializable(typeof(DeviceRequest))]
[JsonSerializable(typeof(SeriesAnswer))]
[JsonSerializable(typeof(AlertAnswer))]
[JsonSerializable(typeof(AlertPage))]
[JsonSerializable(typeof(AcknowledgeRequest))]
[JsonSerializable(typeof(SensorsStats))]
[JsonSerializable(typeof(IReadOnlyList<TopologyAnswer>))]
[JsonSerializable(typeof(RunReport))]
internal sealed partial class ApiJson : JsonSerializerContext;

/// <summary><see cref="ApiJson"/> as answers are written.</summary>
internal static class PlainJson
{
    public static ApiJson Api { get; } = new(PlainAnswers.Of(ApiJson.Default.Options));
}

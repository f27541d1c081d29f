using System.Text;
using System.Text.Json;
using Millrace;
using Sensors.Readings;
using static Sensors.Tests.Examples;

namespace Sensors.Tests;

public sealed class ReadingTests
{
    [Fact]
    public void The_examples_envelope_is_read_field_by_field_and_written_as_it_was()
    {
        var (reading, _) = Read(Envelope);

        Assert.NotNull(reading);
        Assert.Equal(
            ("sensor-reading-abc123", "sensor-001", "temperature", 23.5, "celsius", "warehouse-a"),
            (reading.Id, reading.DeviceId, reading.SensorType, reading.Value, reading.Unit, reading.Zone));
        Assert.Equal(new Place(47.6062, -122.3321), reading.Location);
        Assert.Equal((87d, -65d), (reading.BatteryLevel, reading.SignalStrength));
        Assert.Equal(DateTimeOffset.Parse("2026-01-25T10:30:00.123Z", null).ToUnixTimeMilliseconds(), reading.Time);
        var written = new System.Buffers.ArrayBufferWriter<byte>();
        EventCodec.WriteJson(ReadingCodec.ToEvent(reading), written);
        Assert.True(JsonElement.DeepEquals(
            JsonDocument.Parse(Envelope).RootElement, JsonDocument.Parse(written.WrittenMemory).RootElement),
            Encoding.UTF8.GetString(written.WrittenSpan));
    }

    [Theory]
    [InlineData("hello", "not an event")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"other","data":{}}""", "type is 'other'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received"}""", "not JSON")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received","data":[]}""", "no JSON object")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received","data":{"value":"hot"}}""", "value does not fit")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received","data":{"deviceId":7}}""", "deviceId does not fit")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received","data":{"deviceId":"sensor-002"}}""", "record's key is 'sensor-001'")]
    [InlineData("""{"specversion":"1.0","id":"1","source":"/d","type":"com.iot.sensors.reading.received","data":{"deviceId":"a b"}}""", "deviceId is 'a b'")]
    public void What_is_no_reading_says_what_is_wrong(string value, string reason) =>
        Assert.Contains(reason, Read(value).Reason, StringComparison.Ordinal);

    [Fact]
    public void Each_rule_names_the_field_and_the_value()
    {
        var clock = ClockBounds.Live;

        Assert.Null(ReadingCheck.Fault(Reading(20, Start), clock, Start));
        Assert.Equal(("INCOMPLETE", "value is missing"), ReadingCheck.Fault(Reading(double.NaN, Start), clock, Start));
        Assert.Equal(("INCOMPLETE", "sensorType is missing"), ReadingCheck.Fault(Reading(20, Start, type: ""), clock, Start));
        Assert.Equal(
            ("UNIT", "unit is 'fahrenheit'; a temperature sensor has celsius"),
            ReadingCheck.Fault(Reading(20, Start, unit: "fahrenheit"), clock, Start));
        Assert.Equal(
            ("RANGE", "value is 151; a temperature sensor measures -60 to 150"), ReadingCheck.Fault(Reading(151, Start), clock, Start));
        Assert.Equal(
            ("CLOCK", "time is 2026-01-25T10:35:00.001Z, and the clock says 2026-01-25T10:30:00.000Z"),
            ReadingCheck.Fault(Reading(20, Start + 300_001), clock, Start));
        Assert.Equal("CLOCK", ReadingCheck.Fault(Reading(20, Start - (7 * 86_400_000) - 1), clock, Start)?.Reason);
        Assert.Null(ReadingCheck.Fault(Reading(20, Start - (7 * 86_400_000)), clock, Start));
        Assert.Null(ReadingCheck.Fault(Reading(20, 0), ClockBounds.Replay, Start));
        Assert.Equal(("BATTERY", "batteryLevel is 4; readings count from 5 to 100"), ReadingCheck.Fault(Reading(20, Start, battery: 4), clock, Start));
        Assert.Equal("BATTERY", ReadingCheck.Fault(Reading(20, Start, battery: 101), clock, Start)?.Reason);
        Assert.Equal(("SIGNAL", "signalStrength is 3; it is -130 to 0 dBm"), ReadingCheck.Fault(Reading(20, Start, signal: 3), clock, Start));
        Assert.Null(ReadingCheck.Fault(Reading(20, Start, battery: null, signal: null), clock, Start));
        Assert.Null(ReadingCheck.Fault(Reading(1e9, Start, type: "flux", unit: "any"), clock, Start));
    }

    [Fact]
    public void Ids_are_remembered_for_as_many_readings_as_may_be_sent_again()
    {
        var ids = new RecentIds();
        for (var i = 0; i < RecentIds.Max; i++) Assert.True(ids.Add($"id-{i}", i));

        for (var i = 0; i < RecentIds.Max; i++) Assert.False(ids.Add($"id-{i}", i));
        Assert.True(ids.Add("id-0", 1));
        Assert.True(ids.Add("id-0", 0));
    }
}

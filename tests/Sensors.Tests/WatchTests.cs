using System.Buffers;
using Sensors.Alerts;
using Sensors.Devices;
using static Sensors.Tests.Examples;

namespace Sensors.Tests;

/// <summary>What is unusual of a device, without streams: readings in, steps of alerts out.</summary>
public sealed class WatchTests
{
    private readonly DeviceWatch _device = new();
    private readonly List<string> _steps = [];

    [Fact]
    public void An_episode_beyond_a_limit_is_one_alert_until_the_value_is_well_within_it_again()
    {
        // The limit is 35 and the hysteresis 1: 34.5 does not end it, and 35.2 does not begin it again.
        Run(new Watch(isByEventTime: false), [20, 36, 37, 34.5, 35.2, 34, 36]);

        Assert.Equal(
            ["Raised THRESHOLD warning @1", "Cleared THRESHOLD warning @5", "Raised THRESHOLD warning @6"], _steps);
    }

    [Fact]
    public void An_episode_that_becomes_critical_says_so_once()
    {
        Run(new Watch(isByEventTime: false), [20, 36, 46, 47, 30]);

        Assert.Equal(
            ["Raised THRESHOLD warning @1", "Changed THRESHOLD critical @2", "Cleared THRESHOLD critical @4"], _steps);
    }

    [Fact]
    public void A_value_that_falls_from_one_limit_through_the_other_ends_one_episode_and_begins_another()
    {
        Run(new Watch(isByEventTime: false), [36, -1]);

        Assert.Equal(
            ["Raised THRESHOLD warning @0", "Cleared THRESHOLD warning @1", "Raised THRESHOLD warning @1"], _steps);
    }

    [Fact]
    public void Limits_of_a_device_come_before_those_of_its_type()
    {
        _device.Described = new DeviceDescribed { DeviceId = "sensor-001", High = 25 };

        Run(new Watch(isByEventTime: false), [24, 26]);

        Assert.Equal(["Raised THRESHOLD warning @1"], _steps);
    }

    [Theory]
    [InlineData(14, null)]
    [InlineData(24, "Raised RATE_OF_CHANGE warning @2")]
    [InlineData(26, "Raised RATE_OF_CHANGE critical @2")]
    public void A_change_beyond_what_is_usual_is_a_warning_and_beyond_twice_that_critical(double value, string? step)
    {
        var watch = new Watch(isByEventTime: false);

        Read(watch, 5, 0, 0);
        Read(watch, 5, 30_000, 1);
        Read(watch, value, 60_000, 2);

        Assert.Equal(step is null ? [] : [step], _steps);
    }

    [Fact]
    public void A_change_is_measured_over_half_a_minute_so_that_noise_is_none()
    {
        var watch = new Watch(isByEventTime: false);

        // One degree up and down each second is 60 a minute between neighbours, and none over half a minute.
        for (var i = 0; i < 120; i++) Read(watch, 20 + (i % 2), i * 1_000L, i);
        Assert.Empty(_steps);
        for (var i = 120; i < 180; i++) Read(watch, 20 + ((i - 120) * 0.5), i * 1_000L, i);

        Assert.StartsWith("Raised RATE_OF_CHANGE warning", _steps[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_deviation_from_the_devices_own_history_is_an_alert_once_the_history_is_known()
    {
        var watch = new Watch(isByEventTime: false);
        var random = new Random(5);

        // A sensor of an unknown type: an hour around 100, then two minutes at 130.
        for (var i = 0; i < 3_600; i++) Read(watch, 100 + random.NextDouble(), i * 1_000L, i, "generic");
        Assert.Empty(_steps);
        for (var i = 3_600; i < 3_720; i++) Read(watch, 130, i * 1_000L, i, "generic");

        Assert.StartsWith("Raised Z_SCORE", Assert.Single(_steps, step => step.StartsWith("Raised", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_silent_device_is_an_alert_by_the_clock_until_it_speaks_again()
    {
        var watch = new Watch(isByEventTime: false);
        Read(watch, 20, 0, 0);

        Assert.Equal(Start + 60_000, watch.SilenceDue(_device));
        Assert.Null(watch.OnSilence(_device, Start + 60_000));
        Take(watch, 60);
        Read(watch, 20, 90_000, 90);

        Assert.Equal(["Raised MISSING_DATA warning @60", "Cleared MISSING_DATA warning @90"], _steps);
    }

    [Fact]
    public void A_timer_that_a_reading_has_overtaken_is_set_again()
    {
        var watch = new Watch(isByEventTime: false);
        Read(watch, 20, 0, 0);
        Read(watch, 20, 40_000, 1);

        Assert.Equal(Start + 100_000, watch.OnSilence(_device, Start + 60_000));
        Assert.Empty(watch.Changes);
    }

    [Fact]
    public void In_a_replay_the_reading_after_a_gap_tells_of_the_gap()
    {
        var watch = new Watch(isByEventTime: true);
        Read(watch, 20, 0, 0);
        Read(watch, 20, 600_000, 1);

        Assert.Equal(["Raised MISSING_DATA warning @1", "Cleared MISSING_DATA warning @1"], _steps);
        Assert.Equal(Start + 600_000, _device.LastTime);
    }

    [Fact]
    public void What_silence_is_of_an_unknown_device_follows_from_its_rhythm_and_its_longest_gap()
    {
        var watch = new Watch(isByEventTime: true);
        for (var i = 0; i < 50; i++) Read(watch, 20, i * 300_000L, i, "generic");
        Assert.Equal(Start + (49 * 300_000L) + 3_000_000, watch.SilenceDue(_device));

        Read(watch, 20, (49 * 300_000L) + 7_200_000, 50, "generic");

        Assert.Equal(["Raised MISSING_DATA warning @50", "Cleared MISSING_DATA warning @50"], _steps);
        Assert.Equal(_device.LastTime + 14_400_000, watch.SilenceDue(_device));
    }

    [Fact]
    public void A_reading_that_is_older_than_the_latest_is_no_news()
    {
        var watch = new Watch(isByEventTime: false);
        Read(watch, 20, 10_000, 0);
        Read(watch, 99, 5_000, 1);
        Read(watch, 99, 10_000, 2);

        Assert.Empty(_steps);
        Assert.Equal(20, _device.LastValue);
    }

    [Fact]
    public void An_acknowledgement_stays_with_its_episode_and_no_other()
    {
        var watch = new Watch(isByEventTime: false);
        Run(watch, [20, 36]);
        var id = Watch.IdOf("sensor-001", _device.Open[0]!);

        watch.OnAcknowledge(_device, Command(id));
        Take(watch, 2);
        watch.OnAcknowledge(_device, Command("sensor-001~threshold~1"));
        Take(watch, 3);
        Assert.Equal("Ada", _device.Open[0]!.AcknowledgedBy);
        Read(watch, 20, 4_000, 4);
        Read(watch, 40, 5_000, 5);

        Assert.Equal(
            [
                "Raised THRESHOLD warning @1", "Acknowledged THRESHOLD warning @2", "Cleared THRESHOLD warning @4",
                "Raised THRESHOLD warning @5",
            ],
            _steps);
        Assert.Null(_device.Open[0]!.AcknowledgedBy);
    }

    [Fact]
    public void What_is_remembered_comes_back_from_its_bytes()
    {
        var watch = new Watch(isByEventTime: true);
        _device.Described = new DeviceDescribed { DeviceId = "sensor-001", Name = "Boiler", High = 30 };
        var random = new Random(9);
        for (var i = 0; i < 500; i++) Read(watch, 20 + (random.NextDouble() * 12), i * 1_000L, i);
        var copy = Again(_device);

        // The copy and the original go on alike, and end in the same bytes.
        var other = new Watch(isByEventTime: true);
        for (var i = 500; i < 900; i++)
        {
            var reading = Reading(20 + (random.NextDouble() * 12), Start + (i * 1_000L));
            watch.OnReading(_device, reading, reading.Time);
            other.OnReading(copy, reading, reading.Time);
            Assert.Equal(watch.Changes, other.Changes);
        }

        var last = Reading(31, Start + 900_000);
        watch.OnReading(_device, last, last.Time);
        other.OnReading(copy, last, last.Time);
        Assert.Equal(Bytes(_device), Bytes(copy));
        Assert.Contains(_device.Open, alert => alert is not null);
    }

    private static AcknowledgeAlert Command(string id) =>
        new() { AlertId = id, DeviceId = "sensor-001", By = "Ada", At = DateTimeOffset.UnixEpoch };

    private static byte[] Bytes(DeviceWatch watch)
    {
        var output = new ArrayBufferWriter<byte>();
        WatchCodec.Write(watch, output);
        return output.WrittenSpan.ToArray();
    }

    private static DeviceWatch Again(DeviceWatch watch) => WatchCodec.Read(Bytes(watch));

    private void Run(Watch watch, double[] values)
    {
        for (var i = 0; i < values.Length; i++) Read(watch, values[i], i * 1_000L, i);
    }

    private void Read(Watch watch, double value, long after, int number, string type = "temperature")
    {
        var reading = Reading(value, Start + after, type: type);
        watch.OnReading(_device, reading, reading.Time);
        Take(watch, number);
    }

    private void Take(Watch watch, int number)
    {
        foreach (var change in watch.Changes)
            _steps.Add($"{change.Step} {AlertKinds.All[(int)change.Alert.Kind]} {(change.Alert.IsCritical ? "critical" : "warning")} @{number}");
    }
}

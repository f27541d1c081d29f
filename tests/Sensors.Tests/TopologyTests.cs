using Millrace.Streams;
using Millrace.Testing;
using Sensors.Alerts;
using Sensors.Averages;
using Sensors.Devices;
using Sensors.Readings;
using static Sensors.Tests.Examples;

namespace Sensors.Tests;

/// <summary>The system's streams in the test driver: no engine, virtual time.</summary>
public sealed class TopologyTests
{
    private readonly TopologyTestDriver _driver = Driver();

    [Fact]
    public void A_minute_of_a_device_becomes_one_average_when_it_is_closed()
    {
        foreach (var (value, second) in new[] { (20.0, 1), (26.0, 30), (23.0, 20) }) Send(value, second * 1_000L);
        Send(30, 60_000);

        Assert.Empty(_driver.Read<MinuteAverage>(AverageTopics.Enriched));
        Send(30, 96_000);

        var average = Assert.Single(_driver.Read<MinuteAverage>(AverageTopics.Enriched)).Value;
        Assert.Equal((3L, 20.0, 26.0, 23.0, 26.0), (average.Count, average.Min, average.Max, average.Mean, average.Last));
        Assert.Equal(("sensor-001", "temperature", "celsius", "warehouse-a"), (average.DeviceId, average.SensorType, average.Unit, average.Zone));
        Assert.Equal(EventClock.Time(Start), average.WindowStart);
        Assert.Equal(EventClock.Time(Start + 60_000), average.WindowEnd);
    }

    [Fact]
    public void A_reading_that_comes_before_its_minute_closes_is_in_the_one_average_that_is_said()
    {
        Send(20, 1_000);
        Send(20, 66_000);
        Assert.Empty(_driver.Read<MinuteAverage>(AverageTopics.Enriched)); // it has ended, and may still grow

        Send(26, 2_000);
        Send(20, 96_000);

        var average = Assert.Single(_driver.Read<MinuteAverage>(AverageTopics.Enriched)).Value;
        Assert.Equal((2L, 26.0), (average.Count, average.Max));
    }

    [Fact]
    public void What_is_known_of_a_device_changes_while_the_streams_run()
    {
        Describe(new DeviceDescribed { DeviceId = "sensor-001", Name = "Boiler", Zone = "cellar" });
        Send(20, 1_000);
        Send(20, 96_000);
        Describe(new DeviceDescribed { DeviceId = "sensor-001", Name = "Kettle" });
        Send(20, 200_000);

        Assert.Equal(
            [("Boiler", "cellar"), ("Kettle", "warehouse-a")],
            _driver.Read<MinuteAverage>(AverageTopics.Enriched).Select(one => (one.Value.Name, one.Value.Zone)));
    }

    [Fact]
    public void A_reading_that_comes_twice_counts_once_and_the_other_is_rejected()
    {
        var reading = Reading(20, Start + 1_000, id: "one");
        Send(reading);
        Send(reading);
        Send(Reading(20, Start + 1_000, device: "sensor-002", id: "one"));

        Assert.Equal(2, _driver.Read<SensorReading>(ReadingTopics.Validated).Count);
        var rejected = Assert.Single(_driver.Read<ReadingRejected>(ReadingTopics.Rejected)).Value;
        Assert.Equal(("DUPLICATE", "one", "sensor-001"), (rejected.Reason, rejected.ReadingId, rejected.DeviceId));
    }

    [Fact]
    public void A_clock_that_is_wrong_moves_no_watermark()
    {
        Send(20, 1_000);
        Send(Reading(21, Start + 86_400_000));
        Send(22, 2_000);
        Send(20, 96_000);

        var rejected = Assert.Single(_driver.Read<ReadingRejected>(ReadingTopics.Rejected)).Value;
        Assert.Equal("CLOCK", rejected.Reason);
        Assert.Equal(2, Assert.Single(_driver.Read<MinuteAverage>(AverageTopics.Enriched)).Value.Count);
        Assert.Empty(_driver.Read<SensorReading>(ReadingTopics.Late));
    }

    [Fact]
    public void A_reading_whose_minute_has_closed_is_late_and_still_valid()
    {
        Send(20, 1_000);
        Send(20, 96_000);
        Send(25, 2_000);

        Assert.Equal(25, Assert.Single(_driver.Read<SensorReading>(ReadingTopics.Late)).Value.Value);
        Assert.Equal(3, _driver.Read<SensorReading>(ReadingTopics.Validated).Count);
    }

    [Fact]
    public void A_devices_clock_closes_its_minutes_and_is_no_reading()
    {
        Send(20, 1_000);
        _driver.Pipe(ReadingTopics.Raw, new SensorReading
        {
            Id = "end", DeviceId = "sensor-001", SensorType = "", Value = double.NaN, Unit = "", IsClock = true,
            Time = Start + 1_000 + (long)Topology.Closing.TotalMilliseconds,
        }, 0);

        Assert.Single(_driver.Read<MinuteAverage>(AverageTopics.Enriched));
        Assert.Single(_driver.Read<SensorReading>(ReadingTopics.Validated));
        Assert.Empty(_driver.Read<ReadingRejected>(ReadingTopics.Rejected));
    }

    [Fact]
    public void An_alert_is_raised_acknowledged_and_cleared_under_one_id()
    {
        Send(20, 0);
        Send(36, 1_000);
        var raised = Assert.Single(_driver.Read<AlertEvent>(AlertTopics.Triggered)).Value;
        _driver.Pipe(AlertTopics.Commands, new AcknowledgeAlert
        {
            AlertId = raised.AlertId, DeviceId = "sensor-001", By = "Ada", Note = "on it", At = EventClock.Time(Start),
        }, Start);
        Send(20, 2_000);

        var steps = _driver.Read<AlertEvent>(AlertTopics.Triggered).Select(one => one.Value).ToList();
        Assert.IsType<AlertEvent.Raised>(raised);
        Assert.Collection(
            steps,
            step => Assert.Equal(("Ada", "on it"), (Assert.IsType<AlertEvent.Acknowledged>(step).AcknowledgedBy, step.Note)),
            step => Assert.Equal(("Ada", EventClock.Time(Start + 2_000)), (Assert.IsType<AlertEvent.Cleared>(step).AcknowledgedBy, step.End)));
        Assert.All(steps, step => Assert.Equal(raised.AlertId, step.AlertId));
    }

    [Fact]
    public void A_device_that_says_nothing_is_an_alert_by_the_clock()
    {
        Send(20, 0);
        _driver.AdvanceProcessingTime(TimeSpan.FromSeconds(59));
        Assert.Empty(_driver.Read<AlertEvent>(AlertTopics.Triggered));

        _driver.AdvanceProcessingTime(TimeSpan.FromSeconds(2));

        var raised = Assert.IsType<AlertEvent.Raised>(Assert.Single(_driver.Read<AlertEvent>(AlertTopics.Triggered)).Value);
        Assert.Equal((AlertKinds.MissingData, "no reading for 60 s"), (raised.Kind, raised.Reason));
        Send(20, 70_000);
        Assert.IsType<AlertEvent.Cleared>(Assert.Single(_driver.Read<AlertEvent>(AlertTopics.Triggered)).Value);
    }

    [Fact]
    public void A_device_of_which_is_said_that_it_is_silent_sooner_is_an_alert_sooner()
    {
        Send(20, 0);
        Describe(new DeviceDescribed { DeviceId = "sensor-001", SilentAfterSeconds = 10 });

        _driver.AdvanceProcessingTime(TimeSpan.FromSeconds(11));

        var raised = Assert.IsType<AlertEvent.Raised>(Assert.Single(_driver.Read<AlertEvent>(AlertTopics.Triggered)).Value);
        Assert.Equal("no reading for 10 s", raised.Reason);
    }

    [Fact]
    public void Everything_goes_on_from_a_snapshot_as_if_nothing_had_happened()
    {
        var random = new Random(3);
        var readings = Enumerable.Range(0, 600).Select(i => Reading(
            20 + (random.NextDouble() * 17), Start + (i * 1_000) - random.Next(4_000), $"sensor-{random.Next(5):000}", id: $"r{i / 2 * 2}")).ToList();
        var whole = Driver();
        foreach (var reading in readings) whole.Pipe(ReadingTopics.Raw, reading, 0);

        var restarted = Driver();
        var outputs = new List<string>();
        for (var i = 0; i < readings.Count; i++)
        {
            restarted.Pipe(ReadingTopics.Raw, readings[i], 0);
            if (i % 97 != 0) continue;
            outputs.AddRange(Outputs(restarted));
            restarted = Driver(restarted.Snapshot());
        }

        outputs.AddRange(Outputs(restarted));
        Assert.Equal(Outputs(whole).Order(StringComparer.Ordinal), outputs.Order(StringComparer.Ordinal));
        Assert.Contains(outputs, line => line.StartsWith("Raised", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Outputs(TopologyTestDriver driver) =>
    [
        .. driver.Read<MinuteAverage>(AverageTopics.Enriched).Select(one => one.ToString()),
        .. driver.Read<AlertEvent>(AlertTopics.Triggered).Select(one => $"{one.Value.GetType().Name} {one.Value} {one.Timestamp}"),
        .. driver.Read<ReadingRejected>(ReadingTopics.Rejected).Select(one => one.ToString()),
        .. driver.Read<SensorReading>(ReadingTopics.Late).Select(one => $"late {one.Value.Id} {one.Timestamp}"),
    ];

    private static TopologyTestDriver Driver(byte[]? snapshot = null)
    {
        var driver = new TopologyTestDriver(Define(), 1, snapshot);
        driver.AdvanceProcessingTime(TimeSpan.FromMilliseconds(Start)); // a driver's clock begins in 1970
        return driver;
    }

    private static StreamTopology Define()
    {
        var topology = new StreamTopology(Topology.Name);
        Topology.Define(topology, Topology.Events(), ClockBounds.Live, isReplay: false, new FixedClock());
        return topology;
    }

    private void Send(double value, long after) => Send(Reading(value, Start + after));

    private void Send(SensorReading reading) => _driver.Pipe(ReadingTopics.Raw, reading, reading.Time);

    private void Describe(DeviceDescribed described) => _driver.Pipe(DeviceTopics.Described, described, Start);

    private sealed class FixedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => EventClock.Time(Start);
    }
}

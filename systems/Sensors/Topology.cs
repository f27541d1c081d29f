using Millrace;
using Millrace.Streams;
using Sensors.Alerts;
using Sensors.Averages;
using Sensors.Devices;
using Sensors.Readings;

namespace Sensors;

/// <summary>The topics, the event types and the streams between them: the picture of the README as code.</summary>
internal static class Topology
{
    /// <summary>The streams' name, which is their group's.</summary>
    public const string Name = "sensors";

    /// <summary>Who says what the streams say, in CloudEvents' terms.</summary>
    public const string Source = "/services/sensors";

    private static readonly TimeSpan OutOfOrderness = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Lateness = TimeSpan.FromSeconds(30);

    /// <summary>Tables that hardly ever change hold no watermark back for long.</summary>
    private static readonly TimeSpan TableIdleAfter = TimeSpan.FromSeconds(1);

    /// <summary>How far event time must go on for everything before it to be said: a minute, its lateness, the order.</summary>
    public static TimeSpan Closing { get; } = TimeSpan.FromMinutes(1) + Lateness + OutOfOrderness + TimeSpan.FromMilliseconds(2);

    /// <summary>All event types but readings, which have a codec of their own.</summary>
    public static EventRegistry Events() => EventRegistry.Create(events => events
        .Add(ReadingTypes.Rejected, ReadingTopics.Rejected, EventJson.Default.ReadingRejected, rejected => rejected.DeviceId)
        .Add(MinuteAverage.Type, AverageTopics.Enriched, EventJson.Default.MinuteAverage, average => average.DeviceId)
        .Add(DeviceDescribed.Type, DeviceTopics.Described, EventJson.Default.DeviceDescribed, described => described.DeviceId)
        .Add(AcknowledgeAlert.Type, AlertTopics.Commands, EventJson.Default.AcknowledgeAlert, command => command.DeviceId)
        .Add(AlertEvent.Raised.Type, AlertTopics.Triggered, EventJson.Default.Raised, alert => alert.DeviceId)
        .Add(AlertEvent.Changed.Type, AlertTopics.Triggered, EventJson.Default.Changed, alert => alert.DeviceId)
        .Add(AlertEvent.Cleared.Type, AlertTopics.Triggered, EventJson.Default.Cleared, alert => alert.DeviceId)
        .Add(AlertEvent.Acknowledged.Type, AlertTopics.Triggered, EventJson.Default.Acknowledged, alert => alert.DeviceId));

    /// <summary>The topics, all partitioned alike by device: what belongs to a device is worked on in one place.</summary>
    public static IReadOnlyList<string> Topics { get; } =
    [
        ReadingTopics.Raw, ReadingTopics.Validated, ReadingTopics.Rejected, ReadingTopics.Late, AverageTopics.Enriched,
        AlertTopics.Triggered, AlertTopics.Commands, DeviceTopics.Described,
    ];

    /// <summary>Adds the topics.</summary>
    public static MillraceBuilder AddSensorTopics(this MillraceBuilder millrace, int partitions)
    {
        foreach (var topic in Topics) millrace.AddTopic(new TopicSpecification { Name = topic, Partitions = partitions });
        return millrace;
    }

    /// <summary>Defines the streams.</summary>
    /// <param name="topology">Where.</param>
    /// <param name="events">The event types.</param>
    /// <param name="bounds">What devices' clocks are held against.</param>
    /// <param name="isReplay">Whether silence is judged by event time.</param>
    /// <param name="time">The clock.</param>
    public static void Define(StreamTopology topology, EventRegistry events, ClockBounds bounds, bool isReplay, TimeProvider time)
    {
        var rejected = new OutputTag<ReadingRejected>("rejected");
        var late = new OutputTag<SensorReading>("late");
        var readings = new ReadingCodec(ReadingTypes.Validated, keepsEnvelope: true);
        var readingsOut = new OutputOptions<SensorReading> { Key = reading => reading.DeviceId, Codec = readings };
        var raw = topology.From(ReadingTopics.Raw, new SourceOptions<SensorReading>
        {
            Codec = readings,
            OutOfOrderness = OutOfOrderness,

            // A clock that is wrong must not carry the watermark with it: such a reading has the time of the clock, and is rejected.
            Timestamp = (reading, _) => Within(bounds, reading.Time, time.GetUtcNow().ToUnixTimeMilliseconds()),
        });
        var described = Table<DeviceDescribed>(topology, DeviceTopics.Described, events);
        var commands = Table<AcknowledgeAlert>(topology, AlertTopics.Commands, events);

        // sensors.raw -> rules -> sensors.validated, and what does not pass -> sensors.rejected
        var validated = raw.Where(reading => !reading.IsClock)
            .KeyBy(reading => reading.DeviceId)
            .Process(() => new ValidateReadings(bounds, rejected), sides => sides.Add(rejected))
            .Named("rules");
        validated.To(ReadingTopics.Validated, readingsOut);
        topology.SideOutput(rejected).To(ReadingTopics.Rejected, EventsOf<ReadingRejected>(events, one => one.DeviceId));

        // validated -> minutes -> with what is known of the device -> sensors.enriched, and what came too late -> sensors.late
        validated.KeyBy(reading => reading.DeviceId, partitioning: Partitioning.InPlace)
            .Window(Tumbling.Of(TimeSpan.FromMinutes(1)))
            .AllowedLateness(Lateness)
            .TriggeredBy(Trigger.OnClose)
            .LateTo(late)
            .Aggregate(new AverageReadings(), MinuteOfReadings.Codec)
            .Named("minutes")
            .KeyBy(minute => minute.Key, partitioning: Partitioning.InPlace)
            .LeftJoinTable(
                described.KeyBy(device => device.DeviceId, partitioning: Partitioning.InPlace),
                MinuteAverage.Of, StateCodecs.Json(EventJson.Default.DeviceDescribed))
            .Named("enrichment")
            .To(AverageTopics.Enriched, EventsOf<MinuteAverage>(events, one => one.DeviceId));
        topology.SideOutput(late).To(ReadingTopics.Late, readingsOut);

        // validated, descriptions and acknowledgements -> the watch of each device -> alerts.triggered
        validated.Select(reading => (object)reading)
            .Union(described.Select(device => (object)device))
            .Union(commands.Select(command => (object)command))
            .KeyBy(WatchReadings.DeviceOf, partitioning: Partitioning.InPlace)
            .Process(() => new WatchReadings(isReplay))
            .Named("watch")
            .To(AlertTopics.Triggered, EventsOf<AlertEvent>(events, one => one.DeviceId));
    }

    private static long Within(ClockBounds bounds, long time, long now) => bounds.Hold(time, now) ? time : now;

    private static DataStream<T> Table<T>(StreamTopology topology, string topic, EventRegistry events)
        where T : class => topology.From(topic, new SourceOptions<T>
        {
            Codec = RecordCodecs.Events<T>(events), IdleAfter = TableIdleAfter,
        });

    private static OutputOptions<T> EventsOf<T>(EventRegistry events, Func<T, string> key)
        where T : class => new() { Key = key, Codec = RecordCodecs.Events<T>(events, Source) };
}

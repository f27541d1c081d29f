using System.Buffers.Binary;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Millrace;
using Sensors.Alerts;
using Sensors.Readings;
using static Sensors.Tests.Examples;
using static Sensors.Tests.RunningPlatform;

namespace Sensors.Tests;

/// <summary>The whole platform: over real MQTT in, over HTTP and WebSocket out.</summary>
public abstract class PlatformTests(Ground ground) : OnGround(ground)
{
    private static readonly long Now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 60_000 * 60_000;

    [Fact]
    public async Task A_reading_over_mqtt_is_a_devices_latest_value_and_a_point_of_its_series()
    {
        await using var platform = await StartAsync();

        await platform.SendAsync(Reading(20, Now - 2_000), Reading(22, Now - 1_000), Reading(24, Now));

        var device = await platform.GetAsync("/api/devices/sensor-001", PlainJson.Api.DeviceAnswer);
        Assert.Equal((24.0, "temperature", "celsius", "warehouse-a", "OK"), (device.Value, device.SensorType, device.Unit, device.Zone, device.Status));
        var series = await platform.GetAsync("/api/devices/sensor-001/series?step=1m", PlainJson.Api.SeriesAnswer);
        Assert.Equal([(20.0, 22.0, 22.0, 2L), (24.0, 24.0, 24.0, 1L)], series.Points.Select(one => (one.Min, one.Max, one.Last, one.Count)));
        var page = await platform.GetAsync("/api/devices?zone=warehouse-a&type=temperature&status=OK&q=SENSOR", PlainJson.Api.DevicePage);
        Assert.Equal("sensor-001", Assert.Single(page.Items).DeviceId);
    }

    [Fact]
    public async Task What_is_said_of_a_device_is_kept_and_counts_from_then_on()
    {
        using var folder = new TemporaryFolder();
        await using (var platform = await StartAsync(folder: folder))
        {
            var answer = await platform.PutAsync("/api/devices/sensor-001", """{"name":"Boiler","high":21}""", PlainJson.Api.DeviceAnswer);
            Assert.Equal(("Boiler", "UNKNOWN"), (answer.Name, answer.Status));
            await platform.SettleAsync(); // it is durable when it is answered, and counts when the streams have read it
            await platform.SendAsync(Reading(22, Now));
            Assert.Equal("WARNING", platform.View.FindDevice("sensor-001")!.Status);
        }

        await using var again = await StartAsync(folder: folder);
        var device = await again.GetAsync("/api/devices/sensor-001", PlainJson.Api.DeviceAnswer);
        Assert.Equal(("Boiler", 22.0, "WARNING", 21.0), (device.Name, device.Value, device.Status, device.High));
        await again.SendAsync(Reading(20, Now + 1_000));
        Assert.Equal("OK", again.View.FindDevice("sensor-001")!.Status);
        Assert.Equal("CLEARED", Assert.Single(again.View.ListAlerts(_ => true, 1, 10).Items).State);
    }

    [Fact]
    public async Task An_alert_is_acknowledged_once_its_device_is_told_and_not_when_it_is_over()
    {
        await using var platform = await StartAsync();
        await platform.SendAsync(Reading(36, Now));
        var alert = Assert.Single((await platform.GetAsync("/api/alerts?state=OPEN", PlainJson.Api.AlertPage)).Items);

        using var done = await platform.PostAsync($"/api/alerts/{alert.AlertId}/acknowledge", """{"by":"Ada","note":"on it"}""");
        Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        var taken = await platform.GetAsync($"/api/alerts/{alert.AlertId}", PlainJson.Api.AlertAnswer);
        Assert.Equal(("ACKNOWLEDGED", "Ada", "on it"), (taken.State, taken.AcknowledgedBy, taken.Note));

        await platform.SendAsync(Reading(20, Now + 1_000));
        using var over = await platform.PostAsync($"/api/alerts/{alert.AlertId}/acknowledge", """{"by":"Eve"}""");
        Assert.Equal(HttpStatusCode.Conflict, over.StatusCode);
        using var unknown = await platform.PostAsync("/api/alerts/none/acknowledge", """{"by":"Eve"}""");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Theory]
    [InlineData("/api/devices?status=BAD", "status", "is 'BAD'; it must be one of UNKNOWN, OK, WARNING, CRITICAL, SILENT")]
    [InlineData("/api/devices?pageSize=1001", "pageSize", "is '1001'; it must be a whole number from 1 to 1000")]
    [InlineData("/api/alerts?kind=odd", "kind", "is 'odd'; it must be one of THRESHOLD, RATE_OF_CHANGE, Z_SCORE, MISSING_DATA")]
    [InlineData("/api/devices/sensor-001/series?from=yesterday", "from", "is 'yesterday'; it must be a time such as 2026-01-25T10:30:00Z")]
    [InlineData("/api/devices/sensor-001/series?step=5", "step", "is '5'; it must be a number with s, m, h or d, from 0.001s to 365d")]
    public async Task A_query_that_is_wrong_is_answered_with_its_field_and_value(string path, string field, string message)
    {
        await using var platform = await StartAsync();
        await platform.SendAsync(Reading(20, Now));

        using var answer = await platform.Http.GetAsync(path, Patience);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(message, (await ProblemAsync(answer)).Errors![field][0]);
    }

    [Theory]
    [InlineData("""{"low":5,"high":3}""", "low", "is 5; it must be below high, which is 3")]
    [InlineData("""{"name":""}""", "name", "must not be empty; leave it out for none")]
    [InlineData("""{"silentAfterSeconds":0}""", "silentAfterSeconds", "is 0; it must be from 1 to 31536000")]
    [InlineData("""{"high":"warm"}""", "high", "is \"warm\", which is not of the type that is expected")]
    [InlineData("""{"zone":["north"]}""", "zone", "is [\"north\"], which is not of the type that is expected")]
    public async Task A_description_that_is_wrong_changes_nothing(string json, string field, string message)
    {
        await using var platform = await StartAsync();

        using var answer = await platform.Http.PutAsync("/api/devices/sensor-001", Json(json), Patience);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(message, (await ProblemAsync(answer)).Errors![field][0]);
        Assert.Null(platform.View.FindDevice("sensor-001"));
    }

    [Theory]
    [InlineData("""{"high":1e400}""", "high is Infinity; it must be a number of double precision.")]
    [InlineData("""{"high":5,"high":"warm"}""", "The body is not JSON: ")]
    [InlineData("""{"high":"warm","\ud800":1}""", "The body is not JSON: ")]
    [InlineData("""{"name":"\ud800"}""", "name is \"\\ud800\", which is not of the type that is expected.")]
    [InlineData("[1]", "The body is [1]; it must be an object.")]
    [InlineData("null", "The body is null; it must be an object.")]
    public async Task A_description_that_is_none_changes_nothing(string json, string message)
    {
        await using var platform = await StartAsync();

        using var answer = await platform.Http.PutAsync("/api/devices/sensor-001", Json(json), Patience);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.StartsWith(message, (await ProblemAsync(answer)).Detail, StringComparison.Ordinal);
        Assert.Null(platform.View.FindDevice("sensor-001"));
    }

    [Fact]
    public async Task What_is_no_reading_is_a_dead_letter_and_the_others_go_on()
    {
        await using var platform = await StartAsync();
        var engine = platform.Services.GetRequiredService<Engine>();
        using var commit = new Commit();
        var partition = Partitioner.PartitionOf("sensor-001"u8, 4);
        commit.To(new TopicPartition(ReadingTopics.Raw, partition)).Add(Now, "sensor-001"u8, "hello"u8);
        (await engine.CommitAsync(commit, Patience)).RequireCommitted();

        await platform.SendAsync(Reading(20, Now));

        Assert.Equal(20, platform.View.FindDevice("sensor-001")!.Value);
        using var reader = engine.OpenReader(new TopicPartition($"{ReadingTopics.Raw}.dlq", partition), 0);
        using var dead = await reader.ReadAsync(1 << 20, Patience);
        var letters = 0;
        foreach (var record in dead) letters++;
        Assert.Equal(1, letters);
    }

    [Fact]
    public async Task The_streams_say_what_they_do_and_what_they_wait_for()
    {
        await using var platform = await StartAsync();
        await platform.SendAsync(Reading(20, Now), Reading(21, Now + 1_000));

        var topology = Assert.Single(await platform.GetAsync("/api/streams", PlainJson.Api.IReadOnlyListTopologyAnswer));
        var window = Assert.Single(topology.Stages[0].Operators, one => one.Name.Contains("window", StringComparison.Ordinal));
        var text = await platform.Http.GetStringAsync("/api/streams/explain", Patience);
        var stats = await platform.GetAsync("/api/stats", PlainJson.Api.SensorsStats);

        Assert.Equal((2L, 0L), (window.RecordsIn, window.RecordsOut));
        Assert.Equal(EventClock.Time(Now + 1_000 - 5_001), window.Watermark);
        Assert.Equal(EventClock.Time(Now + 59_999), window.WaitsFor);
        Assert.Contains("topology sensors", text, StringComparison.Ordinal);
        Assert.InRange(stats.Topics[ReadingTopics.Validated], 2, 4); // offsets: each commit on Kafka takes one more
        Assert.All(stats.Lag, group => Assert.Equal(0, group.Value));
    }

    [Fact]
    public async Task A_page_gets_a_snapshot_and_then_what_changes()
    {
        await using var platform = await StartAsync();
        await platform.SendAsync(Reading(20, Now));
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{platform.Http.BaseAddress!.Authority}/api/live"), Patience);

        using var snapshot = JsonDocument.Parse((await ReceiveAsync(socket)).Bytes);
        Assert.Equal("snapshot", snapshot.RootElement.GetProperty("type").GetString());
        Assert.Equal("sensor-001", snapshot.RootElement.GetProperty("devices")[0][1].GetString());
        await platform.SendAsync(Reading(36.5, Now + 1_000));

        var (hasValue, hasAlert) = (false, false);
        while (!hasValue || !hasAlert)
        {
            var (bytes, isText) = await ReceiveAsync(socket);
            if (isText) hasAlert |= JsonDocument.Parse(bytes).RootElement.GetProperty("type").GetString() == "alert";
            else hasValue |= BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(16 + 8 + 4)) == 36.5f;
        }

        using var plain = await platform.Http.GetAsync("/api/live", Patience);
        Assert.Equal(HttpStatusCode.BadRequest, plain.StatusCode);
    }

    [Fact]
    public async Task Alerts_travel_on_as_events_of_their_types()
    {
        await using var platform = await StartAsync();
        await platform.SendAsync(Reading(20, Now), Reading(36, Now + 1_000), Reading(20, Now + 2_000));

        var engine = platform.Services.GetRequiredService<Engine>();
        var partition = Partitioner.PartitionOf("sensor-001"u8, 4);
        using var reader = engine.OpenReader(new TopicPartition(AlertTopics.Triggered, partition), 0);
        var types = new List<string>();
        while (types.Count < 2)
        {
            using var records = await reader.ReadAsync(1 << 20, Patience);
            foreach (var record in records) types.Add(EventCodec.Read(record).ToEvent().Type);
        }

        Assert.Equal([AlertEvent.Raised.Type, AlertEvent.Cleared.Type], types);
    }

    private static async Task<(byte[] Bytes, bool IsText)> ReceiveAsync(ClientWebSocket socket)
    {
        var bytes = new List<byte>();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer, Patience);
            bytes.AddRange(buffer.AsSpan(0, received.Count));
            if (received.EndOfMessage) return ([.. bytes], received.MessageType == WebSocketMessageType.Text);
        }
    }
}

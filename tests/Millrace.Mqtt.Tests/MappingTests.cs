using System.Text;
using Millrace.Mqtt.Mapping;

namespace Millrace.Mqtt.Tests;

public sealed class MappingTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 25, 10, 30, 0, TimeSpan.Zero);

    private static readonly MqttRoute Route = new() { Topics = "sensors/{zone}/{device}/reading", Target = "raw", Key = "{device}" };

    private static readonly MqttPayload.Json Json = new() { Type = "reading", Source = "/devices/{device}" };

    [Fact]
    public void An_envelope_is_taken_byte_for_byte()
    {
        var envelope = Envelope("2026-01-25T10:30:00.123Z");

        var record = Map(Route, envelope);

        Assert.Equal(envelope, Encoding.UTF8.GetString(record.Value.Span));
        Assert.Equal("d1", Encoding.UTF8.GetString(record.Key));
        Assert.Equal(Now.ToUnixTimeMilliseconds() + 123, record.Timestamp);
    }

    [Fact]
    public void A_lone_number_becomes_an_event_by_template()
    {
        var route = Route with { Payload = Json with { Id = "{device}-1", Data = "{ \"deviceId\": \"{device}\", \"value\": {payload} }" } };

        var read = Read(Map(route, "23.5"));

        Assert.Equal("{ \"deviceId\": \"d1\", \"value\": 23.5 }", Encoding.UTF8.GetString(read.Data.Span));
        Assert.Equal(("d1-1", "/devices/d1", "reading", Now), (read.Id, read.Source, read.Type, read.Time));
    }

    [Fact]
    public void Fields_of_the_payload_give_id_time_and_key()
    {
        var route = Route with { Key = "{payload.at.room}", Payload = Json with { Id = "{device}-{payload.n}", Time = "{payload.time}" } };

        var record = Map(route, """{"n":7,"time":"2026-01-25T10:29:59Z","at":{"room":"r2"}}""");

        Assert.Equal("r2", Encoding.UTF8.GetString(record.Key));
        Assert.Equal(("d1-7", Now.AddSeconds(-1)), (Read(record).Id, Read(record).Time));
        Assert.Equal(Now.AddSeconds(-1).ToUnixTimeMilliseconds(), record.Timestamp);
    }

    [Fact]
    public void Text_from_a_topic_cannot_break_out_of_the_data()
    {
        var route = Route with { Payload = Json with { Data = "{ \"device\": \"{device}\" }" } };

        var read = Read(Map(route, "1", "sensors/hall/a\",\"b\":\"c/reading"));

        using var data = System.Text.Json.JsonDocument.Parse(read.Data);
        Assert.Equal("a\",\"b\":\"c", data.RootElement.GetProperty("device").GetString());
    }

    [Theory]
    [InlineData("no json", "not JSON")]
    [InlineData("{}", "{payload.n}")]
    [InlineData("{\"n\":null}", "null")]
    public void What_lacks_a_field_is_refused_with_the_reason(string payload, string reason)
    {
        var route = Route with { Payload = Json with { Id = "{payload.n}" } };

        Assert.Contains(reason, Assert.Throws<UnusableException>(() => Map(route, payload)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2026-01-25T10:36:00Z", "after")]
    [InlineData("2026-01-25T08:30:00Z", "before")]
    public void A_time_too_far_from_the_clock_is_rejected_or_corrected(string time, string side)
    {
        var skew = new MqttClockSkew { PastMax = TimeSpan.FromHours(1) };

        var refused = Assert.Throws<UnusableException>(() => Map(Route with { ClockSkew = skew }, Envelope(time)));
        var corrected = Map(Route with { ClockSkew = skew with { Action = MqttSkewAction.Correct } }, Envelope(time));

        Assert.Contains(side, refused.Message, StringComparison.Ordinal);
        Assert.Equal(Now, Read(corrected).Time);
        Assert.Equal(Now.ToUnixTimeMilliseconds(), corrected.Timestamp);
        Assert.StartsWith(time[..19], Read(corrected).Extensions[MessageMapping.OriginalTime], StringComparison.Ordinal);
    }

    [Fact]
    public void A_time_within_the_guard_is_left_as_it_is()
    {
        var envelope = Envelope("2026-01-25T10:34:59Z");

        Assert.Equal(envelope, Encoding.UTF8.GetString(Map(Route with { ClockSkew = new MqttClockSkew() }, envelope).Value.Span));
    }

    [Theory]
    [InlineData("a/{x}/{x}")]
    [InlineData("a/{topic}")]
    [InlineData("a/#/b")]
    [InlineData("a/b+")]
    [InlineData("")]
    public void Topics_that_are_no_filter_are_refused(string topics) =>
        Assert.Throws<ArgumentException>(() => new MessageMapping(Route with { Topics = topics, Key = "{topic}" }));

    [Fact]
    public void Templates_that_cannot_be_filled_are_refused_at_the_start()
    {
        Assert.Throws<ArgumentException>(() => new MessageMapping(Route with { Key = "{device} {nobody}" }));
        Assert.Throws<ArgumentException>(() => new MessageMapping(Route with { Payload = Json with { Data = "{ \"a\": {device}" } }));
    }

    [Theory]
    [InlineData("a/+/c", "a/b/c", true)]
    [InlineData("a/+", "a/b/c", false)]
    [InlineData("a/#", "a", true)]
    [InlineData("a/#", "a/b/c", true)]
    [InlineData("#", "a", true)]
    [InlineData("#", "$SYS/a", false)]
    [InlineData("+/a", "$SYS/a", false)]
    [InlineData("$SYS/#", "$SYS/a", true)]
    [InlineData("a", "a/b", false)]
    [InlineData("a/b", "a", false)]
    public void Filters_fit_topics_as_the_specification_says(string filter, string topic, bool fits) =>
        Assert.Equal(fits, TopicFilter.Matches(filter, topic));

    [Fact]
    public void Options_outside_of_their_limits_are_refused_by_name_and_value()
    {
        var good = new MqttSourceOptions { Name = "n", Routes = [Route] };
        (MqttSourceOptions Options, string Message)[] bad =
        [
            (good with { Name = "a b" }, "MqttSourceOptions.Name is 'a b'"),
            (good with { Routes = [] }, "Routes is empty"),
            (good with { Clients = 2 }, "MqttSourceOptions.Clients is 2; 1 to 1 is possible"),
            (good with { ReceiveMaximum = 65_536 }, "ReceiveMaximum is 65536;"),
            (good with { KeepAlive = TimeSpan.Zero }, "KeepAlive is 00:00:00;"),
            (good with { CommitMessagesMax = 0 }, "CommitMessagesMax is 0;"),
            (good with { PayloadBytesMax = 0 }, "PayloadBytesMax is 0;"),
            (good with { RememberedMax = 0 }, "RememberedMax is 0;"),
            (good with { Routes = [Route with { Client = 1 }] }, "MqttRoute.Client is 1;"),
            (good with { Routes = [Route with { ShareGroup = "a/b" }] }, "MqttRoute.ShareGroup is 'a/b'"),
            (good with { Broker = new MqttBrokerOptions { Port = 65_536 } }, "MqttBrokerOptions.Port is 65536;"),
            (good with { Broker = new MqttBrokerOptions { Access = [new MqttAccessRule { Filter = "a#" }] } }, "MqttAccessRule.Filter is 'a#'"),
        ];

        foreach (var (options, message) in bad)
            Assert.Contains(message, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }

    private static MappedRecord Map(MqttRoute route, string payload, string topic = "sensors/hall/d1/reading") =>
        new MessageMapping(route).Map(topic, Encoding.UTF8.GetBytes(payload), Now, () => "new");

    private static CloudEvent Read(MappedRecord record)
    {
        Assert.True(EventCodec.TryReadJson(record.Value, out var view, out var reason), reason);
        return view.ToEvent();
    }

    private static string Envelope(string time) =>
        $$"""{ "specversion":"1.0", "id":"1", "source":"/devices/d1", "type":"reading", "time":"{{time}}", "data":{"value":23.5} }""";
}

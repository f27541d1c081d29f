using System.Net;
using System.Text;
using MQTTnet.Packets;

namespace Millrace.Mqtt.Tests;

/// <summary>The sink at a broker that a test plays packet by packet.</summary>
public sealed class SinkTests : MqttRig
{
    private MqttSinkOptions Options => new()
    {
        Name = "commands",
        Topics = ["sensors.raw"],
        Server = new MqttServerAddress { Host = "127.0.0.1", Port = ((IPEndPoint)Listener.LocalEndpoint).Port },
        MqttTopic = "commands/{key}/{data.what}",
    };

    [Fact]
    public async Task A_record_that_was_not_acknowledged_is_published_again()
    {
        await SayAsync("d1", """{"what":"on"}""");
        await using var runtime = await RunAsync();
        using (var first = await AcceptAsync())
        {
            Assert.Equal("commands/d1/on", (await first.ReceiveAsync<MqttPublishPacket>(Cancellation)).Topic);
        }

        using var second = await AcceptAsync();
        var again = await second.ReceiveAsync<MqttPublishPacket>(Cancellation);
        Assert.Equal("""{"what":"on"}""", Encoding.UTF8.GetString(again.Payload.First.Span));
        Assert.Contains(await Engine.DescribeLagAsync("commands", Cancellation), lag => lag.Lag == 1);
        await second.SendAsync(new MqttPubAckPacket { PacketIdentifier = again.PacketIdentifier }, Cancellation);
        await runtime.WaitUntilIdleAsync(Cancellation);

        Assert.All(await Engine.DescribeLagAsync("commands", Cancellation), lag => Assert.Equal(0, lag.Lag));
    }

    [Fact]
    public async Task Records_are_published_in_their_order_and_no_more_wait_than_the_broker_allows()
    {
        for (var i = 0; i < 20; i++) await SayAsync("d1", $$"""{"what":"n{{i}}"}""");
        await using var runtime = await RunAsync();
        using var wire = await AcceptAsync(receiveMaximum: 3);

        var waiting = new Queue<ushort>();
        for (var i = 0; i < 20; i++)
        {
            if (waiting.Count == 3) await wire.SendAsync(new MqttPubAckPacket { PacketIdentifier = waiting.Dequeue() }, Cancellation);
            var published = await wire.ReceiveAsync<MqttPublishPacket>(Cancellation);
            waiting.Enqueue(published.PacketIdentifier);
            Assert.Equal($"commands/d1/n{i}", published.Topic);
        }

        while (waiting.TryDequeue(out var id)) await wire.SendAsync(new MqttPubAckPacket { PacketIdentifier = id }, Cancellation);
        await runtime.WaitUntilIdleAsync(Cancellation);
    }

    [Fact]
    public async Task A_record_that_makes_no_message_is_a_dead_letter_and_stops_nothing()
    {
        await SayAsync("d1", "{}");
        await SayAsync("+", """{"what":"on"}""", partitionOf: "d1");
        await SayAsync("d1", """{"what":"off"}""");
        await using var runtime = await RunAsync();
        using var wire = await AcceptAsync();
        var published = await wire.ReceiveAsync<MqttPublishPacket>(Cancellation);
        Assert.Equal("commands/d1/off", published.Topic);
        await wire.SendAsync(new MqttPubAckPacket { PacketIdentifier = published.PacketIdentifier }, Cancellation);
        await runtime.WaitUntilIdleAsync(Cancellation);

        var letters = await ReadAsync("sensors.raw" + MqttSink.DeadLetterSuffix);
        Assert.Equal(2, letters.Count);
        Assert.Contains(letters, letter => letter.Headers[MqttHeaders.Reason].Contains("'data.what'", StringComparison.Ordinal));
        Assert.Contains(letters, letter => letter.Headers[MqttHeaders.Reason].Contains("'commands/+/on'", StringComparison.Ordinal));
    }

    [Fact]
    public void A_template_that_makes_no_topic_is_refused()
    {
        Assert.Throws<ArgumentException>(() => MqttSink.Create(Options with { MqttTopic = "commands/#" }));
        Assert.Throws<ArgumentException>(() => MqttSink.Create(Options with { MqttTopic = "commands/{nothing}" }));
        Assert.Throws<ArgumentException>(() => MqttSink.Create(Options with { InFlightMax = 0 }));
    }

    private async Task<ProcessorRuntime> RunAsync()
    {
        var runtime = new ProcessorRuntime(
            Engine, [MqttSink.Create(Options)], new ProcessorRuntimeOptions { RestartBackoffMin = TimeSpan.FromMilliseconds(1) });
        await runtime.StartAsync(Cancellation);
        return runtime;
    }

    private async Task<Wire> AcceptAsync(ushort receiveMaximum = 0)
    {
        var wire = await Wire.AcceptAsync(Listener, Cancellation);
        await wire.ReceiveAsync<MqttConnectPacket>(Cancellation);
        await wire.SendAsync(new MqttConnAckPacket { ReceiveMaximum = receiveMaximum }, Cancellation);
        return wire;
    }

    private async Task SayAsync(string key, string data, string? partitionOf = null)
    {
        var said = new CloudEvent { Id = Guid.NewGuid().ToString(), Source = "/s", Type = "command", Data = Encoding.UTF8.GetBytes(data) };
        var target = new TopicPartition("sensors.raw", Partitioner.PartitionOf(Encoding.UTF8.GetBytes(partitionOf ?? key), 2));
        await Engine.AppendAsync(target, batch => EventCodec.Write(said, EventMode.Structured, Encoding.UTF8.GetBytes(key), 0, batch), cancellation: Cancellation);
    }
}

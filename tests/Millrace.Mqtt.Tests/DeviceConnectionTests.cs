using System.Text;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Tests;

/// <summary>What connections of the embedded broker do beyond one message at a time, and what of a session is kept over a restart.</summary>
public sealed class DeviceConnectionTests : MqttRig
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Messages_of_one_connection_share_commits_and_are_acknowledged_in_their_order(int quality)
    {
        const int messages = 50;
        var commits = 0;
        var gate = new TaskCompletionSource();
        Engine.Before = commit =>
        {
            if (commit.Batches.Count > 0) Interlocked.Increment(ref commits);
            return commit.Batches.Count > 0 ? gate.Task : Task.CompletedTask;
        };
        await using var source = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(source);

        for (var i = 1; i <= messages; i++) await device.SendAsync(Publish((ushort)i, $"{i}", quality), Cancellation);
        gate.SetResult();
        for (var i = 1; i <= messages; i++)
        {
            var answer = Assert.IsAssignableFrom<MqttPacketWithIdentifier>(await device.ReceiveAsync(Cancellation));
            Assert.Equal(i, answer.PacketIdentifier);
        }

        Assert.InRange(commits, 1, messages / 2);
        Assert.Equal(Enumerable.Range(1, messages).Select(i => $"{i}"), await DataAsync());
    }

    [Fact]
    public async Task What_follows_a_message_whose_append_fails_is_not_acknowledged_and_comes_after_it()
    {
        var isBroken = true;
        Engine.Before = commit => commit.Batches.Count > 0 && isBroken
            ? throw new MillraceException(FailureCodes.DiskFull, "full")
            : Task.CompletedTask;
        await using var source = await StartAsync(Embedded(Readings));
        using (var before = await ConnectAsync(source))
        {
            for (var i = 1; i <= 20; i++) await before.SendAsync(Publish((ushort)i, $"{i}"), Cancellation);
            Assert.DoesNotContain(await before.ReceiveToEndAsync(Cancellation), answer => answer is MqttPubAckPacket);
        }

        isBroken = false;
        using var device = await ReconnectAsync(source);
        for (var i = 1; i <= 20; i++) await device.SendAsync(Publish((ushort)i, $"{i}", isAgain: true), Cancellation);
        for (var i = 1; i <= 20; i++) Assert.Equal(i, (await device.ReceiveAsync<MqttPubAckPacket>(Cancellation)).PacketIdentifier);

        Assert.Equal(Enumerable.Range(1, 20).Select(i => $"{i}"), await DataAsync());
    }

    [Fact]
    public async Task A_connection_that_is_taken_over_says_nothing_more()
    {
        var gate = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        Engine.Before = commit =>
        {
            if (commit.Batches.Count > 0) entered.TrySetResult();
            return commit.Batches.Count > 0 ? gate.Task : Task.CompletedTask;
        };
        await using var source = await StartAsync(Embedded(Readings));
        using var before = await ConnectAsync(source);
        await before.SendAsync(Publish(1, "1", 2), Cancellation);
        await entered.Task.WaitAsync(Cancellation);
        await before.SendAsync(Publish(2, "2", 2), Cancellation);

        var connecting = ConnectAsync(source);
        gate.SetResult();
        using var device = await connecting;
        await device.SendAsync(Publish(1, "1", 2, isAgain: true), Cancellation);
        await device.SendAsync(Publish(2, "2", 2, isAgain: true), Cancellation);
        await device.ReceiveAsync<MqttPubRecPacket>(Cancellation);
        await device.ReceiveAsync<MqttPubRecPacket>(Cancellation);

        Assert.Equal(["1", "2"], await DataAsync());
    }

    [Theory]
    [InlineData(MqttProtocolVersion.V311)]
    [InlineData(MqttProtocolVersion.V500)]
    public async Task A_session_that_outlives_connections_is_known_after_a_restart_with_its_subscriptions(MqttProtocolVersion version)
    {
        var source = await StartAsync(Embedded(Readings));
        using (var before = await ConnectAsync(source, version: version))
        {
            await before.SendAsync(Subscription("commands/d1/#", 1), Cancellation);
            await before.ReceiveAsync<MqttSubAckPacket>(Cancellation);
            await before.SendAsync(Subscription("news", 0), Cancellation);
            await before.ReceiveAsync<MqttSubAckPacket>(Cancellation);
            await before.SendAsync(new MqttUnsubscribePacket { PacketIdentifier = 9, TopicFilters = ["news"] }, Cancellation);
            await before.ReceiveAsync<MqttUnsubAckPacket>(Cancellation);
        }

        await source.DisposeAsync();
        await ReopenAsync();
        await using var again = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(again, version: version, isKnown: true);
        await device.SendAsync(Message("news", "no"), Cancellation);
        await device.SendAsync(Message("commands/d1/on", "yes"), Cancellation);

        var command = await device.ReceiveAsync<MqttPublishPacket>(Cancellation);
        Assert.Equal("commands/d1/on", command.Topic);
    }

    [Fact]
    public async Task A_session_that_ends_with_its_connection_is_not_known_after_a_restart()
    {
        var source = await StartAsync(Embedded(Readings));
        using (await ConnectAsync(source))
        {
        }

        using (await ConnectAsync(source, isClean: true, version: MqttProtocolVersion.V311))
        {
        }

        await source.DisposeAsync();
        await ReopenAsync();
        await using var again = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(again, isKnown: false);
    }

    [Fact]
    public async Task A_device_is_told_how_many_messages_may_be_under_way_and_may_name_topics_by_aliases()
    {
        await using var source = await StartAsync(Embedded(Readings) with { ReceiveMaximum = 7 });
        var packet = new MqttConnectPacket { ClientId = "d1", CleanSession = true };
        var (device, answer) = await Wire.ConnectAsync(await source.Ready.WaitAsync(Cancellation), packet, Cancellation);
        using var end = device;

        var first = Publish(1, "1");
        first.TopicAlias = 3;
        await device.SendAsync(first, Cancellation);
        var second = Publish(2, "2");
        (second.Topic, second.TopicAlias) = ("", 3);
        await device.SendAsync(second, Cancellation);
        await device.ReceiveAsync<MqttPubAckPacket>(Cancellation);
        await device.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(7, answer.ReceiveMaximum);
        Assert.Equal(["1", "2"], await DataAsync());
    }

    private static MqttSubscribePacket Subscription(string filter, int quality) => new()
    {
        PacketIdentifier = 9,
        TopicFilters = [new MqttTopicFilter { Topic = filter, QualityOfServiceLevel = (MqttQualityOfServiceLevel)quality }],
    };

    private static MqttPublishPacket Message(string topic, string text) => new() { Topic = topic, PayloadSegment = Encoding.UTF8.GetBytes(text) };

    private async Task<Wire> ReconnectAsync(MqttSource source)
    {
        while (true)
        {
            try
            {
                return await ConnectAsync(source);
            }
            catch (Exception failure) when (failure is Xunit.Sdk.IsTypeException)
            {
                // The source begins again: until then nobody is let in.
                Cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    private async Task<Wire> ConnectAsync(
        MqttSource source, bool isClean = false, MqttProtocolVersion version = MqttProtocolVersion.V500, bool? isKnown = null)
    {
        var packet = new MqttConnectPacket { ClientId = "d1", CleanSession = isClean };
        if (version == MqttProtocolVersion.V500) packet.SessionExpiryInterval = 3_600;
        var (wire, answer) = await Wire.ConnectAsync(await source.Ready.WaitAsync(Cancellation), packet, Cancellation, version);
        Assert.Equal(MqttConnectReasonCode.Success, answer.ReasonCode);
        if (isKnown is { } expected) Assert.Equal(expected, answer.IsSessionPresent);
        return wire;
    }
}

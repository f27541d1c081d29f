using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Tests;

/// <summary>Devices at the embedded broker.</summary>
public sealed class EmbeddedBrokerTests : MqttRig
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_message_whose_append_fails_is_not_acknowledged(int quality)
    {
        await using var source = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(source);
        Engine.Before = _ => throw new MillraceException(FailureCodes.DiskFull, "full");

        await device.SendAsync(Publish(7, "1", quality), Cancellation);
        var answers = await device.ReceiveToEndAsync(Cancellation);

        Assert.DoesNotContain(answers, answer => answer is MqttPubAckPacket or MqttPubRecPacket);
        Assert.Empty(await DataAsync());
    }

    [Theory]
    [InlineData(MqttProtocolVersion.V311)]
    [InlineData(MqttProtocolVersion.V500)]
    public async Task A_message_is_in_the_log_when_it_is_acknowledged(MqttProtocolVersion version)
    {
        await using var source = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(source, version: version);

        await device.SendAsync(Publish(7, "23.5"), Cancellation);
        await device.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(["23.5"], await DataAsync());
    }

    [Theory]
    [InlineData(MqttProtocolVersion.V311)]
    [InlineData(MqttProtocolVersion.V500)]
    public async Task A_client_that_gives_no_id_gets_one(MqttProtocolVersion version)
    {
        await using var source = await StartAsync(Embedded(Readings));
        var port = await source.Ready.WaitAsync(Cancellation);
        var (first, answer) = await Wire.ConnectAsync(port, new MqttConnectPacket { ClientId = "", CleanSession = true }, Cancellation, version);
        using var device = first;
        var (other, otherAnswer) = await Wire.ConnectAsync(port, new MqttConnectPacket { ClientId = "", CleanSession = true }, Cancellation, version);
        using var another = other;

        // Were they one client, the second would end the first.
        await device.SendAsync(Publish(7, "23.5"), Cancellation);
        await device.ReceiveAsync<MqttPubAckPacket>(Cancellation);

        Assert.Equal(["23.5"], await DataAsync());
        Assert.Equal(version == MqttProtocolVersion.V500, !string.IsNullOrEmpty(answer.AssignedClientIdentifier));
        if (version == MqttProtocolVersion.V500) Assert.NotEqual(answer.AssignedClientIdentifier, otherAnswer.AssignedClientIdentifier);
    }

    [Fact]
    public async Task A_packet_of_quality_2_that_comes_again_after_a_crash_before_its_PUBREC_is_taken_once()
    {
        Engine.After = commit => commit.Batches.Count > 0
            ? throw new MillraceException(FailureCodes.Unreachable, "the answer was lost")
            : Task.CompletedTask;
        await using (var crashed = await StartAsync(Embedded(Readings)))
        {
            using var before = await ConnectAsync(crashed);
            await before.SendAsync(Publish(7, "1", 2), Cancellation);
            Assert.DoesNotContain(await before.ReceiveToEndAsync(Cancellation), answer => answer is MqttPubRecPacket);
        }

        await ReopenAsync();
        await using var source = await StartAsync(Embedded(Readings));
        using var device = await ConnectAsync(source);
        await device.SendAsync(Publish(7, "1", 2, isAgain: true), Cancellation);
        await device.ReceiveAsync<MqttPubRecPacket>(Cancellation);
        await device.SendAsync(new MqttPubRelPacket { PacketIdentifier = 7 }, Cancellation);
        await device.ReceiveAsync<MqttPubCompPacket>(Cancellation);
        await device.SendAsync(Publish(7, "2", 2, isAgain: true), Cancellation);
        await device.ReceiveAsync<MqttPubRecPacket>(Cancellation);

        Assert.Equal(["1", "2"], await DataAsync());
    }

    [Fact]
    public async Task A_client_that_starts_clean_uses_packet_ids_anew()
    {
        await using var source = await StartAsync(Embedded(Readings));
        using (var before = await ConnectAsync(source))
        {
            await before.SendAsync(Publish(7, "1", 2), Cancellation);
            await before.ReceiveAsync<MqttPubRecPacket>(Cancellation);
        }

        using var device = await ConnectAsync(source, isClean: true);
        await device.SendAsync(Publish(7, "2", 2, isAgain: true), Cancellation);
        await device.ReceiveAsync<MqttPubRecPacket>(Cancellation);

        Assert.Equal(["1", "2"], await DataAsync());
    }

    [Fact]
    public async Task Messages_of_many_devices_share_commits_and_each_device_keeps_its_order()
    {
        const int devices = 20, messages = 10;
        var commits = 0;
        var gate = new TaskCompletionSource();
        Engine.Before = commit =>
        {
            if (commit.Batches.Count == 0) return Task.CompletedTask; // a device that connects
            Interlocked.Increment(ref commits);
            return gate.Task;
        };
        await using var source = await StartAsync(Embedded(Readings));
        var wires = new List<Wire>();
        for (var d = 0; d < devices; d++) wires.Add(await ConnectAsync(source, $"d{d}"));
        foreach (var d in Enumerable.Range(0, devices))
        {
            for (var i = 1; i <= messages; i++) await wires[d].SendAsync(Publish((ushort)i, $"{i}", device: $"d{d}"), Cancellation);
        }

        gate.SetResult();
        foreach (var wire in wires)
        {
            for (var i = 1; i <= messages; i++) Assert.Equal(i, (await wire.ReceiveAsync<MqttPubAckPacket>(Cancellation)).PacketIdentifier);
            wire.Dispose();
        }

        Assert.InRange(commits, 1, devices * messages / 2);
        var records = await ReadAsync("sensors.raw");
        Assert.Equal(devices * messages, records.Count);
        foreach (var device in records.GroupBy(record => record.Key))
            Assert.Equal(Enumerable.Range(1, messages), device.Select(record => DataOf(record.Value)));
    }

    [Fact]
    public async Task Topics_that_no_route_takes_go_from_device_to_device()
    {
        await using var source = await StartAsync(Embedded(Readings));
        using var listener = await ConnectAsync(source, "listener");
        await listener.SendAsync(Subscription("#"), Cancellation);
        await listener.ReceiveAsync<MqttSubAckPacket>(Cancellation);
        using var device = await ConnectAsync(source);

        await device.SendAsync(new MqttPublishPacket { Topic = "commands/d1", PayloadSegment = "on"u8.ToArray() }, Cancellation);
        await device.SendAsync(Publish(7, "1"), Cancellation);

        Assert.Equal("commands/d1", (await listener.ReceiveAsync<MqttPublishPacket>(Cancellation)).Topic);
        Assert.Equal("sensors/hall/d1/reading", (await listener.ReceiveAsync<MqttPublishPacket>(Cancellation)).Topic);
        Assert.Equal(["1"], await DataAsync());
    }

    [Fact]
    public async Task A_will_is_taken_like_a_message()
    {
        await using var source = await StartAsync(Embedded(Readings));
        using (await ConnectAsync(source, will: "0"))
        {
        }

        await WaitForAsync("sensors.raw", Partitioner.PartitionOf("d1"u8, 2), 1);
        Assert.Equal(["0"], await DataAsync());
    }

    [Fact]
    public async Task Users_are_let_in_by_password()
    {
        var options = Embedded(Readings);
        options = options with { Broker = options.Broker with { Users = new Dictionary<string, string> { ["ann"] = "secret" } } };
        await using var source = await StartAsync(options);

        Assert.Equal(MqttConnectReasonCode.Success, await AnswerAsync("ann", "secret"));
        Assert.Equal(MqttConnectReasonCode.BadUserNameOrPassword, await AnswerAsync("ann", "wrong"));
        Assert.Equal(MqttConnectReasonCode.BadUserNameOrPassword, await AnswerAsync("bob", ""));
        Assert.Equal(MqttConnectReasonCode.BadUserNameOrPassword, await AnswerAsync(null, null));

        async Task<MqttConnectReasonCode> AnswerAsync(string? user, string? password)
        {
            var packet = new MqttConnectPacket { ClientId = "d1", Username = user, Password = password is null ? null : Encoding.UTF8.GetBytes(password) };
            var (wire, answer) = await Wire.ConnectAsync(await source.Ready, packet, Cancellation);
            wire.Dispose();
            return answer.ReasonCode;
        }
    }

    [Fact]
    public async Task Rules_say_who_may_publish_and_subscribe_where()
    {
        var options = Embedded(Readings);
        MqttAccessRule[] access =
        [
            new() { Filter = "sensors/+/{client}/reading", CanSubscribe = false },
            new() { Filter = "commands/{client}/#", CanPublish = false },
        ];
        await using var source = await StartAsync(options with { Broker = options.Broker with { Access = access } });
        using var device = await ConnectAsync(source);

        Assert.Equal(MqttSubscribeReasonCode.GrantedQoS0, await SubscribeAsync("commands/d1/on"));
        Assert.Equal(MqttSubscribeReasonCode.NotAuthorized, await SubscribeAsync("commands/+/on"));
        Assert.Equal(MqttSubscribeReasonCode.NotAuthorized, await SubscribeAsync("#"));
        await device.SendAsync(Publish(1, "1"), Cancellation);
        await device.ReceiveAsync<MqttPubAckPacket>(Cancellation);
        await device.SendAsync(Publish(2, "2", device: "d2"), Cancellation);
        Assert.DoesNotContain(await device.ReceiveToEndAsync(Cancellation), answer => answer is MqttPubAckPacket { ReasonCode: MqttPubAckReasonCode.Success });
        Assert.Equal(["1"], await DataAsync());

        async Task<MqttSubscribeReasonCode> SubscribeAsync(string filter)
        {
            await device.SendAsync(Subscription(filter), Cancellation);
            return (await device.ReceiveAsync<MqttSubAckPacket>(Cancellation)).ReasonCodes[0];
        }
    }

    [Fact]
    public async Task Connections_are_encrypted_with_a_certificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var options = Embedded(Readings);
        await using var source = await StartAsync(options with { Broker = options.Broker with { Certificate = certificate } });
        using var device = new MqttClientFactory().CreateMqttClient();

        await device.ConnectAsync(new MqttClientOptions
        {
            ChannelOptions = new MqttClientTcpOptions
            {
                RemoteEndpoint = new System.Net.DnsEndPoint("localhost", await source.Ready),
                TlsOptions = new MqttClientTlsOptions { UseTls = true, CertificateValidationHandler = seen => seen.Certificate.Subject == "CN=localhost" },
            },
        }, Cancellation);
        await device.PublishAsync(
            new MqttApplicationMessage { Topic = "sensors/hall/d1/reading", PayloadSegment = "1"u8.ToArray(), QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce },
            Cancellation);

        Assert.Equal(["1"], await DataAsync());
    }

    private static int DataOf(string envelope) =>
        EventCodec.TryReadJson(Encoding.UTF8.GetBytes(envelope), out var view, out _) ? int.Parse(view.Data.Span, null) : -1;

    private static MqttSubscribePacket Subscription(string filter) =>
        new() { PacketIdentifier = 9, TopicFilters = [new MqttTopicFilter { Topic = filter }] };

    private async Task<Wire> ConnectAsync(
        MqttSource source, string client = "d1", bool isClean = false, MqttProtocolVersion version = MqttProtocolVersion.V500, string? will = null)
    {
        var packet = new MqttConnectPacket { ClientId = client, CleanSession = isClean };
        if (version == MqttProtocolVersion.V500) packet.SessionExpiryInterval = 3_600;
        if (will is not null)
        {
            (packet.WillFlag, packet.WillTopic) = (true, "sensors/hall/d1/reading");
            packet.WillMessage = Encoding.UTF8.GetBytes(will);
        }

        var (wire, answer) = await Wire.ConnectAsync(await source.Ready.WaitAsync(Cancellation), packet, Cancellation, version);
        Assert.Equal(MqttConnectReasonCode.Success, answer.ReasonCode);
        return wire;
    }
}

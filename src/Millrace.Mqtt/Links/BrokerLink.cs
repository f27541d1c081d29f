using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Millrace.Mqtt.Intake;
using Millrace.Mqtt.Telemetry;
using MQTTnet;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.LowLevelClient;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Links;

/// <summary>
/// One connection of one client to a broker: connects, subscribes, hands what arrives to the intake, and acknowledges in the order of
/// arrival what is durable. It works on packets, since MQTTnet's own client answers PUBREL by itself and reads without a bound. Lives until
/// its first failure, which it throws.
/// </summary>
internal sealed class BrokerLink(SourceParts parts, MqttServerAddress server, int client, PartitionIntake intake, ILogger log) : IDisposable
{
    private readonly LowLevelMqttClient _connection = new(new MqttClientAdapterFactory(), MqttNetNullLogger.Instance);
    private readonly Conversation _conversation = new($"{parts.Options.Name}-{client}");

    /// <summary>What is to be acknowledged, in the order of arrival. As many as may wait; then the connection is not read.</summary>
    private readonly Channel<(Arrival Arrival, MqttPacket Answer)> _answers = Channel.CreateBounded<(Arrival, MqttPacket)>(
        new BoundedChannelOptions(parts.Options.ReceiveMaximum) { SingleReader = true, SingleWriter = true });

    private volatile bool _isHeld; // the connection is not read because as many wait as may
    private volatile bool _isProbed; // a PINGREQ has no answer yet

    public async Task RunAsync(CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            await BeginAsync(end.Token);
            Task[] loops = [ReceiveAsync(end.Token), AcknowledgeAsync(end.Token), ProbeAsync(end.Token)];
            var first = await Task.WhenAny(loops);
            _conversation.Break();
            await end.CancelAsync();
            await Task.WhenAll(loops).ContinueWith(
                static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            await first;
        }
        finally
        {
            _conversation.Break();
            await end.CancelAsync();
        }
    }

    /// <summary>Closes the connection; the session stays at the broker.</summary>
    public void Dispose() => _connection.Dispose();

    private async Task BeginAsync(CancellationToken cancellation)
    {
        using var deadline = new CancellationTokenSource(parts.Options.ConnectTimeout, parts.Options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        try
        {
            await _connection.ConnectAsync(ConnectionOptions(), both.Token);
            await _connection.SendAsync(ConnectPacket(), both.Token);
            if (await _connection.ReceiveAsync(both.Token) is not MqttConnAckPacket answer)
                throw Unreachable("it answered CONNECT by another packet than CONNACK");
            if (answer.ReasonCode != MqttConnectReasonCode.Success || answer.ReturnCode != MqttConnectReturnCode.ConnectionAccepted)
                throw Refused($"the connection: {(server.Version == MqttVersion.V5 ? answer.ReasonCode : answer.ReturnCode)}");
            log.Connected(_conversation.Client, server.Host, server.Port, answer.IsSessionPresent);

            // A broker that does not know the session gives its packet ids anew, also to what it redelivers.
            if (!answer.IsSessionPresent) await AwaitAsync(new Arrival.NewSession(_conversation), both.Token);
            await _connection.SendAsync(SubscribePacket(), both.Token);
        }
        catch (Exception failure) when (deadline.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Unreachable($"it did not answer within {parts.Options.ConnectTimeout}", failure);
        }
    }

    private async Task AwaitAsync(Arrival arrival, CancellationToken cancellation)
    {
        await intake.AddAsync(arrival, cancellation);
        await arrival.Durable.WaitAsync(cancellation);
    }

    private async Task ReceiveAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var packet = await _connection.ReceiveAsync(cancellation);
            _isHeld = true;
            switch (packet)
            {
                case MqttPublishPacket publish:
                    await TakeAsync(publish, cancellation);
                    break;
                case MqttPubRelPacket release:
                    var released = new Arrival.Release(_conversation, release.PacketIdentifier);
                    await HandOverAsync(released, new MqttPubCompPacket { PacketIdentifier = release.PacketIdentifier }, cancellation);
                    break;
                case MqttSubAckPacket subscribed:
                    var refusal = subscribed.ReasonCodes.Find(code => code > MqttSubscribeReasonCode.GrantedQoS2);
                    if (refusal != default) throw Refused($"a subscription: {refusal}");
                    parts.Ready(0);
                    break;
                case MqttPingRespPacket:
                    _isProbed = false;
                    break;
                case MqttDisconnectPacket goodbye:
                    throw Unreachable($"it closed the connection: {goodbye.ReasonCode} {goodbye.ReasonString}");
                default:
                    throw Unreachable($"it sent a packet that is not for a subscriber: {packet.GetType().Name}");
            }

            _isHeld = false;
        }
    }

    private async Task TakeAsync(MqttPublishPacket publish, CancellationToken cancellation)
    {
        var message = new Arrival.Message(_conversation)
        {
            Topic = publish.Topic,
            Payload = publish.Payload.IsSingleSegment ? publish.Payload.First : System.Buffers.BuffersExtensions.ToArray(publish.Payload),
            Quality = (int)publish.QualityOfServiceLevel,
            IsRedelivered = publish.Dup,
            IsRetained = publish.Retain,
            PacketId = publish.PacketIdentifier,
        };
        switch (publish.QualityOfServiceLevel)
        {
            case MqttQualityOfServiceLevel.AtMostOnce:
                await intake.AddAsync(message, cancellation);
                break;
            case MqttQualityOfServiceLevel.AtLeastOnce:
                await HandOverAsync(message, new MqttPubAckPacket { PacketIdentifier = publish.PacketIdentifier }, cancellation);
                break;
            case MqttQualityOfServiceLevel.ExactlyOnce:
                await HandOverAsync(message, new MqttPubRecPacket { PacketIdentifier = publish.PacketIdentifier }, cancellation);
                break;
            default:
                throw Unreachable($"it sent a message of the unknown quality {publish.QualityOfServiceLevel}");
        }
    }

    private async ValueTask HandOverAsync(Arrival arrival, MqttPacket answer, CancellationToken cancellation)
    {
        await _answers.Writer.WriteAsync((arrival, answer), cancellation);
        await intake.AddAsync(arrival, cancellation);
    }

    private async Task AcknowledgeAsync(CancellationToken cancellation)
    {
        await foreach (var (arrival, answer) in _answers.Reader.ReadAllAsync(cancellation))
        {
            await arrival.Durable.WaitAsync(cancellation);
            await _connection.SendAsync(answer, cancellation);
        }
    }

    private async Task ProbeAsync(CancellationToken cancellation)
    {
        while (true)
        {
            await Task.Delay(parts.Options.KeepAlive / 2, parts.Options.Time, cancellation);
            if (_isHeld) continue; // an answer may be there unread
            if (_isProbed) throw Unreachable($"it did not answer a probe within {parts.Options.KeepAlive / 2}");
            _isProbed = true;
            await _connection.SendAsync(new MqttPingReqPacket(), cancellation);
        }
    }

    private MqttClientOptions ConnectionOptions()
    {
        var tls = new MqttClientTlsOptions { UseTls = server.UsesTls, TargetHost = server.Host };
        tls.RevocationMode = X509RevocationMode.NoCheck;
        if (server.TrustedAuthorities is { } authorities) tls.TrustChain = authorities;
        return new MqttClientOptions
        {
            ProtocolVersion = server.Version == MqttVersion.V5 ? MqttProtocolVersion.V500 : MqttProtocolVersion.V311,
            ChannelOptions = new MqttClientTcpOptions
            {
                RemoteEndpoint = new System.Net.DnsEndPoint(server.Host, server.Port),
                TlsOptions = tls,
            },
        };
    }

    private MqttConnectPacket ConnectPacket()
    {
        var packet = new MqttConnectPacket
        {
            ClientId = _conversation.Client,
            CleanSession = false,
            KeepAlivePeriod = (ushort)parts.Options.KeepAlive.TotalSeconds,
            Username = server.User,
            Password = server.Password is null ? null : System.Text.Encoding.UTF8.GetBytes(server.Password),
        };
        if (server.Version == MqttVersion.V311) return packet;
        packet.ReceiveMaximum = (ushort)parts.Options.ReceiveMaximum;
        packet.SessionExpiryInterval = (uint)parts.Options.SessionExpiry.TotalSeconds;
        return packet;
    }

    private MqttSubscribePacket SubscribePacket()
    {
        var packet = new MqttSubscribePacket { PacketIdentifier = 1 };
        foreach (var mapping in parts.Mappings)
        {
            var route = mapping.Route;
            if (route.ShareGroup is null && route.Client != client) continue;
            packet.TopicFilters.Add(new MqttTopicFilter
            {
                Topic = route.ShareGroup is { } group ? $"$share/{group}/{mapping.Pattern.Filter}" : mapping.Pattern.Filter,
                QualityOfServiceLevel = (MqttQualityOfServiceLevel)route.Quality,
                RetainHandling = route.Retained == MqttRetained.Ignore
                    ? MqttRetainHandling.DoNotSendOnSubscribe
                    : MqttRetainHandling.SendAtSubscribe,
            });
        }

        return packet;
    }

    private MillraceException Refused(string what) => new(
        FailureCodes.NotAuthorized, $"The MQTT broker at {server.Host}:{server.Port} refused client '{_conversation.Client}' {what}.");

    private MillraceException Unreachable(string what, Exception? inner = null) => new(
        FailureCodes.Unreachable, $"The MQTT broker at {server.Host}:{server.Port} failed client '{_conversation.Client}': {what}.", inner);
}

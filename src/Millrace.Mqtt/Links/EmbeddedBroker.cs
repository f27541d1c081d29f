using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Millrace.Mqtt.Intake;
using Millrace.Mqtt.Mapping;
using Millrace.Mqtt.Telemetry;
using MQTTnet.Certificates;
using MQTTnet.Packets;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace Millrace.Mqtt.Links;

/// <summary>
/// MQTTnet's server in this process. What a route takes waits here, before the server answers it, until it is durable: the server reads a
/// client's next packet only after its last one was handled, so the order per client is kept, and many clients share one commit.
/// </summary>
internal sealed class EmbeddedBroker : IAsyncDisposable
{
    private readonly SourceParts _parts;
    private readonly MqttBrokerOptions _options;
    private readonly ILogger _log;
    private readonly MqttServerOptions _serverOptions = new();
    private readonly MqttServer _server;
    private volatile PartitionIntake? _intake;

    public EmbeddedBroker(SourceParts parts, ILogger log)
    {
        (_parts, _options, _log) = (parts, parts.Options.Broker, log);
        _serverOptions.EnablePersistentSessions = true;
        _serverOptions.MaxPendingMessagesPerClient = _options.PendingMessagesMax;
        _serverOptions.PendingMessagesOverflowStrategy = MqttPendingMessagesOverflowStrategy.DropOldestQueuedMessage;
        Endpoint.IsEnabled = true;
        Endpoint.Port = _options.Port;
        var isV6 = _options.Address.AddressFamily == AddressFamily.InterNetworkV6;
        Endpoint.BoundInterNetworkAddress = isV6 ? IPAddress.None : _options.Address;
        Endpoint.BoundInterNetworkV6Address = isV6 ? _options.Address : IPAddress.None;
        if (_options.Certificate is { } certificate)
            _serverOptions.TlsEndpointOptions.CertificateProvider = new X509CertificateProvider(certificate);
        _server = new MqttServerFactory().CreateMqttServer(_serverOptions);
        _server.ValidatingConnectionAsync += ValidateAsync;
        _server.InterceptingInboundPacketAsync += SeePacketAsync;
        _server.InterceptingPublishAsync += TakeAsync;
        _server.InterceptingSubscriptionAsync += SubscribeAsync;
    }

    /// <summary>Where it listens, once it does.</summary>
    public int Port => Endpoint.Port;

    private MqttServerTcpEndpointBaseOptions Endpoint =>
        _options.Certificate is null ? _serverOptions.DefaultEndpointOptions : _serverOptions.TlsEndpointOptions;

    /// <summary>Sends what arrives to an intake; without one nothing is taken and clients that publish are disconnected.</summary>
    public void Use(PartitionIntake? intake) => _intake = intake;

    public async Task StartAsync()
    {
        if (_server.IsStarted) return;
        await _server.StartAsync();
        _log.Listens(_parts.Options.Name, _options.Address.ToString(), Port, _options.Certificate is not null);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsStarted)
        {
            await _server.StopAsync(new MqttServerStopOptions());
            _log.BrokerStopped(_parts.Options.Name);
        }

        _server.Dispose();
    }

    private async Task ValidateAsync(ValidatingConnectionEventArgs connection)
    {
        if (_options.Users.Count > 0 && !IsKnown(connection.UserName, connection.RawPassword))
        {
            _log.Refused(_parts.Options.Name, connection.ClientId, "user or password is wrong");
            connection.ReasonCode = MqttConnectReasonCode.BadUserNameOrPassword;
            return;
        }

        // A session that begins anew gives its packet ids anew.
        if (connection.CleanSession != false && !string.IsNullOrEmpty(connection.ClientId) && _intake is { } intake)
        {
            var forgetting = new Arrival.NewSession(new Conversation(connection.ClientId));
            await intake.AddAsync(forgetting, connection.CancellationToken);
            await forgetting.Durable.WaitAsync(connection.CancellationToken);
        }
    }

    private async Task SeePacketAsync(InterceptingPacketEventArgs seen)
    {
        switch (seen.Packet)
        {
            case MqttPublishPacket publish:
                publish.UserProperties = new PacketNote(publish.PacketIdentifier, publish.UserProperties);
                break;
            case MqttPubRelPacket release:
                var released = new Arrival.Release(new Conversation(seen.ClientId), release.PacketIdentifier);
                await AwaitAsync(released, seen.CancellationToken);
                break;
            default:
                break;
        }
    }

    /// <summary>A failure here closes the connection without an answer: the client sends again.</summary>
    private async Task TakeAsync(InterceptingPublishEventArgs publish)
    {
        var message = publish.ApplicationMessage;
        var note = message.UserProperties as PacketNote;
        message.UserProperties = note?.Given;
        if (!IsAllowed(publish.UserName, publish.ClientId, message.Topic, isSubscription: false))
        {
            // Before MQTT 5 there is no answer that says no, and one that says yes would be a lie.
            _log.Refused(_parts.Options.Name, publish.ClientId, "it may not publish to that topic");
            publish.Response.ReasonCode = MqttPubAckReasonCode.NotAuthorized;
            (publish.ProcessPublish, publish.CloseConnection) = (false, true);
            return;
        }

        if (string.IsNullOrEmpty(message.Topic) || _parts.Find(message.Topic) is null) return;
        var arrival = new Arrival.Message(new Conversation(publish.ClientId))
        {
            Topic = message.Topic,
            Payload = message.Payload.IsSingleSegment ? message.Payload.First : System.Buffers.BuffersExtensions.ToArray(message.Payload),
            Quality = note is null ? 0 : (int)message.QualityOfServiceLevel,
            IsRedelivered = message.Dup,
            PacketId = note?.PacketId ?? 0,
        };
        try
        {
            await AwaitAsync(arrival, publish.CancellationToken);
            publish.ProcessPublish = !arrival.WasTakenBefore;
        }
        catch (Exception)
        {
            // The intake logs its failure; here it means only: not taken, so not acknowledged.
            (publish.ProcessPublish, publish.CloseConnection) = (false, true);
        }
    }

    private Task SubscribeAsync(InterceptingSubscriptionEventArgs subscription)
    {
        if (subscription.ClientId.Length == 0 || IsAllowed(
            subscription.UserName, subscription.ClientId, subscription.TopicFilter.Topic, isSubscription: true)) return Task.CompletedTask;
        _log.Refused(_parts.Options.Name, subscription.ClientId, "it may not subscribe to that filter");
        subscription.Response.ReasonCode = MqttSubscribeReasonCode.NotAuthorized;
        subscription.ProcessSubscription = false;
        return Task.CompletedTask;
    }

    private async Task AwaitAsync(Arrival arrival, CancellationToken cancellation)
    {
        var intake = _intake ?? throw new MillraceException(FailureCodes.Stopped, "The source takes nothing now; send again later.");
        await intake.AddAsync(arrival, cancellation);
        await arrival.Durable.WaitAsync(cancellation);
    }

    private bool IsKnown(string? user, byte[]? password)
    {
        var isUser = _options.Users.TryGetValue(user ?? "", out var known);
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(known ?? ""), password ?? []) && isUser;
    }

    private bool IsAllowed(string? user, string client, string topic, bool isSubscription)
    {
        if (_options.Access.Count == 0) return true;
        foreach (var rule in _options.Access)
        {
            if ((isSubscription ? !rule.CanSubscribe : !rule.CanPublish) || (rule.User is not null && rule.User != user)) continue;
            if (FilterOf(rule, user, client) is { } filter && TopicFilter.Covers(filter, topic)) return true;
        }

        return false;
    }

    /// <summary>A rule's filter for one client; null when the client's name would be more than one level of it.</summary>
    private static string? FilterOf(MqttAccessRule rule, string? user, string client)
    {
        var needsUser = rule.Filter.Contains("{user}", StringComparison.Ordinal);
        var needsClient = rule.Filter.Contains("{client}", StringComparison.Ordinal);
        if ((needsUser && !IsLevel(user)) || (needsClient && !IsLevel(client))) return null;
        return rule.Filter.Replace("{user}", user, StringComparison.Ordinal).Replace("{client}", client, StringComparison.Ordinal);
    }

    private static bool IsLevel(string? name) => !string.IsNullOrEmpty(name) && !name.AsSpan().ContainsAny("/+#");

    /// <summary>
    /// Carries a packet's id to where the server has made a message of it, which has none: the list of user properties is handed on as it
    /// is. A message without it comes from the server itself, such as a will.
    /// </summary>
    private sealed class PacketNote : List<MqttUserProperty>
    {
        public PacketNote(ushort packetId, List<MqttUserProperty>? given)
            : base(given ?? []) => (PacketId, Given) = (packetId, given);

        public ushort PacketId { get; }

        public List<MqttUserProperty>? Given { get; }
    }
}

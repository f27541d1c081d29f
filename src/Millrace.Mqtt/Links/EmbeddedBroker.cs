using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Millrace.Mqtt.Intake;
using Millrace.Mqtt.Mapping;
using Millrace.Mqtt.Telemetry;
using MQTTnet.Formatter;
using MQTTnet.Protocol;
using MQTTnet.Server;

namespace Millrace.Mqtt.Links;

/// <summary>
/// MQTTnet's server in this process, behind connections of its own: what a route takes goes to the intake before the server sees it
/// (<see cref="DeviceConnection"/>). Sessions of devices that outlive connections are in the source's commits, what waits for subscribers
/// and retained messages in the server's memory.
/// </summary>
internal sealed class EmbeddedBroker : IAsyncDisposable
{
    private readonly SourceParts _parts;
    private readonly MqttBrokerOptions _options;
    private readonly ILogger _log;
    private readonly MqttServerOptions _serverOptions = new();
    private readonly DeviceListener _listener;
    private readonly MqttServer _server;
    private readonly ConcurrentDictionary<string, Conversation> _current = new(StringComparer.Ordinal);
    private volatile PartitionIntake? _intake;
    private volatile bool _hasSubscribers;

    public EmbeddedBroker(SourceParts parts, ILogger log)
    {
        (_parts, _options, _log) = (parts, parts.Options.Broker, log);
        _serverOptions.EnablePersistentSessions = true;
        _serverOptions.MaxPendingMessagesPerClient = _options.PendingMessagesMax;
        _serverOptions.PendingMessagesOverflowStrategy = MqttPendingMessagesOverflowStrategy.DropOldestQueuedMessage;
        _listener = new DeviceListener(this, parts.Options);
        _server = new MqttServerFactory().CreateMqttServer(_serverOptions, [_listener]);
        _server.ValidatingConnectionAsync += ValidateAsync;
        _server.InterceptingPublishAsync += TakeAsync;
        _server.InterceptingSubscriptionAsync += SubscribeAsync;
    }

    /// <summary>Where it listens, once it does.</summary>
    public int Port => _listener.Port;

    /// <summary>Whether anybody has subscribed: before, the server need not see what routes take.</summary>
    public bool HasSubscribers => _hasSubscribers;

    /// <summary>Sends what arrives to an intake; without one nothing is taken and clients that publish are disconnected.</summary>
    public void Use(PartitionIntake? intake) => _intake = intake;

    /// <summary>Whether a route takes messages of a topic.</summary>
    public bool Takes(string? topic) => !string.IsNullOrEmpty(topic) && _parts.Find(topic) is not null;

    public bool IsAllowed(string? user, string client, string topic, bool isSubscription)
    {
        if (_options.Access.Count == 0) return true;
        foreach (var rule in _options.Access)
        {
            if ((isSubscription ? !rule.CanSubscribe : !rule.CanPublish) || (rule.User is not null && rule.User != user)) continue;
            if (FilterOf(rule, user, client) is { } filter && TopicFilter.Covers(filter, topic)) return true;
        }

        return false;
    }

    /// <summary>Hands an arrival to the intake.</summary>
    public ValueTask AddAsync(Arrival arrival, CancellationToken cancellation) => _intake is { } intake
        ? intake.AddAsync(arrival, cancellation)
        : throw new MillraceException(FailureCodes.Stopped, "The source takes nothing now; send again later.");

    /// <summary>A connection has ended.</summary>
    public void Left(DeviceConnection device)
    {
        if (device.Conversation is { } conversation)
            _current.TryRemove(new KeyValuePair<string, Conversation>(conversation.Client, conversation));
    }

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
        _listener.Dispose();
    }

    private async Task ValidateAsync(ValidatingConnectionEventArgs connection)
    {
        if (_options.Users.Count > 0 && !IsKnown(connection.UserName, connection.RawPassword))
        {
            _log.Refused(_parts.Options.Name, connection.ClientId, "user or password is wrong");
            connection.ReasonCode = MqttConnectReasonCode.BadUserNameOrPassword;
            return;
        }

        if (connection.ChannelAdapter is not DeviceConnection { Conversation: { Client.Length: > 0 } conversation } device) return;

        // What the connection before has said and is not durable comes again on this one: later it would be doubled, or out of order.
        if (_current.TryGetValue(conversation.Client, out var before)) before.Break();
        _current[conversation.Client] = conversation;
        var isKept = connection.ProtocolVersion == MqttProtocolVersion.V500
            ? connection.SessionExpiryInterval > 0
            : connection.CleanSession == false;
        var session = new Arrival.Session(conversation, isNew: connection.CleanSession != false, isKept);
        await AddAsync(session, connection.CancellationToken);
        await session.Durable.WaitAsync(connection.CancellationToken);
        device.Session = session;
    }

    /// <summary>
    /// Sees what routes do not take, wills, and what is taken already and goes to who subscribes. A failure here closes the connection
    /// without an answer: the client sends again.
    /// </summary>
    private async Task TakeAsync(InterceptingPublishEventArgs publish)
    {
        var message = publish.ApplicationMessage;
        if (message.UserProperties is TakenNote note)
        {
            message.UserProperties = note.Given;
            return;
        }

        if (!IsAllowed(publish.UserName, publish.ClientId, message.Topic, isSubscription: false))
        {
            // Before MQTT 5 there is no answer that says no, and one that says yes would be a lie.
            _log.Refused(_parts.Options.Name, publish.ClientId, "it may not publish to that topic");
            publish.Response.ReasonCode = MqttPubAckReasonCode.NotAuthorized;
            (publish.ProcessPublish, publish.CloseConnection) = (false, true);
            return;
        }

        if (!Takes(message.Topic)) return;
        var will = new Arrival.Message(new Conversation(publish.ClientId))
        {
            Topic = message.Topic,
            Payload = message.Payload.IsSingleSegment ? message.Payload.First : System.Buffers.BuffersExtensions.ToArray(message.Payload),
            Quality = 0, // it has no packet id
        };
        try
        {
            await AddAsync(will, publish.CancellationToken);
            await will.Durable.WaitAsync(publish.CancellationToken);
        }
        catch (Exception)
        {
            // The intake logs its failure; here it means only: not taken.
            (publish.ProcessPublish, publish.CloseConnection) = (false, true);
        }
    }

    private Task SubscribeAsync(InterceptingSubscriptionEventArgs subscription)
    {
        _hasSubscribers = true;
        if (subscription.ClientId.Length == 0 || IsAllowed(
            subscription.UserName, subscription.ClientId, subscription.TopicFilter.Topic, isSubscription: true)) return Task.CompletedTask;
        _log.Refused(_parts.Options.Name, subscription.ClientId, "it may not subscribe to that filter");
        subscription.Response.ReasonCode = MqttSubscribeReasonCode.NotAuthorized;
        subscription.ProcessSubscription = false;
        return Task.CompletedTask;
    }

    private bool IsKnown(string? user, byte[]? password)
    {
        var isUser = _options.Users.TryGetValue(user ?? "", out var known);
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(known ?? ""), password ?? []) && isUser;
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
}

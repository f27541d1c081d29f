using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Millrace.Mqtt.Intake;
using MQTTnet.Adapter;
using MQTTnet.Formatter;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Links;

/// <summary>
/// A device's connection, between the wire and MQTTnet's server. It reads ahead, hands over to the intake what routes take, and goes on
/// in the order of arrival when that is durable: it acknowledges by itself, and the server gets every packet but releases, those that were
/// taken only for whoever subscribes. So many messages of one connection are under way, and none is acknowledged before it is durable.
/// </summary>
internal sealed class DeviceConnection(EmbeddedBroker broker, MqttSourceOptions options, DeviceChannel channel, MqttChannelAdapter packets)
    : IMqttChannelAdapter, IAsyncDisposable
{
    /// <summary>The server counts a device as silent by the packets that it gets; a keep-alive is a second at least.</summary>
    private static readonly TimeSpan ShownEvery = TimeSpan.FromMilliseconds(500);

    private readonly Channel<Step> _steps = Channel.CreateBounded<Step>(
        new BoundedChannelOptions(options.ReceiveMaximum) { SingleReader = true, SingleWriter = true });

    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _room = new(0, 1); // released when bytes are done while the reading waits for it
    private readonly HashSet<ushort> _left = []; // packet ids whose messages the server acknowledges; guarded by itself
    private readonly Dictionary<ushort, string> _aliases = [];
    private readonly Queue<MqttPacket> _restored = new(); // what the device had subscribed before a restart, to be told to the server first
    private string? _assigned; // the client id of one that gave none, which version 5 tells it
    private Task? _reading;
    private long _bytes; // of payloads that are under way
    private long _shownAt;

    /// <summary>Who it is, once it has said so.</summary>
    public Conversation? Conversation { get; private set; }

    /// <summary>Its session, once the intake has opened it.</summary>
    public Arrival.Session? Session { get; set; }

    public EndPoint RemoteEndPoint => packets.RemoteEndPoint;

    public EndPoint LocalEndPoint => packets.LocalEndPoint;

    public bool IsSecureConnection => packets.IsSecureConnection;

    public X509Certificate2 ClientCertificate => packets.ClientCertificate;

    public MqttPacketFormatterAdapter PacketFormatterAdapter => packets.PacketFormatterAdapter;

    public long BytesReceived => packets.BytesReceived;

    public long BytesSent => packets.BytesSent;

    private string? User { get; set; }

    public Task ConnectAsync(CancellationToken cancellationToken) => packets.ConnectAsync(cancellationToken);

    public Task DisconnectAsync(CancellationToken cancellationToken) => packets.DisconnectAsync(cancellationToken);

    public void ResetStatistics() => packets.ResetStatistics();

    public void Dispose() => packets.Dispose();

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        packets.Dispose();
        if (_reading is not null) await _reading;
        broker.Left(this);
        _end.Dispose();
        _room.Dispose();
    }

    public async Task SendPacketAsync(MqttPacket packet, CancellationToken cancellationToken)
    {
        switch (packet)
        {
            case MqttConnAckPacket { ReasonCode: MqttConnectReasonCode.Success } answer:
                answer.ReceiveMaximum = (ushort)options.ReceiveMaximum;
                answer.AssignedClientIdentifier ??= _assigned;
                if (!answer.IsSessionPresent && Session is { WasTakenBefore: true } session)
                {
                    foreach (var kept in session.Subscriptions) _restored.Enqueue(SubscribePacketOf(kept));
                    answer.IsSessionPresent = true;
                }

                break;
            case MqttSubAckPacket { PacketIdentifier: 0 }:
                return;
            case MqttPubAckPacket or MqttPubRecPacket when !IsLeft(((MqttPacketWithIdentifier)packet).PacketIdentifier):
            case MqttPubCompPacket:
                return; // said by this connection; or meant for the one before, of the same session
            default:
                break;
        }

        await packets.SendPacketAsync(packet, cancellationToken);
        await channel.FlushAsync(cancellationToken);
    }

    public async Task<MqttPacket?> ReceivePacketAsync(CancellationToken cancellationToken)
    {
        if (Conversation is null)
        {
            var first = await packets.ReceivePacketAsync(cancellationToken);
            if (first is MqttConnectPacket connect)
            {
                Name(connect);
                (Conversation, User) = (new Conversation(connect.ClientId ?? ""), connect.Username);
            }

            return first;
        }

        _reading ??= Task.Factory.StartNew(
            () => ReadAsync(Conversation), CancellationToken.None, TaskCreationOptions.DenyChildAttach, options.Scheduler).Unwrap();
        if (_restored.TryDequeue(out var restored)) return restored;
        while (true)
        {
            if (!_steps.Reader.TryRead(out var step))
            {
                await FlushAsync(cancellationToken);
                if (!await _steps.Reader.WaitToReadAsync(cancellationToken)) return null;
                continue;
            }

            if (await GoAsync(step, cancellationToken) is { } packet) return packet;
        }
    }

    /// <summary>
    /// Who gives no client id gets one (MQTT 5, section 3.1.3.1; 3.1.1, section 3.1.3.1, where a session that is to be kept needs one of
    /// the client's own, and is refused by the server without).
    /// </summary>
    private void Name(MqttConnectPacket connect)
    {
        if (!string.IsNullOrEmpty(connect.ClientId)) return;
        var isVersion5 = packets.PacketFormatterAdapter.ProtocolVersion == MqttProtocolVersion.V500;
        if (!isVersion5 && !connect.CleanSession) return;
        connect.ClientId = "auto-" + (options.NewId?.Invoke() ?? Guid.CreateVersion7(options.Time.GetUtcNow()).ToString("N"));
        if (isVersion5) _assigned = connect.ClientId;
    }

    /// <summary>Awaits a step's durability, acknowledges it, and returns what the server is to have of it.</summary>
    private async ValueTask<MqttPacket?> GoAsync(Step step, CancellationToken cancellation)
    {
        if (step.Arrival is not { } arrival) return step.Packet;
        if (!arrival.Durable.IsCompleted) await FlushAsync(cancellation);
        await arrival.Durable.WaitAsync(cancellation);
        if (step.Answer is { } answer) await packets.SendPacketAsync(answer, cancellation);
        if (arrival is not Arrival.Message message) return step.Packet;
        if (Interlocked.Add(ref _bytes, -message.Payload.Length) < options.CommitBytesMax && _room.CurrentCount == 0) _room.Release();
        if (message.WasTakenBefore) return null;
        var isShown = broker.HasSubscribers || message.IsRetained || options.Time.GetElapsedTime(_shownAt) > ShownEvery;
        if (!isShown) return null;
        _shownAt = options.Time.GetTimestamp();
        return step.Packet;
    }

    /// <summary>The edge of the reading loop: however the connection ends, what came before its end is gone through still.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The edge of a loop.")]
    private async Task ReadAsync(Conversation conversation)
    {
        try
        {
            while (await packets.ReceivePacketAsync(_end.Token) is { } packet)
            {
                await _steps.Writer.WriteAsync(await BeginAsync(conversation, packet), _end.Token);
                while (Interlocked.Read(ref _bytes) >= options.CommitBytesMax) await _room.WaitAsync(_end.Token);
            }
        }
        catch (Exception)
        {
            // Closed, nonsense, or the intake has ended: nothing more is read.
        }
        finally
        {
            _steps.Writer.TryComplete();
        }
    }

    private async ValueTask<Step> BeginAsync(Conversation conversation, MqttPacket packet)
    {
        switch (packet)
        {
            case MqttPublishPacket publish:
                Resolve(publish);
                var isTaken = broker.Takes(publish.Topic)
                    && broker.IsAllowed(User, conversation.Client, publish.Topic, isSubscription: false);
                if (isTaken) return await TakeAsync(conversation, publish);
                if (publish.QualityOfServiceLevel > 0) Leave(publish.PacketIdentifier);
                return new Step(publish);
            case MqttPubRelPacket release:
                var released = new Arrival.Release(conversation, release.PacketIdentifier);
                await broker.AddAsync(released, _end.Token);
                return new Step(null, released, new MqttPubCompPacket { PacketIdentifier = release.PacketIdentifier });
            case MqttSubscribePacket subscribe when Session is { IsKept: true }:
                var kept = subscribe.TopicFilters.FindAll(
                    filter => broker.IsAllowed(User, conversation.Client, filter.Topic, isSubscription: true));
                var added = new Arrival.Subscription(conversation, kept, subscribe.SubscriptionIdentifier, []);
                await broker.AddAsync(added, _end.Token);
                return new Step(subscribe, added);
            case MqttUnsubscribePacket unsubscribe when Session is { IsKept: true }:
                var removed = new Arrival.Subscription(conversation, [], 0, unsubscribe.TopicFilters);
                await broker.AddAsync(removed, _end.Token);
                return new Step(unsubscribe, removed);
            default:
                return new Step(packet);
        }
    }

    private async ValueTask<Step> TakeAsync(Conversation conversation, MqttPublishPacket publish)
    {
        var message = new Arrival.Message(conversation)
        {
            Topic = publish.Topic,
            Payload = publish.Payload.IsSingleSegment ? publish.Payload.First : publish.Payload.ToArray(),
            Quality = (int)publish.QualityOfServiceLevel,
            IsRedelivered = publish.Dup,
            PacketId = publish.PacketIdentifier,
        };
        Interlocked.Add(ref _bytes, message.Payload.Length);
        await broker.AddAsync(message, _end.Token);
        publish.UserProperties = new TakenNote(publish.UserProperties);
        return new Step(publish, message, message.Quality switch
        {
            1 => new MqttPubAckPacket { PacketIdentifier = publish.PacketIdentifier },
            2 => new MqttPubRecPacket { PacketIdentifier = publish.PacketIdentifier },
            _ => null,
        });
    }

    /// <summary>Names the topic that an alias stands for; the server, which does not see every packet, is given names only.</summary>
    private void Resolve(MqttPublishPacket publish)
    {
        if (publish.TopicAlias == 0) return;
        if (!string.IsNullOrEmpty(publish.Topic)) _aliases[publish.TopicAlias] = publish.Topic;
        else if (_aliases.TryGetValue(publish.TopicAlias, out var topic)) publish.Topic = topic;
        publish.TopicAlias = 0;
    }

    /// <summary>A device that does not read any more may have sent what still counts: the reading finds the end.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The reading finds the end of a connection.")]
    private async ValueTask FlushAsync(CancellationToken cancellation)
    {
        try
        {
            await channel.FlushAsync(cancellation);
        }
        catch (Exception) when (!cancellation.IsCancellationRequested)
        {
            // It is sent again on another connection.
        }
    }

    /// <summary>A subscription of before as the device would say it again, but for the packet id, which no device uses.</summary>
    private static MqttSubscribePacket SubscribePacketOf(KeptSubscription kept) =>
        new() { TopicFilters = [kept.Filter], SubscriptionIdentifier = kept.Identifier };

    private void Leave(ushort packetId)
    {
        lock (_left) _left.Add(packetId);
    }

    private bool IsLeft(ushort packetId)
    {
        lock (_left) return _left.Remove(packetId);
    }

    /// <summary>What is to be done with a packet, in its turn.</summary>
    /// <param name="Packet">What the server is to have; null for nothing.</param>
    /// <param name="Arrival">What is to be durable before; null for nothing.</param>
    /// <param name="Answer">What the device is told then; null for nothing.</param>
    private readonly record struct Step(MqttPacket? Packet, Arrival? Arrival = null, MqttPacket? Answer = null);
}

/// <summary>
/// Marks a message that is taken already, where the server makes another object of it: the list of user properties is handed on as it is.
/// </summary>
internal sealed class TakenNote(List<MqttUserProperty>? given) : List<MqttUserProperty>(given ?? [])
{
    public List<MqttUserProperty>? Given { get; } = given;
}

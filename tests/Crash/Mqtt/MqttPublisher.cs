using System.Globalization;
using System.Net;
using System.Text;
using MQTTnet;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Exceptions;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.LowLevelClient;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// A connection that publishes for its devices, by the rules (MQTT 5, sections 4.3, 4.4 and 3.2.2.1.1): it keeps packet ids over
/// connections and, on a new one, sends again in the order of before: PUBLISH with DUP where nothing came back, PUBREL where PUBREC
/// did. MQTT 5 bids it to forget them when the broker does not know the session: then they are new messages. Even connections speak
/// MQTT 5, odd ones 3.1.1, which has no such rule.
/// </summary>
internal sealed class MqttPublisher(MqttPlan plan, MqttLedger ledger, int connection, int port, int seed, int outstandingMax) : IDisposable
{
    private const int UnderWayMax = 200;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly IEnumerator<int> _messages = plan.Of(connection, new Random(seed)).GetEnumerator();
    private readonly LinkedList<InFlight> _underWay = new(); // in the order of sending
    private readonly Dictionary<ushort, LinkedListNode<InFlight>> _byId = [];
    private readonly Lock _lock = new(); // guards both
    private readonly SemaphoreSlim _room = new(0);
    private int? _next; // drawn, and not sent yet
    private ushort _lastId;
    private bool _hadSession;

    private bool IsV5 => connection % 2 == 0;

    public async Task RunAsync(CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                using var link = new LowLevelMqttClient(new MqttClientAdapterFactory(), MqttNetNullLogger.Instance);
                await ConnectAsync(link, cancellation);
                await TalkAsync(link, cancellation);
                return;
            }
            catch (Exception failure) when (
                failure is MqttCommunicationException or ObjectDisposedException or TimeoutException or InvalidOperationException
                || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                await Task.Delay(Pause, cancellation);
            }
        }
    }

    public void Dispose()
    {
        _messages.Dispose();
        _room.Dispose();
    }

    private async Task ConnectAsync(LowLevelMqttClient link, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(TimeSpan.FromSeconds(20));
        await link.ConnectAsync(new MqttClientOptions
        {
            ProtocolVersion = IsV5 ? MqttProtocolVersion.V500 : MqttProtocolVersion.V311,
            ChannelOptions = new MqttClientTcpOptions { RemoteEndpoint = new IPEndPoint(IPAddress.Loopback, port) },
        }, deadline.Token);
        var connect = new MqttConnectPacket
        {
            ClientId = string.Create(CultureInfo.InvariantCulture, $"publisher-{connection}"), CleanSession = false, KeepAlivePeriod = 0,
        };
        if (IsV5) connect.SessionExpiryInterval = 86_400;
        await link.SendAsync(connect, deadline.Token);
        if (await link.ReceiveAsync(deadline.Token) is not MqttConnAckPacket { ReasonCode: MqttConnectReasonCode.Success } answer)
            throw new TimeoutException("The broker does not let the publisher in yet.");
        if (!answer.IsSessionPresent && _hadSession)
        {
            ledger.LoseSession();
            if (IsV5) Forget();
        }

        _hadSession = true;
        var most = IsV5 && answer.ReceiveMaximum > 0 ? Math.Min((int)answer.ReceiveMaximum, UnderWayMax) : UnderWayMax;
        while (_room.Wait(0, CancellationToken.None))
        {
        }

        if (most > _underWay.Count) _room.Release(most - _underWay.Count);
    }

    /// <summary>The session is gone at the broker: whose PUBREC is here has been taken over by it, the others are new messages.</summary>
    private void Forget()
    {
        lock (_lock)
        {
            var left = _underWay.Where(one => !one.IsReleased).Select(one => one.Message).ToList();
            foreach (var released in _underWay.Where(one => one.IsReleased)) ledger.Acknowledge(released.Message);
            _underWay.Clear();
            _byId.Clear();
            foreach (var message in left)
            {
                if (plan.QualityOf(message) == 2) ledger.SendAnew();
                Register(message);
            }
        }
    }

    private async Task TalkAsync(LowLevelMqttClient link, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var listening = ListenAsync(link, end.Token);
        try
        {
            await RepeatAsync(link, cancellation);
            while (_next is not null || _messages.MoveNext())
            {
                _next ??= _messages.Current;
                await RoomAsync(listening, end.Token);
                InFlight one;
                lock (_lock) one = Register(_next.Value);
                _next = null;
                await PublishAsync(link, one, cancellation);
            }

            while (!IsIdle())
            {
                if (await Task.WhenAny(listening, Task.Delay(10, cancellation)) == listening) await listening;
            }
        }
        finally
        {
            await end.CancelAsync();
            await listening.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    /// <summary>
    /// Waits for the acknowledgements to make room, and for the platform to make room in the broker's queue, which drops what is too much.
    /// </summary>
    private async Task RoomAsync(Task listening, CancellationToken cancellation)
    {
        var room = _room.WaitAsync(cancellation);
        if (await Task.WhenAny(room, listening) == listening) await listening;
        await room;
        while (ledger.Begun - ledger.Taken >= outstandingMax && !listening.IsCompleted) await Task.Delay(1, cancellation);
        if (listening.IsCompleted) await listening;
    }

    private async Task RepeatAsync(LowLevelMqttClient link, CancellationToken cancellation)
    {
        InFlight[] left;
        lock (_lock) left = [.. _underWay];
        foreach (var one in left)
        {
            lock (_lock)
            {
                if (!_byId.ContainsKey(one.Id)) continue;
            }

            if (one.IsReleased) await link.SendAsync(new MqttPubRelPacket { PacketIdentifier = one.Id }, cancellation);
            else await PublishAsync(link, one, cancellation);
        }
    }

    private async Task PublishAsync(LowLevelMqttClient link, InFlight one, CancellationToken cancellation)
    {
        ledger.Send(one.Message);
        var packet = new MqttPublishPacket
        {
            Topic = plan.TopicOf(one.Message),
            PacketIdentifier = one.Id,
            QualityOfServiceLevel = (MqttQualityOfServiceLevel)plan.QualityOf(one.Message),
            Dup = one.WasSent,
            PayloadSegment = Encoding.UTF8.GetBytes(plan.NumberOf(one.Message).ToString(CultureInfo.InvariantCulture)),
        };
        one.WasSent = true;
        await link.SendAsync(packet, cancellation);
    }

    private async Task ListenAsync(LowLevelMqttClient link, CancellationToken cancellation)
    {
        while (true)
        {
            switch (await link.ReceiveAsync(cancellation))
            {
                case MqttPubAckPacket answer:
                    Demand(answer.ReasonCode is MqttPubAckReasonCode.Success or MqttPubAckReasonCode.NoMatchingSubscribers, answer);
                    Finish(answer.PacketIdentifier);
                    break;
                case MqttPubRecPacket answer:
                    Demand(answer.ReasonCode is MqttPubRecReasonCode.Success or MqttPubRecReasonCode.NoMatchingSubscribers, answer);
                    lock (_lock)
                    {
                        if (_byId.TryGetValue(answer.PacketIdentifier, out var node)) node.Value.IsReleased = true;
                    }

                    await link.SendAsync(new MqttPubRelPacket { PacketIdentifier = answer.PacketIdentifier }, cancellation);
                    break;
                case MqttPubCompPacket answer:
                    Finish(answer.PacketIdentifier);
                    break;
                case null or MqttDisconnectPacket:
                    throw new MqttCommunicationException("The broker closed the connection.");
                default:
                    break;
            }
        }
    }

    private static void Demand(bool isGood, MqttPacket packet)
    {
        if (!isGood) throw new NotSupportedException($"The broker refused a message: {packet}.");
    }

    private void Finish(ushort id)
    {
        lock (_lock)
        {
            if (!_byId.Remove(id, out var node)) return;
            _underWay.Remove(node);
            ledger.Acknowledge(node.Value.Message);
        }

        _room.Release();
    }

    /// <summary>Gives a message an id that is free. The caller holds the lock.</summary>
    private InFlight Register(int message)
    {
        do
        {
            _lastId = (ushort)((_lastId % ushort.MaxValue) + 1);
        }
        while (_byId.ContainsKey(_lastId));
        var one = new InFlight(_lastId, message);
        _byId[one.Id] = _underWay.AddLast(one);
        return one;
    }

    private bool IsIdle()
    {
        lock (_lock) return _underWay.Count == 0;
    }

    /// <summary>A message that is not wholly acknowledged.</summary>
    private sealed record InFlight(ushort Id, int Message)
    {
        public bool WasSent { get; set; }

        public bool IsReleased { get; set; }
    }
}

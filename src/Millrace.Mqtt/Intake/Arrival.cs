using MQTTnet.Packets;

namespace Millrace.Mqtt.Intake;

/// <summary>
/// A connection, as far as the intake cares. Once broken, nothing more of it is taken: what follows a message that was not taken would be
/// taken before its redelivery.
/// </summary>
internal sealed class Conversation(string client)
{
    private volatile bool _isBroken;

    public string Client { get; } = client;

    public bool IsBroken => _isBroken;

    public void Break() => _isBroken = true;
}

/// <summary>What arrived and waits for its commit. Closed: one of the nested classes.</summary>
internal abstract class Arrival
{
    private readonly TaskCompletionSource _durable = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Arrival(Conversation conversation) => Conversation = conversation;

    public Conversation Conversation { get; }

    /// <summary>Completes when it is durable; fails when it is not, and then must not be acknowledged.</summary>
    public Task Durable => _durable.Task;

    /// <summary>True after <see cref="Durable"/> when the message had been taken before.</summary>
    public bool WasTakenBefore { get; set; }

    public void Complete() => _durable.TrySetResult();

    public void Fail(Exception failure)
    {
        Conversation.Break();
        _durable.TrySetException(failure);
        _ = _durable.Task.Exception; // whoever awaited it may be gone
    }

    /// <summary>A message.</summary>
    internal sealed class Message(Conversation conversation) : Arrival(conversation)
    {
        public required string Topic { get; init; }

        public required ReadOnlyMemory<byte> Payload { get; init; }

        public required int Quality { get; init; }

        public bool IsRedelivered { get; init; }

        /// <summary>Whether a broker sends it because it kept it, not because it was published now.</summary>
        public bool IsRetained { get; init; }

        /// <summary>The packet's id; 0 with quality 0.</summary>
        public ushort PacketId { get; init; }
    }

    /// <summary>The release of a packet id: the sender has our PUBREC and may use the id anew once it has our PUBCOMP.</summary>
    internal sealed class Release(Conversation conversation, ushort packetId) : Arrival(conversation)
    {
        public ushort PacketId { get; } = packetId;
    }

    /// <summary>The session began anew: no packet id of before is valid.</summary>
    internal sealed class NewSession(Conversation conversation) : Arrival(conversation);

    /// <summary>
    /// A device opens its session at the embedded broker, which was there before when <see cref="WasTakenBefore"/> says so.
    /// </summary>
    internal sealed class Session(Conversation conversation, bool isNew, bool isKept) : Arrival(conversation)
    {
        /// <summary>Whether it begins anew: neither packet ids nor subscriptions of before are valid.</summary>
        public bool IsNew => isNew;

        /// <summary>Whether it outlives the connection.</summary>
        public bool IsKept => isKept;

        /// <summary>What was subscribed before.</summary>
        public IReadOnlyList<KeptSubscription> Subscriptions { get; set; } = [];
    }

    /// <summary>A device subscribes or unsubscribes in a session that outlives its connection.</summary>
    internal sealed class Subscription(
        Conversation conversation, IReadOnlyList<MqttTopicFilter> added, uint identifier, IReadOnlyList<string> removed)
            : Arrival(conversation)
    {
        public IReadOnlyList<MqttTopicFilter> Added => added;

        /// <summary>What messages by the added filters carry; 0 for nothing.</summary>
        public uint Identifier => identifier;

        public IReadOnlyList<string> Removed => removed;
    }
}

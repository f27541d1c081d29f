using System.Buffers.Binary;
using System.Text;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Intake;

/// <summary>
/// The sessions of devices at the embedded broker that outlive their connection, with their subscriptions, as keyed state in the commits of
/// the source. A broker that has forgotten a session must say so, and then MQTT 5 bids the device to forget which messages of quality 2
/// were under way: they would come as new ones. Written down in FORMAT.md. Used by one loop only.
/// </summary>
internal sealed class SessionMemory(int rememberedMax)
{
    public const string Sessions = "sessions";
    public const string Subscriptions = "subscriptions";
    private const int SubscriptionBytes = 6;

    private static readonly byte[] Version = [1];

    private readonly Dictionary<string, Dictionary<string, Kept>> _sessions = new(StringComparer.Ordinal);
    private int _subscriptionCount;

    public void Load(OwnedPartition owned)
    {
        _sessions.Clear();
        _subscriptionCount = 0;
        foreach (var (key, value) in owned.Scan(Sessions))
        {
            if (!value.Span.SequenceEqual(Version)) throw SourceMemory.Unreadable(Sessions, key.Length, value.Length);
            _sessions[Encoding.UTF8.GetString(key.Span)] = new Dictionary<string, Kept>(StringComparer.Ordinal);
        }

        foreach (var (key, value) in owned.Scan(Subscriptions))
        {
            var end = key.Span.IndexOf((byte)0);
            if (end < 0 || value.Length != SubscriptionBytes || value.Span[0] != Version[0]
                || !_sessions.TryGetValue(Encoding.UTF8.GetString(key.Span[..end]), out var session))
                throw SourceMemory.Unreadable(Subscriptions, key.Length, value.Length);
            session[Encoding.UTF8.GetString(key.Span[(end + 1)..])] =
                new Kept(value.Span[1], BinaryPrimitives.ReadUInt32BigEndian(value.Span[2..]));
            _subscriptionCount++;
        }
    }

    /// <summary>Goes on with a session, or begins or ends it; says in it whether it was known, and with which subscriptions.</summary>
    public void Open(Arrival.Session session, Commit commit)
    {
        var client = session.Conversation.Client;
        if (session.IsNew) Forget(client, commit);
        session.WasTakenBefore = _sessions.TryGetValue(client, out var known);
        session.Subscriptions = known is null ? [] : [.. known.Select(static kept => kept.Value.FilterOf(kept.Key))];
        if (!session.IsKept)
        {
            Forget(client, commit);
            return;
        }

        if (known is not null || _sessions.Count >= rememberedMax) return;
        _sessions[client] = new Dictionary<string, Kept>(StringComparer.Ordinal);
        commit.Put(Sessions, Encoding.UTF8.GetBytes(client), Version);
    }

    public void Change(Arrival.Subscription change, Commit commit)
    {
        var client = change.Conversation.Client;
        if (!_sessions.TryGetValue(client, out var session)) return;
        foreach (var filter in change.Removed)
        {
            if (!session.Remove(filter)) continue;
            _subscriptionCount--;
            commit.Delete(Subscriptions, KeyOf(client, filter));
        }

        foreach (var filter in change.Added)
        {
            if (!session.ContainsKey(filter.Topic) && _subscriptionCount++ >= rememberedMax)
            {
                // Told that its session is gone, the device subscribes again; told that it is there, it would miss messages.
                _subscriptionCount--;
                Forget(client, commit);
                return;
            }

            var kept = Kept.Of(filter, change.Identifier);
            session[filter.Topic] = kept;
            byte[] value = [Version[0], kept.Flags, 0, 0, 0, 0];
            BinaryPrimitives.WriteUInt32BigEndian(value.AsSpan(2), kept.Identifier);
            commit.Put(Subscriptions, KeyOf(client, filter.Topic), value);
        }
    }

    private void Forget(string client, Commit commit)
    {
        if (!_sessions.Remove(client, out var session)) return;
        _subscriptionCount -= session.Count;
        foreach (var filter in session.Keys) commit.Delete(Subscriptions, KeyOf(client, filter));
        commit.Delete(Sessions, Encoding.UTF8.GetBytes(client));
    }

    /// <summary>Neither has a null character: MQTT forbids it.</summary>
    private static byte[] KeyOf(string client, string filter) => Encoding.UTF8.GetBytes($"{client}\0{filter}");

    /// <summary>
    /// A subscription's options as in the packet (MQTT 5, section 3.8.3.1), less what concerns the moment of subscribing.
    /// </summary>
    private readonly record struct Kept(byte Flags, uint Identifier)
    {
        public static Kept Of(MqttTopicFilter filter, uint identifier) => new(
            (byte)((int)filter.QualityOfServiceLevel | (filter.NoLocal ? 4 : 0) | (filter.RetainAsPublished ? 8 : 0)), identifier);

        public KeptSubscription FilterOf(string topic) => new(
            new MqttTopicFilter
            {
                Topic = topic,
                QualityOfServiceLevel = (MqttQualityOfServiceLevel)(Flags & 3),
                NoLocal = (Flags & 4) != 0,
                RetainAsPublished = (Flags & 8) != 0,
                RetainHandling = MqttRetainHandling.DoNotSendOnSubscribe,
            },
            Identifier);
    }
}

/// <summary>A subscription of before.</summary>
/// <param name="Filter">What is subscribed.</param>
/// <param name="Identifier">The subscription's identifier, which messages carry; 0 for none.</param>
internal sealed record KeptSubscription(MqttTopicFilter Filter, uint Identifier);

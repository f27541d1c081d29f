using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Millrace.Mqtt.Intake;

/// <summary>
/// What the source remembers beside its records, as keyed state in the same commits: packet ids that are taken and not released, and
/// digests of the last message of topics. Written down in FORMAT.md. Used by one loop only; ahead of what is durable while a commit is
/// under way, and loaded again when that fails.
/// </summary>
internal sealed class SourceMemory(int rememberedMax)
{
    public const string PacketIds = "packet-ids";
    public const string Digests = "digests";
    private const int DigestBytes = 16;

    private static readonly byte[] Version = [1];

    private readonly Dictionary<string, HashSet<ushort>> _packets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _digests = new(StringComparer.Ordinal);
    private int _packetCount;

    /// <summary>The sessions of the embedded broker.</summary>
    public SessionMemory Sessions { get; } = new(rememberedMax);

    public void Load(OwnedPartition owned)
    {
        Sessions.Load(owned);
        _packets.Clear();
        _digests.Clear();
        _packetCount = 0;
        foreach (var (key, value) in owned.Scan(PacketIds))
        {
            if (key.Length < 2 || !value.Span.SequenceEqual(Version)) throw Unreadable(PacketIds, key.Length, value.Length);
            Add(Encoding.UTF8.GetString(key.Span[..^2]), BinaryPrimitives.ReadUInt16BigEndian(key.Span[^2..]));
        }

        foreach (var (key, value) in owned.Scan(Digests))
        {
            if (value.Length != 1 + DigestBytes || value.Span[0] != Version[0]) throw Unreadable(Digests, key.Length, value.Length);
            _digests[Encoding.UTF8.GetString(key.Span)] = value[1..].ToArray();
        }
    }

    /// <summary>Whether a packet of a client is taken and not released.</summary>
    public bool Knows(string client, ushort packetId) => _packets.TryGetValue(client, out var ids) && ids.Contains(packetId);

    /// <summary>Remembers a packet; false when there are too many.</summary>
    public bool TryRemember(string client, ushort packetId, Commit commit)
    {
        if (Knows(client, packetId)) return true;
        if (_packetCount >= rememberedMax) return false;
        Add(client, packetId);
        commit.Put(PacketIds, KeyOf(client, packetId), Version);
        return true;
    }

    public void Release(string client, ushort packetId, Commit commit)
    {
        if (!_packets.TryGetValue(client, out var ids) || !ids.Remove(packetId)) return;
        if (ids.Count == 0) _packets.Remove(client);
        _packetCount--;
        commit.Delete(PacketIds, KeyOf(client, packetId));
    }

    public void Forget(string client, Commit commit)
    {
        if (!_packets.Remove(client, out var ids)) return;
        _packetCount -= ids.Count;
        foreach (var id in ids) commit.Delete(PacketIds, KeyOf(client, id));
    }

    /// <summary>Remembers the last message of a topic; false when it is the one that was remembered.</summary>
    public bool IsNews(string topic, ReadOnlySpan<byte> payload, Commit commit)
    {
        var digest = SHA256.HashData(payload)[..DigestBytes];
        if (_digests.TryGetValue(topic, out var known) && known.AsSpan().SequenceEqual(digest)) return false;
        if (known is null && _digests.Count >= rememberedMax) return true;
        _digests[topic] = digest;
        commit.Put(Digests, Encoding.UTF8.GetBytes(topic), [.. Version, .. digest]);
        return true;
    }

    private void Add(string client, ushort packetId)
    {
        if (!_packets.TryGetValue(client, out var ids)) _packets[client] = ids = [];
        if (ids.Add(packetId)) _packetCount++;
    }

    private static byte[] KeyOf(string client, ushort packetId)
    {
        var key = new byte[Encoding.UTF8.GetByteCount(client) + 2];
        Encoding.UTF8.GetBytes(client, key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(^2..), packetId);
        return key;
    }

    internal static MillraceException Unreadable(string store, int keyBytes, int valueBytes) => new(FailureCodes.UnknownVersion,
        $"An entry of the source's state '{store}' (key of {keyBytes}, value of {valueBytes} bytes) is not of version 1.");
}

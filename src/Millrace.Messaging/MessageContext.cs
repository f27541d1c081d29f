using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Millrace.Messaging;

/// <summary>
/// Where an event comes from and how often it was tried: a parameter for handlers that want to know. Immutable; it may be kept.
/// </summary>
public sealed record MessageContext
{
    /// <summary>The name of the handlers, which is their consumer group.</summary>
    public required string Group { get; init; }

    /// <summary>The event's source. With <see cref="EventId"/> it identifies the event.</summary>
    public required string Source { get; init; }

    /// <summary>The event's id.</summary>
    public required string EventId { get; init; }

    /// <summary>The event's type as it stands in the event, which may be an old version's.</summary>
    public string Type { get; init; } = "";

    /// <summary>The topic that it was read from.</summary>
    public string Topic { get; init; } = "";

    /// <summary>The partition that it was read from.</summary>
    public int Partition { get; init; }

    /// <summary>Its record's offset.</summary>
    public long Offset { get; init; }

    /// <summary>Its record's key as UTF-8 text; null when the record has none.</summary>
    public string? Key { get; init; }

    /// <summary>The business transaction that it belongs to: its correlation id, or its own id when it begins one.</summary>
    public string CorrelationId { get; init; } = "";

    /// <summary>When it happened; the record's time when the event does not say.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>Which attempt this is, from 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>
    /// A key for calls to the outside world, 32 characters of <c>[0-9a-f]</c>: the same for every attempt at this event by this group, also
    /// after a crash, and another one for any other event or group. A handler that makes several calls appends a word of its own to each.
    /// </summary>
    /// <remarks>The first 16 bytes of SHA-256 over group, source and id, each as UTF-8 behind its length (32 bits, little
    /// endian).</remarks>
    public string IdempotencyKey
    {
        get
        {
            var utf8 = Encoding.UTF8;
            var parts = new byte[3 * sizeof(int) + utf8.GetByteCount(Group) + utf8.GetByteCount(Source) + utf8.GetByteCount(EventId)];
            var length = 0;
            Append(parts, ref length, Group);
            Append(parts, ref length, Source);
            Append(parts, ref length, EventId);
            return Convert.ToHexStringLower(SHA256.HashData(parts).AsSpan(0, 16));
        }
    }

    private static void Append(Span<byte> parts, ref int length, string part)
    {
        var bytes = Encoding.UTF8.GetBytes(part, parts[(length + sizeof(int))..]);
        BinaryPrimitives.WriteInt32LittleEndian(parts[length..], bytes);
        length += sizeof(int) + bytes;
    }
}

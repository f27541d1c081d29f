using System.Buffers.Binary;
using System.Text;

namespace Millrace.Kafka.State;

/// <summary>
/// What the records of a group's changelog topic look like; FORMAT.md has it in words. A change: key = kind 1, length of the store's name
/// (2 bytes, big endian), the name as UTF-8, the key; value = the value, or null for a deletion. A claim: key = kind 0; value = JSON that
/// says who owns the partition from here on, for people to look at.
/// </summary>
internal static class Changelog
{
    private const byte Claim = 0, Change = 1;
    private const int HeaderBytes = 3;

    /// <summary>The key of every claim, so that compaction keeps the last one.</summary>
    public static byte[] ClaimKey { get; } = [Claim];

    /// <summary>A group's changelog. Its partitions are what the group's members share, so it is there also where no state is.</summary>
    public static string TopicOf(string group) => $"{group}-changelog";

    public static byte[] KeyOf(in StateChange change)
    {
        var nameBytes = Encoding.UTF8.GetByteCount(change.Store);
        if (nameBytes > ushort.MaxValue)
            throw new ArgumentException($"The store's name has {nameBytes} bytes of UTF-8; {ushort.MaxValue} are possible.");
        var key = new byte[HeaderBytes + nameBytes + change.Key.Length];
        key[0] = Change;
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(1), (ushort)nameBytes);
        Encoding.UTF8.GetBytes(change.Store, key.AsSpan(HeaderBytes));
        change.Key.CopyTo(key, HeaderBytes + nameBytes);
        return key;
    }

    /// <summary>Reads a change; false for a claim.</summary>
    /// <exception cref="MillraceException">It is neither.</exception>
    public static bool TryRead(TopicPartition source, in Record record, StoreNames names, out StateChange change)
    {
        change = default;
        var key = record.Key.Span;
        if (key.SequenceEqual(ClaimKey)) return false;
        if (key.Length < HeaderBytes || key[0] != Change)
            throw Unknown(source, record.Offset, key.Length == 0 ? -1 : key[0]);
        var nameBytes = BinaryPrimitives.ReadUInt16BigEndian(key[1..]);
        if (HeaderBytes + nameBytes > key.Length) throw Unknown(source, record.Offset, key[0]);
        change = new StateChange(
            names.Of(key.Slice(HeaderBytes, nameBytes)),
            key[(HeaderBytes + nameBytes)..].ToArray(),
            record.HasValue ? record.Value.ToArray() : null);
        return true;
    }

    private static MillraceException Unknown(TopicPartition source, long offset, int kind) => new(FailureCodes.UnknownVersion,
        $"The changelog {source} holds a record at offset {offset} of kind {kind} that this version does not know. Was it written by a " +
        "newer version, or by another program?");
}

/// <summary>One string per store name, however often it is read. Used by one reader only.</summary>
internal sealed class StoreNames
{
    private readonly Dictionary<byte[], string> _names = new(KeyBytes.Comparer);

    public string Of(ReadOnlySpan<byte> name)
    {
        var known = _names.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (known.TryGetValue(name, out var found)) return found;
        var made = Encoding.UTF8.GetString(name);
        _names.Add(name.ToArray(), made);
        return made;
    }
}

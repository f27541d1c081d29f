using System.Buffers.Binary;
using System.Text;

namespace Millrace.RocksDb.Copies;

/// <summary>
/// Keys of the database: two bytes of the store's name length, big-endian, the name in UTF-8, and the key. So a store's entries lie side by
/// side in the order of their keys, and no store's beginning is that of another one.
/// </summary>
internal static class StateKey
{
    /// <summary>The length 0xFFFF begins what is no state.</summary>
    public const int StoreBytesMax = 0xFFFE;

    private const int LengthBytes = 2;

    /// <summary>Strict: two names must not become one by a replacement character.</summary>
    private static readonly UTF8Encoding Names = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The one key that is no state.</summary>
    public static ReadOnlySpan<byte> Header => [0xFF, 0xFF, (byte)'c', (byte)'o', (byte)'p', (byte)'y'];

    /// <summary>How many bytes stand before the keys of a store.</summary>
    public static int PrefixLength(string store)
    {
        ArgumentNullException.ThrowIfNull(store);
        var bytes = Names.GetByteCount(store);
        if (bytes > StoreBytesMax)
        {
            throw new ArgumentException(
                $"The name of a store has {bytes} bytes in UTF-8; {StoreBytesMax} at most are possible.", nameof(store));
        }

        return LengthBytes + bytes;
    }

    /// <summary>Writes what stands before the keys of a store, and returns how many bytes that are.</summary>
    public static int WritePrefix(Span<byte> target, string store)
    {
        var bytes = Names.GetBytes(store, target[LengthBytes..]);
        BinaryPrimitives.WriteUInt16BigEndian(target, (ushort)bytes);
        return LengthBytes + bytes;
    }

    /// <summary>
    /// Makes of a prefix the first key after all keys that begin with it. A prefix has a byte below 0xFF, since no length is 0xFFFF.
    /// </summary>
    public static void Increment(Span<byte> prefix)
    {
        var last = prefix.LastIndexOfAnyExcept((byte)0xFF);
        prefix[last]++;
        prefix[(last + 1)..].Clear();
    }
}

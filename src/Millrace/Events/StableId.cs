using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Millrace;

/// <summary>
/// The id of an event that a processor says: the same whenever the same cause is worked on again, so that a redelivery says the same event.
/// It is the first 16 bytes of SHA-256 over the saying source, the cause's source and id, and the ordinal, as lower-case hex. Each text is
/// preceded by its length, so that no two different inputs are the same bytes.
/// </summary>
internal static class StableId
{
    /// <summary>How many characters an id has.</summary>
    public const int Length = 32;

    private const int StackBytesMax = 512;

    /// <summary>Writes the id into 32 bytes.</summary>
    public static void Write(ReadOnlySpan<byte> source, in EventView cause, int ordinal, Span<byte> target)
    {
        var size = (4 * sizeof(int)) + source.Length + cause.Source.Length + cause.Id.Length;
        var input = size <= StackBytesMax ? stackalloc byte[size] : new byte[size];
        var rest = input;
        Append(ref rest, source);
        Append(ref rest, cause.Source.Span);
        Append(ref rest, cause.Id.Span);
        BinaryPrimitives.WriteInt32BigEndian(rest, ordinal);

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input, hash);
        if (!Convert.TryToHexStringLower(hash[..(Length / 2)], target, out _))
            throw new ArgumentException($"An id needs {Length} bytes; there are {target.Length}.", nameof(target));
    }

    private static void Append(ref Span<byte> rest, ReadOnlySpan<byte> text)
    {
        BinaryPrimitives.WriteInt32BigEndian(rest, text.Length);
        text.CopyTo(rest[sizeof(int)..]);
        rest = rest[(sizeof(int) + text.Length)..];
    }
}

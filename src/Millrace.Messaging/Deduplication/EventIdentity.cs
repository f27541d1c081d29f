using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Millrace.Messaging;

/// <summary>
/// An event's identity (source, id) in 16 bytes: the start of SHA-256 over source and id, the source behind its length (32 bits, little
/// endian). A cryptographic hash, because ids come from strangers: nobody can make two events that look alike.
/// </summary>
internal static class EventIdentity
{
    public const int Size = 16;

    private const int StackBytesMax = 512;

    public static UInt128 Of(ReadOnlySpan<byte> source, ReadOnlySpan<byte> id)
    {
        var length = sizeof(int) + source.Length + id.Length;
        var rented = length > StackBytesMax ? ArrayPool<byte>.Shared.Rent(length) : null;
        var text = rented is null ? stackalloc byte[StackBytesMax] : rented;
        BinaryPrimitives.WriteInt32LittleEndian(text, source.Length);
        source.CopyTo(text[sizeof(int)..]);
        id.CopyTo(text[(sizeof(int) + source.Length)..]);

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..length], hash);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }
}

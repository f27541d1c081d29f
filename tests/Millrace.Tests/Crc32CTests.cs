using CsCheck;

namespace Millrace.Tests;

public sealed class Crc32CTests
{
    // RFC 3720, appendix B.4, and the check value of the Castagnoli polynomial.
    public static TheoryData<byte[], uint> Vectors => new()
    {
        { "123456789"u8.ToArray(), 0xE3069283 },
        { [], 0 },
        { new byte[32], 0x8A9136AA },
        { [.. Enumerable.Repeat((byte)0xff, 32)], 0x62A8AB43 },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)i)], 0x46DD794E },
        { [.. Enumerable.Range(0, 32).Select(i => (byte)(31 - i))], 0x113FDB5C },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void The_published_vectors_come_out(byte[] bytes, uint checksum) => Assert.Equal(checksum, Crc32C.Of(bytes));

    [Fact]
    public void A_checksum_can_be_taken_in_parts() =>
        Gen.Select(Gen.Byte.Array[0, 100], Gen.Byte.Array[0, 100])
            .Sample((a, b) => Crc32C.Append(Crc32C.Of(a), b) == Crc32C.Of([.. a, .. b]));
}

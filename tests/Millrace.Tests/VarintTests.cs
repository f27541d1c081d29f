using CsCheck;

namespace Millrace.Tests;

public sealed class VarintTests
{
    // Protocol Buffers, "Signed Integers", and the ends of the range.
    [Theory]
    [InlineData(0, "00")]
    [InlineData(-1, "01")]
    [InlineData(1, "02")]
    [InlineData(-64, "7F")]
    [InlineData(64, "8001")]
    [InlineData(0x7fffffff, "FEFFFFFF0F")]
    [InlineData(-2147483648, "FFFFFFFF0F")]
    [InlineData(long.MaxValue, "FEFFFFFFFFFFFFFFFF01")]
    [InlineData(long.MinValue, "FFFFFFFFFFFFFFFFFF01")]
    public void Numbers_are_written_as_zigzag_base_128(long number, string hex)
    {
        var bytes = new byte[10];
        var position = 0;

        Varint.Write(bytes, ref position, number);

        Assert.Equal(hex, Convert.ToHexString(bytes, 0, position));
        Assert.Equal(position, Varint.SizeOf(number));
    }

    [Fact]
    public void Every_number_comes_back_and_takes_the_size_that_was_announced() =>
        Gen.Select(Gen.Long, Gen.Int[0, 63]).Sample((wide, shift) =>
        {
            var number = wide >> shift;
            var bytes = new byte[10];
            var (written, read) = (0, 0);
            Varint.Write(bytes, ref written, number);
            return Varint.Read(bytes.AsSpan(0, written), ref read) == number && read == written && written == Varint.SizeOf(number);
        });

    [Theory]
    [InlineData("")]
    [InlineData("80")]
    [InlineData("FFFFFFFFFFFFFFFFFF")]
    [InlineData("8080808080808080808001")]
    public void A_number_that_is_cut_off_or_too_long_is_refused(string hex)
    {
        var failure = Assert.Throws<MillraceException>(() =>
        {
            var position = 0;
            Varint.Read(Convert.FromHexString(hex), ref position);
        });

        Assert.Equal(FailureCodes.Corrupt, failure.Code);
    }
}

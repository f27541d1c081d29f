using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using CsCheck;

namespace Millrace.Tests.Events;

public sealed class ExactDecimalTests
{
    private static readonly JsonSerializerOptions Options = new() { Converters = { new ExactDecimalConverter() } };

    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0", "0")]
    [InlineData("0.00", "0.00")]
    [InlineData("1.10", "1.10")]
    [InlineData("-29.990", "-29.990")]
    [InlineData("109.97", "109.97")]
    [InlineData("1e2", "100")]
    [InlineData("1.5E-3", "0.0015")]
    [InlineData("1.50e1", "15.0")]
    [InlineData("12e-1", "1.2")]
    [InlineData("0.0000000000000000000000000001", "0.0000000000000000000000000001")]
    [InlineData("79228162514264337593543950335", "79228162514264337593543950335")]
    [InlineData("-79228162514264337593543950335", "-79228162514264337593543950335")]
    [InlineData("7.9228162514264337593543950335", "7.9228162514264337593543950335")]
    [InlineData("79228162514264337593543950335.000", "79228162514264337593543950335")]
    [InlineData("1.000000000000000000000000000000000000", "1.0000000000000000000000000000")]
    [InlineData("7922816251426433759354395033500000e-5", "79228162514264337593543950335")]
    [InlineData("0e999999999999999999999", "0")]
    [InlineData("0e-999999999999999999999", "0.0000000000000000000000000000")]
    [InlineData("10000000000000000000000000000", "10000000000000000000000000000")]
    public void A_number_that_a_decimal_equals_is_read_with_its_scale(string json, string text)
    {
        var read = JsonSerializer.Deserialize<decimal>(json, Options);

        Assert.Equal(text, (read == 0 ? Math.Abs(read) : read).ToString(CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("79228162514264337593543950336")]
    [InlineData("-79228162514264337593543950336")]
    [InlineData("0.00000000000000000000000000001")]
    [InlineData("1.00000000000000000000000000001")]
    [InlineData("79228162514264337593543950335.1")]
    [InlineData("0.123456789012345678901234567890")]
    [InlineData("1e29")]
    [InlineData("1e-29")]
    [InlineData("1e400")]
    [InlineData("-1e-99999999999999999999999999")]
    public void A_number_that_no_decimal_equals_is_refused_with_its_value(string json)
    {
        var failure = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<decimal[]>($"[0, {json}]", Options));

        Assert.Equal("$[1]", failure.Path);
        Assert.Equal($"The number {json} cannot be held exactly as a decimal (28 to 29 digits).", failure.Message);
    }

    [Theory]
    [InlineData("\"1.10\"")]
    [InlineData("null")]
    [InlineData("true")]
    public void What_is_no_number_is_refused(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<decimal>(json, Options));

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("1.2.3")]
    [InlineData("1e")]
    [InlineData("1e+")]
    [InlineData("e5")]
    [InlineData(" 1")]
    [InlineData("1,5")]
    [InlineData("0x10")]
    public void Text_that_is_no_number_is_not_parsed(string text) =>
        Assert.False(ExactDecimal.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void Names_of_properties_are_exact_too()
    {
        var read = JsonSerializer.Deserialize<Dictionary<decimal, int>>("""{"1.10":1}""", Options)!;

        Assert.Equal("""{"1.10":1}""", JsonSerializer.Serialize(read, Options));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Dictionary<decimal, int>>("""{"1e-29":1}""", Options));
    }

    [Fact]
    public void Every_decimal_comes_back_with_its_scale() => Gen.Decimal.Sample(sent =>
    {
        var json = JsonSerializer.Serialize(sent, Options);
        var read = JsonSerializer.Deserialize<decimal>(json, Options);
        Assert.Equal(decimal.GetBits(sent), decimal.GetBits(read));
    });

    /// <summary>The oracle is arithmetic on whole numbers of any size.</summary>
    [Fact]
    public void Any_number_is_read_exactly_or_refused() =>
        Gen.Select(Gen.Char["0123456789"].Array[1, 34], Gen.Char["0012345678900"].Array[0, 34], Gen.Int[-40, 40], Gen.Bool)
            .Sample((whole, fraction, exponent, isNegative) =>
        {
            var digits = new string(whole) + new string(fraction);
            var json = $"{(isNegative ? "-" : "")}{new string(whole)}{(fraction.Length > 0 ? "." : "")}{new string(fraction)}e{exponent}";
            var (coefficient, power) = (BigInteger.Parse(digits, CultureInfo.InvariantCulture), exponent - fraction.Length);
            if (isNegative) coefficient = -coefficient;

            var isRead = ExactDecimal.TryParse(Encoding.UTF8.GetBytes(json), out var value);

            Assert.Equal(HasDecimal(coefficient, power), isRead);
            if (!isRead) return;
            var (ownCoefficient, ownPower) = Split(value);
            var least = Math.Min(power, ownPower);
            Assert.Equal(coefficient * BigInteger.Pow(10, power - least), ownCoefficient * BigInteger.Pow(10, ownPower - least));
        });

    private static bool HasDecimal(BigInteger coefficient, int power)
    {
        for (var scale = 0; scale <= 28; scale++)
        {
            var (up, down) = (BigInteger.Pow(10, Math.Max(0, power + scale)), BigInteger.Pow(10, Math.Max(0, -power - scale)));
            var scaled = BigInteger.DivRem(coefficient * up, down, out var rest);
            if (rest.IsZero && BigInteger.Abs(scaled) < BigInteger.Pow(2, 96)) return true;
        }

        return false;
    }

    private static (BigInteger Coefficient, int Power) Split(decimal value)
    {
        var digits = value.ToString(CultureInfo.InvariantCulture).Replace(".", "", StringComparison.Ordinal);
        return (BigInteger.Parse(digits, CultureInfo.InvariantCulture), -value.Scale);
    }
}

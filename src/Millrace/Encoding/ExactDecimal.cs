namespace Millrace;

/// <summary>Parses a JSON number into the decimal that equals it, or says that there is none.</summary>
internal static class ExactDecimal
{
    private const int ScaleMax = 28;

    // Exponents stop growing here: no text is so long that its digits could make up for more.
    private const long ExponentMax = 1L << 40;
    private static readonly UInt128 CoefficientMax = (UInt128.One << 96) - 1;

    public static bool TryParse(ReadOnlySpan<byte> text, out decimal value)
    {
        value = 0;
        var isNegative = !text.IsEmpty && text[0] == '-';
        if (isNegative) text = text[1..];
        if (!TryReadDigits(ref text, out var number) || !TryReadExponent(text, out var stated)) return false;
        var exponent = stated - number.FractionDigits;
        if (number.Coefficient == 0)
        {
            value = new decimal(0, 0, 0, false, (byte)Math.Clamp(-exponent, 0, ScaleMax));
            return true;
        }

        // The value is coefficient * 10^(exponent + zeros), the coefficient without the zeros at its end. The scale as written is kept if
        // it can be.
        var bare = exponent + number.Zeros;
        var leastScale = Math.Max(0, -bare);
        for (var scale = Math.Clamp(-exponent, 0, ScaleMax); scale >= leastScale; scale--)
        {
            if (!TryScale(number.Coefficient, bare + scale, out var coefficient)) continue;
            var (low, middle, high) = ((int)(uint)coefficient, (int)(uint)(coefficient >> 32), (int)(uint)(coefficient >> 64));
            value = new decimal(low, middle, high, isNegative, (byte)scale);
            return true;
        }

        return false;
    }

    /// <summary>Digits with at most one point among them. Zeros at the end are counted instead of multiplied in.</summary>
    private static bool TryReadDigits(ref ReadOnlySpan<byte> text, out (UInt128 Coefficient, long Zeros, long FractionDigits) number)
    {
        number = default;
        var digits = 0;
        var point = -1;
        var position = 0;
        for (; position < text.Length && text[position] is not ((byte)'e' or (byte)'E'); position++)
        {
            if (text[position] == '.' && point < 0 && digits > 0)
            {
                point = position;
                continue;
            }

            var digit = text[position] - '0';
            if (digit is < 0 or > 9) return false;
            digits++;
            if (digit == 0)
            {
                number.Zeros++;
                continue;
            }

            // Zeros in front of the first digit multiply nothing.
            if (number.Coefficient != 0 && !TryScale(number.Coefficient, number.Zeros + 1, out number.Coefficient)) return false;
            number.Coefficient += (uint)digit;
            number.Zeros = 0;
            if (number.Coefficient > CoefficientMax) return false;
        }

        number.FractionDigits = point < 0 ? 0 : position - point - 1;
        text = text[position..];
        return digits > 0 && number.FractionDigits != 0 == point >= 0;
    }

    private static bool TryReadExponent(ReadOnlySpan<byte> text, out long exponent)
    {
        exponent = 0;
        if (text.IsEmpty) return true;
        var isNegative = text.Length > 1 && text[1] == '-';
        var digits = text[(text.Length > 1 && text[1] is (byte)'+' or (byte)'-' ? 2 : 1)..];
        if (digits.IsEmpty) return false;
        foreach (var b in digits)
        {
            if (b is < (byte)'0' or > (byte)'9') return false;
            exponent = Math.Min((exponent * 10) + (b - '0'), ExponentMax);
        }

        if (isNegative) exponent = -exponent;
        return true;
    }

    private static bool TryScale(UInt128 coefficient, long tens, out UInt128 scaled)
    {
        scaled = coefficient;
        for (; tens > 0; tens--)
        {
            scaled *= 10;
            if (scaled > CoefficientMax) return false;
        }

        return true;
    }
}

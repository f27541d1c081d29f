using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Millrace;

/// <summary>
/// Reads JSON numbers into <see cref="decimal"/> exactly, with their scale (1.10 stays 1.10), and refuses those that it cannot hold, where
/// System.Text.Json would round. A scale beyond 28 digits is cut only of zeros. Numbers in strings are not taken. Thread safe.
/// </summary>
public sealed class ExactDecimalConverter : JsonConverter<decimal>
{
    // 28 digits are below 2^96 and within decimal's greatest scale, so a number of so few characters is held exactly.
    private const int SurelyExactLength = 28;
    private const int ShownMax = 64;
    private const NumberStyles Plain = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;

    /// <inheritdoc/>
    /// <exception cref="JsonException">Not a number, or one that no decimal equals.</exception>
    public override decimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.Number)
            throw new JsonException($"A decimal number is wanted, not a JSON {reader.TokenType}.");
        var text = reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan;
        return Parse(text);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteNumberValue(value);
    }

    /// <inheritdoc/>
    /// <exception cref="JsonException">Not a number, or one that no decimal equals.</exception>
    public override decimal ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Parse(Encoding.UTF8.GetBytes(reader.GetString() ?? ""));

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WritePropertyName(value.ToString(CultureInfo.InvariantCulture));
    }

    private static decimal Parse(ReadOnlySpan<byte> text)
    {
        if (text.Length <= SurelyExactLength && !text.ContainsAny("eE"u8)
            && decimal.TryParse(text, Plain, CultureInfo.InvariantCulture, out var value))
            return value;
        if (ExactDecimal.TryParse(text, out value)) return value;
        var shown = Encoding.UTF8.GetString(text[..Math.Min(text.Length, ShownMax)]);
        var more = text.Length > ShownMax ? "..." : "";
        throw new JsonException($"The number {shown}{more} cannot be held exactly as a decimal (28 to 29 digits).");
    }
}

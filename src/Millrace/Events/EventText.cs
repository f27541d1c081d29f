using System.Buffers;
using System.Text;

namespace Millrace;

/// <summary>What text an attribute may hold, and how a value is shown in a message.</summary>
internal static class EventText
{
    private const int QuotedBytesMax = 80;

    // The first bytes of everything that CloudEvents forbids: C0 controls and DEL; C1 controls begin with C2, non-characters with EF or F0
    // to F4.
    private static readonly SearchValues<byte> Suspects = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(b => (byte)b), 0x7f, 0xc2, 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4]);

    /// <summary>Whether UTF-8 text holds only what CloudEvents 1.0.2 allows in a String: no controls, no non-characters.</summary>
    public static bool IsAllowed(ReadOnlySpan<byte> utf8)
    {
        var suspect = utf8.IndexOfAny(Suspects);
        if (suspect < 0) return true;
        var rest = utf8[suspect..];
        while (Rune.DecodeFromUtf8(rest, out var rune, out var consumed) == OperationStatus.Done)
        {
            if (Rune.IsControl(rune)) return false;
            if ((rune.Value & 0xfffe) == 0xfffe || rune.Value is >= 0xfdd0 and <= 0xfdef) return false;
            rest = rest[consumed..];
        }

        return rest.IsEmpty;
    }

    /// <summary>A source as its bytes.</summary>
    /// <exception cref="ArgumentException">It is empty or holds a character that CloudEvents forbids.</exception>
    public static ReadOnlyMemory<byte> Source(string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        var utf8 = Encoding.UTF8.GetBytes(source);
        return IsAllowed(utf8) ? utf8 : throw new ArgumentException($"The source '{source}' holds a character that CloudEvents forbids.");
    }

    /// <summary>The value in quotes for a message: cut after 80 bytes, what cannot be shown replaced.</summary>
    public static string Quote(ReadOnlySpan<byte> utf8)
    {
        var shown = Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, QuotedBytesMax)]);
        var text = new StringBuilder(shown.Length + 5).Append('\'');
        foreach (var c in shown) text.Append(char.IsControl(c) ? '\ufffd' : c);
        return text.Append(utf8.Length > QuotedBytesMax ? "...'" : "'").ToString();
    }

    /// <summary>The start of a reason: which attribute has which value.</summary>
    public static string Attribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        $"attribute {Quote(name)} has the value {Quote(value)}";
}

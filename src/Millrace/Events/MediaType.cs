using System.Text;

namespace Millrace;

/// <summary>What a media type says about the bytes that it stands for. Parameters and case do not matter.</summary>
internal static class MediaType
{
    /// <summary>
    /// Whether the data is JSON text: <c>*/json</c>, <c>*/*+json</c>, or none given (CloudEvents JSON format 1.0.2, section 3.1.1).
    /// </summary>
    public static bool IsJson(ReadOnlySpan<byte> contentType)
    {
        if (contentType.IsEmpty || contentType.SequenceEqual("application/json"u8)) return true;
        return HasSubtype(Essence(contentType), "json"u8, "+json"u8);
    }

    /// <summary>Whether the data is text that may stand in a JSON string: <c>text/*</c> and XML.</summary>
    public static bool IsText(ReadOnlySpan<byte> contentType)
    {
        var essence = Essence(contentType);
        return StartsWith(essence, "text/"u8) || HasSubtype(essence, "xml"u8, "+xml"u8);
    }

    /// <summary>Whether a record's content type announces an event format (Kafka protocol binding, section 3).</summary>
    public static bool IsCloudEvents(ReadOnlySpan<byte> contentType) => StartsWith(contentType, "application/cloudevents"u8);

    /// <summary>Whether that event format is the JSON one.</summary>
    public static bool IsCloudEventsJson(ReadOnlySpan<byte> contentType) =>
        contentType.SequenceEqual("application/cloudevents+json"u8)
        || Ascii.EqualsIgnoreCase(Essence(contentType), "application/cloudevents+json"u8);

    private static ReadOnlySpan<byte> Essence(ReadOnlySpan<byte> contentType)
    {
        var end = contentType.IndexOf((byte)';');
        return (end < 0 ? contentType : contentType[..end]).Trim(" \t"u8);
    }

    private static bool HasSubtype(ReadOnlySpan<byte> essence, ReadOnlySpan<byte> whole, ReadOnlySpan<byte> suffix)
    {
        var slash = essence.IndexOf((byte)'/');
        if (slash <= 0) return false;
        var subtype = essence[(slash + 1)..];
        return Ascii.EqualsIgnoreCase(subtype, whole)
            || subtype.Length > suffix.Length && Ascii.EqualsIgnoreCase(subtype[^suffix.Length..], suffix);
    }

    private static bool StartsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> start) =>
        text.Length >= start.Length && Ascii.EqualsIgnoreCase(text[..start.Length], start);
}

using System.Text.Unicode;

namespace Millrace;

/// <summary>
/// Reads an event whose attributes are headers (Kafka protocol binding, section 3.2). Values are plain UTF-8; nothing is percent-encoded.
/// </summary>
internal static class HeaderReader
{
    /// <summary>Fills the parts; returns the reason when it is not an event, else null.</summary>
    public static string? Read(in Record record, ref EventParts parts)
    {
        ReadOnlyMemory<byte>? contentType = null;
        foreach (var header in record.Headers)
        {
            if (!header.HasValue) continue;
            var isContentType = header.Name.Span.SequenceEqual("content-type"u8);
            if (!isContentType && !header.Name.Span.StartsWith("ce_"u8)) continue;
            if (!Utf8.IsValid(header.Name.Span) || !Utf8.IsValid(header.Value.Span))
                return $"the header {EventText.Quote(header.Name.Span)} is not valid UTF-8";
            if (isContentType)
            {
                contentType = header.Value;
                continue;
            }

            var failure = Set(header.Name[3..], header.Value, ref parts);
            if (failure is not null) return failure;
        }

        if (record.HasValue) parts.SetData(record.Value);
        return (contentType is { } stated ? SetContentType(stated, ref parts) : null) ?? parts.FindMissing();
    }

    private static string? Set(ReadOnlyMemory<byte> name, ReadOnlyMemory<byte> value, ref EventParts parts)
    {
        var attribute = EventAttributes.Find(name.Span);
        if (attribute is EventAttribute.Data or EventAttribute.DataBase64)
            return $"{EventText.Attribute(name.Span, value.Span)}, but in binary mode the data is the record's value";
        return parts.Mark(attribute) ?? parts.Set(attribute, name, value);
    }

    /// <summary>
    /// The binding maps it to <c>content-type</c>; some producers write <c>ce_datacontenttype</c> as well, which must not differ.
    /// </summary>
    private static string? SetContentType(ReadOnlyMemory<byte> contentType, ref EventParts parts)
    {
        var stated = parts.Slices[(int)EventAttribute.DataContentType];
        if (!stated.IsEmpty && !stated.Span.SequenceEqual(contentType.Span))
        {
            return $"{EventText.Attribute("datacontenttype"u8, stated.Span)}, "
                + $"but the header 'content-type' says {EventText.Quote(contentType.Span)}";
        }

        return parts.Set(EventAttribute.DataContentType, default, contentType);
    }
}

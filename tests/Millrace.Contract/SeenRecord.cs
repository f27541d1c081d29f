using System.Text;

namespace Millrace.Contract;

/// <summary>A record copied out of its buffer, to be compared after the buffer went back.</summary>
public sealed record SeenRecord(long Offset, long Timestamp, byte[]? Key, byte[]? Value, IReadOnlyList<SeenHeader> Headers)
{
    /// <summary>The value as text.</summary>
    public string Text => Value is null ? "(null)" : Encoding.UTF8.GetString(Value);

    /// <summary>Copies a record.</summary>
    public static SeenRecord Of(in Record record)
    {
        var headers = new List<SeenHeader>();
        foreach (var header in record.Headers)
            headers.Add(new SeenHeader(Encoding.UTF8.GetString(header.Name.Span), header.HasValue ? header.Value.ToArray() : null));
        return new SeenRecord(
            record.Offset,
            record.Timestamp,
            record.HasKey ? record.Key.ToArray() : null,
            record.HasValue ? record.Value.ToArray() : null,
            headers);
    }

    /// <summary>Copies all records of a fetch.</summary>
    public static IReadOnlyList<SeenRecord> AllOf(FetchedRecords fetched)
    {
        var seen = new List<SeenRecord>();
        foreach (var record in fetched) seen.Add(Of(record));
        return seen;
    }
}

/// <summary>A header copied out of its buffer.</summary>
public sealed record SeenHeader(string Name, byte[]? Value);

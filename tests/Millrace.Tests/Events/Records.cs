using System.Text;

namespace Millrace.Tests.Events;

/// <summary>Makes and takes single records without an engine.</summary>
internal static class Records
{
    public const string StructuredType = "application/cloudevents+json";

    public static readonly DateTimeOffset Noon = new(2026, 1, 25, 10, 30, 0, TimeSpan.Zero);

    /// <summary>The records of a batch, copied out of it.</summary>
    public static List<Record> Of(RecordBatchBuilder batch)
    {
        var bytes = batch.Complete().ToArray();
        var records = new List<Record>();
        var cursor = new RecordEnumerator(bytes, 0);
        while (cursor.MoveNext()) records.Add(cursor.Current);
        return records;
    }

    public static Record Of(ReadOnlySpan<byte> value, params ReadOnlySpan<RecordHeader> headers)
    {
        using var batch = new RecordBatchBuilder();
        batch.Add(0, true, "key"u8, true, value, headers);
        return Of(batch)[0];
    }

    public static Record WithoutValue(params ReadOnlySpan<RecordHeader> headers)
    {
        using var batch = new RecordBatchBuilder();
        batch.Add(0, true, "key"u8, false, default, headers);
        return Of(batch)[0];
    }

    public static Record Structured(string json) => Of(Encoding.UTF8.GetBytes(json), new RecordHeader("content-type", StructuredType));

    public static Record Write(CloudEvent cloudEvent, EventMode mode)
    {
        using var batch = new RecordBatchBuilder();
        EventCodec.Write(cloudEvent, mode, "key"u8, Noon.ToUnixTimeMilliseconds(), batch);
        return Of(batch)[0];
    }

    public static CloudEvent Read(Record record) => EventCodec.Read(record).ToEvent();

    public static string ReasonOf(Record record)
    {
        Assert.False(EventCodec.TryRead(record, out _, out var reason));
        return reason;
    }

    public static string ReasonOf(string json) => ReasonOf(Structured(json));

    public static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);
}

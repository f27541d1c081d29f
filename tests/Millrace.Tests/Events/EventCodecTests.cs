using System.Text;
using System.Text.Json;

namespace Millrace.Tests.Events;

public sealed class EventCodecTests
{
    private const string Required = """ "specversion":"1.0","id":"1","source":"/s","type":"t" """;

    private static readonly CloudEvent Plain = new() { Id = "1", Source = "/s", Type = "t" };

    [Fact]
    public void The_examples_envelope_is_read()
    {
        var read = EventCodec.Read(Records.Structured(
            """
            {
              "specversion": "1.0", "id": "evt-ord-001-abc123", "source": "/services/order-service",
              "type": "com.ecommerce.orders.order.created", "time": "2026-01-25T10:30:00Z", "datacontenttype": "application/json",
              "data": { "orderId": "ORD-2026-001", "totalAmount": 109.970 }
            }
            """));

        Assert.Equal("evt-ord-001-abc123", Records.Text(read.Id));
        Assert.Equal("/services/order-service", Records.Text(read.Source));
        Assert.Equal(Orders.Created, Records.Text(read.Type));
        Assert.Equal(Records.Noon, read.Time);
        Assert.Equal("""{ "orderId": "ORD-2026-001", "totalAmount": 109.970 }""", Records.Text(read.Data));
        Assert.True(read.HasJsonData);
        Assert.True(read.Subject.IsEmpty);
    }

    [Fact]
    public void The_envelope_is_written_in_the_examples_order_with_its_text_unescaped()
    {
        var record = Records.Write(
            new CloudEvent
            {
                Id = "evt-1",
                Source = "/services/order-service",
                Type = "order.created",
                Time = Records.Noon,
                DataContentType = "application/json",
                Subject = "Zürich \"<b>\" 日本",
                CorrelationId = "c",
                CausationId = "b",
                TraceParent = "00-1-2-01",
                Extensions = new Dictionary<string, string> { ["zeta"] = "2", ["alpha"] = "" },
                Data = """{"price": 1.10}"""u8.ToArray(),
            },
            EventMode.Structured);

        Assert.Equal(
            """
            {"specversion":"1.0","id":"evt-1","source":"/services/order-service","type":"order.created","time":"2026-01-25T10:30:00Z",
            "datacontenttype":"application/json","subject":"Zürich \"<b>\" 日本","correlationid":"c","causationid":"b",
            "traceparent":"00-1-2-01","alpha":"","zeta":"2","data":{"price": 1.10}}
            """.ReplaceLineEndings(""),
            Records.Text(record.Value));
        Assert.True(record.Headers.TryGet("content-type"u8, out var contentType));
        Assert.Equal(Records.StructuredType, Records.Text(contentType));
        Assert.Equal(1, record.Headers.Count);
    }

    [Fact]
    public void In_binary_mode_attributes_are_headers_of_plain_text_and_the_data_is_the_value()
    {
        var record = Records.Write(
            Plain with { Subject = "100% Zürich", Time = Records.Noon, DataContentType = "text/plain", Data = "hello"u8.ToArray() },
            EventMode.Binary);

        List<string> headers = [];
        foreach (var header in record.Headers) headers.Add($"{Records.Text(header.Name)}: {Records.Text(header.Value)}");
        Assert.Equal(
            ["ce_specversion: 1.0", "ce_id: 1", "ce_source: /s", "ce_type: t", "ce_time: 2026-01-25T10:30:00Z", "content-type: text/plain",
                "ce_subject: 100% Zürich"],
            headers);
        Assert.Equal("hello", Records.Text(record.Value));
    }

    [Fact]
    public void The_specifications_binary_example_is_read()
    {
        var read = Records.Read(Records.Of(
            [0, 1, 255],
            new RecordHeader("ce_specversion", "1.0"), new RecordHeader("ce_type", "com.example.someevent"),
            new RecordHeader("trace", "mine"),
            new RecordHeader("ce_source", "/mycontext/subcontext"), new RecordHeader("ce_id", "1234-1234-1234"),
            new RecordHeader("ce_time", "2018-04-05T03:56:24Z"), new RecordHeader("content-type", "application/avro"),
            new RecordHeader("ce_odd1", "5")));

        Assert.Equal(
            new CloudEvent
            {
                Id = "1234-1234-1234",
                Source = "/mycontext/subcontext",
                Type = "com.example.someevent",
                Time = new DateTimeOffset(2018, 4, 5, 3, 56, 24, TimeSpan.Zero),
                DataContentType = "application/avro",
                Extensions = new Dictionary<string, string> { ["odd1"] = "5" },
                Data = new byte[] { 0, 1, 255 },
            },
            read);
    }

    [Theory]
    [InlineData("application/cloudevents+json")]
    [InlineData("application/cloudevents+json; charset=UTF-8")]
    [InlineData("Application/CloudEvents+JSON;charset=utf-8")]
    public void Structured_mode_is_known_by_its_content_type(string contentType) =>
        Assert.Equal(EventMode.Structured, EventCodec.Read(
            Records.Of(Encoding.UTF8.GetBytes($"{{{Required}}}"), new RecordHeader("content-type", contentType))).Mode);

    [Fact]
    public void An_envelope_from_a_producer_that_sends_no_headers_is_read() =>
        Assert.Equal(EventMode.Structured, EventCodec.Read(Records.Of(Encoding.UTF8.GetBytes($"{{{Required}}}"))).Mode);

    [Fact]
    public void Headers_beside_an_envelope_do_not_count() =>
        Assert.Equal("1", Records.Text(EventCodec.Read(Records.Of(
            Encoding.UTF8.GetBytes($"{{{Required}}}"), new RecordHeader("content-type", Records.StructuredType),
            new RecordHeader("ce_id", "other"))).Id));

    [Fact]
    public void Unknown_extensions_are_kept_with_their_texts_and_a_null_is_as_if_it_were_not_there()
    {
        var read = Records.Read(Records.Structured(
            $$"""{ {{Required}}, "comexampleextension1":"value", "comexampleothervalue":-5, "big":9223372036854775808, "flag":true, "unset":null, "subject":null }"""));

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["comexampleextension1"] = "value",
                ["comexampleothervalue"] = "-5",
                ["big"] = "9223372036854775808",
                ["flag"] = "true",
            },
            read.Extensions);
        Assert.Null(read.Subject);
    }

    [Fact]
    public void Escapes_are_resolved_in_names_and_values_and_left_as_they_are_in_data()
    {
        var read = EventCodec.Read(Records.Structured(
            """{"specversion":"1.0","\u0069d":"a\"b\u00fc\ud83d\ude42","source":"\/s","type":"t","data":{"a":"\u00fc"}}"""));

        Assert.Equal("a\"bü🙂", Records.Text(read.Id));
        Assert.Equal("/s", Records.Text(read.Source));
        Assert.Equal("""{"a":"\u00fc"}""", Records.Text(read.Data));
    }

    [Theory]
    [InlineData("""{"data":"I'm just a string" """, "\"I'm just a string\"")]
    [InlineData("""{"data":null """, "null")]
    [InlineData("""{"data": [1, 2] """, "[1, 2]")]
    [InlineData("""{"data":"<much wow=\"xml\"/>","datacontenttype":"application/xml" """, "<much wow=\"xml\"/>")]
    [InlineData("""{"datacontenttype":"text/plain","data":"" """, "")]
    [InlineData("""{"data_base64":"AAH/","datacontenttype":"application/octet-stream" """, "\0\u0001\ufffd")]
    [InlineData("""{"data_base64":"eyJhIjoxfQ==" """, """{"a":1}""")]
    [InlineData("""{"data_base64":null,"data":1 """, "1")]
    public void Data_is_read_as_its_media_type_says(string start, string data)
    {
        var read = EventCodec.Read(Records.Structured($"{start},{Required}}}"));

        Assert.True(read.HasData);
        Assert.Equal(data, Records.Text(read.Data));
    }

    [Theory]
    [InlineData(null, """{"a": 1}""", "\"data\":{\"a\": 1}")]
    [InlineData("application/vnd.x+json; v=1", "[]", "\"data\":[]")]
    [InlineData("application/json", "not json", "\"data_base64\":\"bm90IGpzb24=\"")]
    [InlineData("application/json", """{"a":1}{"b":2}""", "\"data_base64\":\"eyJhIjoxfXsiYiI6Mn0=\"")]
    [InlineData("text/plain", "line\n\"quoted\"", "\"data\":\"line\\n\\\"quoted\\\"\"")]
    [InlineData("image/svg+xml", "<svg/>", "\"data\":\"<svg/>\"")]
    [InlineData("application/octet-stream", "abc", "\"data_base64\":\"YWJj\"")]
    [InlineData("application/octet-stream", "", "\"data_base64\":\"\"")]
    public void Data_is_written_as_its_media_type_says(string? contentType, string data, string member)
    {
        var written = Records.Text(Records.Write(Plain with { DataContentType = contentType, Data = Encoding.UTF8.GetBytes(data) },
            EventMode.Structured).Value);

        Assert.EndsWith("," + member + "}", written, StringComparison.Ordinal);
        using var parsed = JsonDocument.Parse(written);
    }

    [Fact]
    public void No_data_is_a_tombstone_in_binary_mode_and_still_a_value_in_structured_mode()
    {
        var binary = Records.Write(Plain, EventMode.Binary);
        var structured = Records.Write(Plain, EventMode.Structured);

        Assert.False(binary.HasValue);
        Assert.Equal("""{"specversion":"1.0","id":"1","source":"/s","type":"t"}""", Records.Text(structured.Value));
        Assert.False(EventCodec.Read(binary).HasData);
        Assert.False(EventCodec.Read(structured).HasData);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(65)]
    public void Data_is_read_down_to_64_levels(int depth)
    {
        var json = $"{{{Required},\"data\":{new string('[', depth)}{new string(']', depth)}}}";

        var isRead = EventCodec.TryRead(Records.Structured(json), out _, out var reason);

        Assert.Equal(depth <= EventCodec.DataDepthMax, isRead);
        if (!isRead) Assert.Contains("depth", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Data_nested_too_deep_for_a_reader_is_written_so_that_it_is_still_read()
    {
        var deep = Plain with { Data = Encoding.UTF8.GetBytes(new string('[', 10_000) + new string(']', 10_000)) };

        Assert.Equal(deep, Records.Read(Records.Write(deep, EventMode.Structured)));
    }

    [Fact]
    public void An_empty_trace_context_is_none() =>
        Assert.Null(Records.Read(Records.Structured($$"""{ {{Required}}, "traceparent":"", "tracestate":"" }""")).TraceParent);

    [Fact]
    public void A_failure_to_read_says_where_and_why()
    {
        var failure = Assert.Throws<MillraceException>(() => EventCodec.Read(Records.Structured("{}")));

        Assert.Equal(FailureCodes.NotAnEvent, failure.Code);
        Assert.Equal("The record at offset 0 is not an event: attribute 'id' is missing.", failure.Message);
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        var structured = Records.Structured(
            """{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-01-25T10:30:00Z","correlationid":"c","data":{"a":[1,{"b":2}]}}""");
        var binary = Records.Write(Plain with { Time = Records.Noon, DataContentType = "application/json", Data = "1"u8.ToArray() },
            EventMode.Binary);
        EventCodec.Read(structured);
        EventCodec.Read(binary);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            EventCodec.TryRead(structured, out _, out _);
            EventCodec.TryRead(binary, out _, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}

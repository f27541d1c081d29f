namespace Millrace.Tests.Events;

public sealed class EventCodecTests
{
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
                Id = "evt-1", Source = "/services/order-service", Type = "order.created", Time = Records.Noon, DataContentType = "application/json",
                Subject = "Zürich \"<b>\" 日本", CorrelationId = "c", CausationId = "b", TraceParent = "00-1-2-01",
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
}

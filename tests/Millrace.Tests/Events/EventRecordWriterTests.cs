namespace Millrace.Tests.Events;

public sealed class EventRecordWriterTests
{
    private readonly EventRecordWriter _writer = new(Orders.Registry(), "/services/order-service");

    [Fact]
    public void An_event_has_everything_that_its_contract_gives_and_one_after_the_other_is_whole()
    {
        using var batch = new RecordBatchBuilder();
        for (var i = 0; i < 3; i++)
        {
            _writer.Write(
                new OrderCancelled($"O-{i}", new string('x', 3_000 * i), 1.10m, []), $"evt-{i}", "key"u8, Records.Noon.ToUnixTimeMilliseconds(), batch);
        }

        var records = new RecordEnumerator(batch.Complete(), 0);
        for (var i = 0; i < 3; i++)
        {
            Assert.True(records.MoveNext());
            Assert.Equal(("key", Records.Noon.ToUnixTimeMilliseconds()), (Records.Text(records.Current.Key), records.Current.Timestamp));
            var written = Records.Read(records.Current);
            Assert.Equal(
                ($"evt-{i}", "/services/order-service", Orders.Cancelled, $"O-{i}", "https://example.com/cancelled.json", Records.Noon),
                (written.Id, written.Source, written.Type, written.Subject, written.DataSchema, written.Time));
            var read = Assert.IsType<OrderCancelled>(Orders.Registry().Read(EventCodec.Read(records.Current)));
            Assert.Equal(3_000 * i, read.Reason.Length);
        }

        Assert.False(records.MoveNext());
    }

    [Fact]
    public void What_no_event_can_have_is_refused_and_leaves_nothing()
    {
        using var batch = new RecordBatchBuilder();
        var cancelled = new OrderCancelled("O-1", "no stock", 1.10m, []);

        Assert.Throws<ArgumentException>(() => _writer.Write(cancelled, "", "key"u8, 0, batch));
        Assert.Contains("'id'", Assert.Throws<ArgumentException>(() => _writer.Write(cancelled, "a\u0001", "key"u8, 0, batch)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => _writer.Write("no event", "evt-1", "key"u8, 0, batch));
        Assert.Contains("'/a\u0001'", Assert.Throws<ArgumentException>(() => new EventRecordWriter(Orders.Registry(), "/a\u0001")).Message, StringComparison.Ordinal);

        Assert.Equal(0, batch.Count);
        _writer.Write(cancelled, "evt-1", "key"u8, 0, batch);
        Assert.Equal(1, batch.Count);
    }
}

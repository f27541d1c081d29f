using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Millrace.Log;

namespace Millrace.Tests.Events;

public sealed class EventPublisherTests : IDisposable
{
    private const string Source = "/services/order-service";

    private static readonly CloudEvent Cause = new()
    {
        Id = "evt-1",
        Source = "/services/cart",
        Type = "cart.paid",
        CorrelationId = "purchase-7",
        TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        TraceState = "vendor=1",
    };

    private readonly FakeTimeProvider _time = new(Records.Noon.AddTicks(1_234_567));
    private readonly CollectingScope _scope = new();
    private readonly EventPublisher _publisher;
    private int _ids;

    public EventPublisherTests() => _publisher = new EventPublisher(Orders.Registry(), Source, _time, () => $"id-{++_ids}");

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void What_is_said_carries_everything_that_its_cause_and_its_contract_give()
    {
        _publisher.Say(_scope, new OrderCancelled("O-1", "no stock", 1.10m, []), View(Cause), 0);

        var record = Assert.Single(_scope.Said("orders.updated"));
        Assert.Equal("O-1", Records.Text(record.Key));
        Assert.Equal(Records.Noon.ToUnixTimeMilliseconds() + 123, record.Timestamp);
        var said = Records.Read(record);
        Assert.Equal(
            new CloudEvent
            {
                Id = said.Id,
                Source = Source,
                Type = Orders.Cancelled,
                Time = Records.Noon.AddMilliseconds(123),
                DataContentType = "application/json",
                Subject = "O-1",
                DataSchema = "https://example.com/cancelled.json",
                CorrelationId = "purchase-7",
                CausationId = "evt-1",
                TraceParent = Cause.TraceParent,
                TraceState = Cause.TraceState,
                Data = """{"orderId":"O-1","reason":"no stock","refund":1.10,"fees":{}}"""u8.ToArray(),
            },
            said);
    }

    [Fact]
    public void An_event_is_said_with_the_examples_envelope_and_comes_back_exactly()
    {
        _publisher.Say(_scope, Orders.Example(), View(Cause), 0);

        var record = Assert.Single(_scope.Said("orders.created"));
        var json = Records.Text(record.Value);
        Assert.StartsWith("""{"specversion":"1.0","id":""", json, StringComparison.Ordinal);
        Assert.EndsWith(
            """
            "data":{"orderId":"ORD-2026-001","customerId":"CUST-789","items":[{"sku":"PROD-001","quantity":2,"price":29.99},
            {"sku":"PROD-002","quantity":1,"price":49.90}],"totalAmount":109.97,"sequence":9223372036854775807}}
            """.ReplaceLineEndings(""), json, StringComparison.Ordinal);
        var read = Assert.IsType<OrderCreated>(_publisher.Registry.Read(EventCodec.Read(record)));
        Assert.Equal(Orders.Example() with { Items = [] }, read with { Items = [] });
        Assert.Equal(Orders.Example().Items, read.Items);
    }

    [Fact]
    public void A_contract_in_binary_mode_is_said_in_binary_mode()
    {
        _publisher.Say(_scope, new Reading("D", 1.5), View(Cause), 0);

        var record = Assert.Single(_scope.Said("readings"));
        Assert.Equal("""{"device":"D","value":1.5}""", Records.Text(record.Value));
        Assert.Equal(EventMode.Binary, EventCodec.Read(record).Mode);
        Assert.Equal("purchase-7", Records.Read(record).CorrelationId);
    }

    [Fact]
    public void Each_event_has_its_own_attributes_although_buffers_are_used_again()
    {
        _publisher.Say(_scope, new Reading("long-name-of-a-device", 1.5), View(Cause), 0);
        _publisher.Say(_scope, new OrderCancelled("O-1", "", null, []), View(Cause), 1);
        var other = Cause with { Id = "evt-2", CorrelationId = null, TraceParent = null, TraceState = null };
        _publisher.Say(_scope, new Reading("D", 2), View(other), 0);

        var readings = _scope.Said("readings").ConvertAll(Records.Read);
        Assert.Equal(["purchase-7", "evt-2"], readings.Select(r => r.CorrelationId));
        Assert.Equal(["evt-1", "evt-2"], readings.Select(r => r.CausationId));
        Assert.Equal([Cause.TraceParent, null], readings.Select(r => r.TraceParent));
        Assert.All(readings, r => Assert.Null(r.Subject));
        Assert.Equal("""{"device":"D","value":2}""", Records.Text(readings[1].Data));
    }

    [Fact]
    public void A_cause_without_a_correlation_begins_one_by_its_id()
    {
        _publisher.Say(_scope, Orders.Example(), View(Cause with { CorrelationId = null, TraceParent = null, TraceState = null }), 0);

        var said = Records.Read(_scope.Said("orders.created")[0]);
        Assert.Equal(("evt-1", "evt-1", null), (said.CorrelationId, said.CausationId, said.TraceParent));
    }

    [Fact]
    public void The_activity_that_is_current_goes_before_the_causes_trace()
    {
        using var activity = new Activity("work").SetParentId(Cause.TraceParent!);
        activity.TraceStateString = "mine=2";
        activity.Start();

        _publisher.Say(_scope, Orders.Example(), View(Cause), 0);

        var said = Records.Read(_scope.Said("orders.created")[0]);
        Assert.Equal((activity.Id, "mine=2"), (said.TraceParent, said.TraceState));
        Assert.StartsWith("00-4bf92f3577b34da6a3ce929d0e0e4736-", said.TraceParent, StringComparison.Ordinal);
        Assert.NotEqual(Cause.TraceParent, said.TraceParent);
    }

    [Fact]
    public void An_id_is_the_hash_of_source_cause_and_ordinal_that_the_documentation_gives()
    {
        _publisher.Say(_scope, Orders.Example(), View(Cause), 3);

        byte[] input =
            [0, 0, 0, 23, .. "/services/order-service"u8, 0, 0, 0, 14, .. "/services/cart"u8, 0, 0, 0, 5, .. "evt-1"u8, 0, 0, 0, 3];
        var id = Records.Read(_scope.Said("orders.created")[0]).Id;
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(input)[..16]), id);
        Assert.Equal("f7d741a632a964593ce3e9317d2890e8", id);
    }

    [Fact]
    public void An_id_is_the_same_again_and_another_whenever_anything_differs()
    {
        string Id(EventPublisher publisher, CloudEvent cause, int ordinal)
        {
            _scope.Clear();
            publisher.Say(_scope, Orders.Example(), View(cause), ordinal);
            return Records.Read(_scope.Said("orders.created")[0]).Id;
        }

        var other = new EventPublisher(Orders.Registry(), Source + "/x", _time);
        var first = Id(_publisher, Cause, 0);
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(first, Id(_publisher, Cause with { CorrelationId = "other", Type = "other" }, 0));
        string[] different =
        [
            first,
            Id(other, Cause, 0),
            Id(_publisher, Cause, 1),
            Id(_publisher, Cause with { Id = "evt-2" }, 0),
            Id(_publisher, Cause with { Source = "/s" }, 0),
            // The same text in a row, divided elsewhere.
            Id(_publisher, Cause with { Source = "/services/cartevt", Id = "-1" }, 0),
            Id(_publisher, Cause with { Source = "/services/carte", Id = "vt-1" }, 0),
            Id(_publisher, Cause with { Id = new string('x', 2_000) }, 0),
        ];
        Assert.Equal(different.Length, different.Distinct().Count());
    }

    [Fact]
    public void Without_a_cause_an_id_must_be_stated()
    {
        var noCause = Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, Orders.Example(), default(EventView), 0));
        var noId = Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, Orders.Example(), new PublishOptions()));
        _publisher.Say(_scope, Orders.Example(), new PublishOptions { Id = "timer-O-1", CorrelationId = "purchase-7" });

        Assert.StartsWith("There is no cause.", noCause.Message, StringComparison.Ordinal);
        Assert.StartsWith("Within a processor an event without a cause needs an id", noId.Message, StringComparison.Ordinal);
        var said = Records.Read(_scope.Said("orders.created")[0]);
        Assert.Equal(("timer-O-1", "purchase-7", null), (said.Id, said.CorrelationId, said.CausationId));
    }

    [Fact]
    public void What_cannot_be_said_is_refused_and_the_publisher_goes_on()
    {
        var cause = View(Cause);
        var unknown = Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, "text", View(Cause), 0));
        var old = Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, new OrderCreatedV0("O", "C"), View(Cause), 0));
        var noKey = Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, Orders.Example() with { OrderId = "" }, View(Cause), 0));
        Assert.Throws<ArgumentException>(() => _publisher.Say(_scope, new OrderCancelled("a\nb", "", null, []), View(Cause), 0));
        _publisher.Say(_scope, Orders.Example(), cause, 0);

        Assert.Contains("System.String is not registered", unknown.Message, StringComparison.Ordinal);
        Assert.Contains("read but not said", old.Message, StringComparison.Ordinal);
        Assert.Equal($"The key of an event of type '{Orders.Created}' is empty.", noKey.Message);
        Assert.Single(_scope.Said("orders.created"));
        Assert.Empty(_scope.Said("orders.updated"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a\nb")]
    public void A_source_that_no_event_may_have_is_refused(string source) =>
        Assert.Throws<ArgumentException>(() => new EventPublisher(Orders.Registry(), source, _time));

    [Fact]
    public void Saying_an_event_allocates_little()
    {
        var cause = View(Cause);
        var order = Orders.Example();
        for (var i = 0; i < 100; i++) Again();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Again();

        // The enumerator of the order's items and what the serializer keeps of a call, but no buffer, no writer, no text.
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 100, 0, 512);

        void Again()
        {
            _scope.Clear();
            _publisher.Say(_scope, order, cause, 0);
        }
    }

    [Fact]
    public async Task Publishing_from_outside_returns_where_the_durable_event_is()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("millrace-events-").FullName;
        try
        {
            await using var engine = await LogEngine.OpenAsync(folder, cancellation: cancellation);
            await engine.CreateTopicAsync(new TopicSpecification { Name = "orders.created", Partitions = 8 }, cancellation);

            var first = await _publisher.PublishAsync(engine, Orders.Example(), cancellation: cancellation);
            var second = await _publisher.PublishAsync(
                engine,
                Orders.Example(),
                new PublishOptions { Id = "mine", CorrelationId = "c", CausationId = "b", Time = Records.Noon.AddTicks(7) },
                cancellation);

            var target = new TopicPartition("orders.created", Partitioner.PartitionOf("ORD-2026-001"u8, 8));
            Assert.Equal(new PublishedEvent("id-1", target, 0), first);
            Assert.Equal(new PublishedEvent("mine", target, 1), second);
            using var reader = engine.OpenReader(target, 1);
            using var fetched = await reader.ReadAsync(1 << 20, cancellation);
            foreach (var record in fetched)
            {
                var read = Records.Read(record);
                Assert.Equal(("mine", "c", "b"), (read.Id, read.CorrelationId, read.CausationId));
                Assert.Equal(Records.Noon.AddTicks(7), read.Time);
                Assert.Equal(Records.Noon.ToUnixTimeMilliseconds(), record.Timestamp);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Events_of_one_commit_know_their_places_in_it()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("millrace-events-").FullName;
        try
        {
            await using var engine = await LogEngine.OpenAsync(folder, cancellation: cancellation);
            await engine.CreateTopicAsync(new TopicSpecification { Name = "orders.created", Partitions = 1 }, cancellation);
            await _publisher.PublishAsync(engine, Orders.Example(), cancellation: cancellation);
            using var commit = new Commit();

            var first = await _publisher.AddAsync(engine, commit, Orders.Example(), cancellation: cancellation);
            var second = await _publisher.AddAsync(engine, commit, Orders.Example(), cancellation: cancellation);

            Assert.Equal(("id-2", 0, "id-3", 1), (first.Id, first.Index, second.Id, second.Index));
            var committed = (await engine.CommitAsync(commit, cancellation)).RequireCommitted();
            Assert.Equal(1, Assert.Single(committed));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_topic_that_does_not_exist_and_an_id_that_nobody_gives_are_named()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("millrace-events-").FullName;
        try
        {
            await using var engine = await LogEngine.OpenAsync(folder, cancellation: cancellation);
            var withoutIds = new EventPublisher(Orders.Registry(), Source, _time);

            var noTopic = await Assert.ThrowsAsync<MillraceException>(
                async () => await _publisher.PublishAsync(engine, Orders.Example(), cancellation: cancellation));
            var noId = await Assert.ThrowsAsync<ArgumentException>(
                async () => await withoutIds.PublishAsync(engine, Orders.Example(), cancellation: cancellation));

            Assert.Equal((FailureCodes.TopicNotFound, "The topic 'orders.created' does not exist: create it before publishing to it."),
                (noTopic.Code, noTopic.Message));
            Assert.Equal("No id is stated and the publisher was given no source of ids.", noId.Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task One_publisher_serves_many_callers_at_once()
    {
        var says = Enumerable.Range(0, 4).Select(caller => Task.Run(() =>
        {
            using var scope = new CollectingScope();
            var cause = View(Cause with { Id = $"cause-{caller}" });
            for (var i = 0; i < 200; i++) _publisher.Say(scope, Orders.Example() with { OrderId = $"{caller}-{i}" }, cause, i);
            return scope.Said("orders.created").Select(r => (Key: Records.Text(r.Key), Event: Records.Read(r))).ToList();
        }));

        foreach (var (caller, said) in (await Task.WhenAll(says)).Index())
        {
            Assert.Equal(200, said.Count);
            Assert.All(said.Index(), s =>
            {
                Assert.Equal($"{caller}-{s.Index}", s.Item.Key);
                Assert.Equal($"cause-{caller}", s.Item.Event.CausationId);
                Assert.Contains($"\"orderId\":\"{caller}-{s.Index}\"", Encoding.UTF8.GetString(s.Item.Event.Data.Span),
                    StringComparison.Ordinal);
            });
        }
    }

    private static EventView View(CloudEvent cloudEvent) => EventCodec.Read(Records.Write(cloudEvent, EventMode.Structured));
}

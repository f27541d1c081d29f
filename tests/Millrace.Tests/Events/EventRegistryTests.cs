using System.Text;

namespace Millrace.Tests.Events;

public sealed class EventRegistryTests
{
    private readonly EventRegistry _registry = Orders.Registry();

    [Fact]
    public void An_event_is_read_into_its_class()
    {
        var read = Read(Orders.Created,
            """{"orderId":"O","customerId":"C","items":[{"sku":"S","quantity":2,"price":1.10}],"totalAmount":2.200,"sequence":9223372036854775807,"new":1}""");

        var order = Assert.IsType<OrderCreated>(read);
        Assert.Equal(("O", "C", long.MaxValue), (order.OrderId, order.CustomerId, order.Sequence));
        Assert.Equal("1.10", order.Items[0].Price.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("2.200", order.TotalAmount.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Old_versions_are_lifted_over_all_the_versions_between()
    {
        var fromV1 = Read("com.ecommerce.orders.order.created.v1", """{"orderId":"O","customer":"C","total":5.50}""");
        var fromV0 = Read("com.ecommerce.orders.order.created.v0", """{"id":"O","customer":"C"}""");

        Assert.Equal(5.50m, Assert.IsType<OrderCreated>(fromV1).TotalAmount);
        Assert.Equal("C", Assert.IsType<OrderCreated>(fromV0).CustomerId);
    }

    [Fact]
    public void An_old_versions_contract_answers_for_the_current_one()
    {
        var old = _registry.Find("com.ecommerce.orders.order.created.v0"u8)!;
        var current = _registry.Find(typeof(OrderCreated));

        Assert.True(old.IsOld);
        Assert.Same(current, old.Current);
        Assert.Equal((typeof(OrderCreated), "orders.created", EventMode.Structured), (old.ClrType, old.Topic, old.Mode));
        Assert.Equal("ORD-2026-001", old.KeyOf(Orders.Example()));
        Assert.False(current.IsOld);
        Assert.Same(current, current.Current);
    }

    [Fact]
    public void Types_are_found_by_their_bytes_without_allocating()
    {
        var type = Encoding.UTF8.GetBytes(Orders.Cancelled);
        Assert.Equal(typeof(OrderCancelled), _registry.Find(type)!.ClrType);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            _registry.Find(type);
            _registry.Find("unknown"u8);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Every_one_of_many_types_is_found_and_no_other()
    {
        var registry = EventRegistry.Create(events =>
        {
            for (var i = 0; i < 500; i++) events.AddOld($"type.{i}", OrdersJson.Default.OrderCreatedV1, _ => Orders.Example());
            events.Add("type", "t", OrdersJson.Default.OrderCreated, e => e.OrderId);
        });

        for (var i = 0; i < 500; i++) Assert.Equal($"type.{i}", registry.Find($"type.{i}")!.Type);
        for (var i = 500; i < 1_000; i++) Assert.Null(registry.Find($"type.{i}"));
        Assert.Equal(501, registry.Contracts.Count);
    }

    [Theory]
    [InlineData("System.String")]
    [InlineData("Millrace.Tests.Events.OrderCreated, Millrace.Tests")]
    [InlineData("com.ecommerce.orders.order.created.v2")]
    public void A_type_that_is_not_registered_is_unknown_whatever_it_names(string type)
    {
        Assert.Null(_registry.Find(type));

        var failure = Assert.Throws<MillraceException>(() => Read(type, "{}"));
        Assert.Equal(FailureCodes.UnknownEventType, failure.Code);
        Assert.Equal($"Event 'e-1' has the type '{type}', which is not registered.", failure.Message);
    }

    [Theory]
    [InlineData("""{"orderId":"O","customerId":"C","totalAmount":0.00000000000000000000000000001}""",
        "at $.totalAmount: The number 0.00000000000000000000000000001 cannot be held exactly as a decimal (28 to 29 digits).")]
    [InlineData("""{"orderId":"O","customerId":"C","totalAmount":1,"items":[{"sku":"S","quantity":1,"price":1e50}]}""",
        "at $.items[0].price: The number 1e50")]
    [InlineData("""{"orderId":"O","customerId":"C","totalAmount":1,"items":[{"sku":"S","quantity":1.5,"price":1}]}""",
        "at $.items[0].quantity: ")]
    [InlineData("""{"orderId":"O","customerId":"C","totalAmount":1,"sequence":9223372036854775808}""", "at $.sequence: ")]
    [InlineData("""{"orderId":"O","customerId":"C","totalAmount":"1"}""",
        "at $.totalAmount: A decimal number is wanted, not a JSON String.")]
    [InlineData("""{"customerId":"C","totalAmount":1}""", "at $: ")]
    [InlineData("""{"orderId":"\ud800","customerId":"C","totalAmount":1}""", "at $.orderId: ")]
    [InlineData("""[]""", "at $: ")]
    [InlineData("""null""", "its data is null.")]
    public void Data_that_does_not_fit_is_refused_with_event_path_and_reason(string data, string reason)
    {
        var failure = Assert.Throws<MillraceException>(() => Read(Orders.Created, data));

        Assert.Equal(FailureCodes.DataMismatch, failure.Code);
        Assert.StartsWith($"The data of event 'e-1' from '/s' does not fit its type '{Orders.Created}': {reason}", failure.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Decimals_are_exact_wherever_they_stand()
    {
        var read = Assert.IsType<OrderCancelled>(Read(Orders.Cancelled,
            """{"orderId":"O","reason":"R","refund":1.10,"fees":{"a":2.00}}"""));
        var nullable = Assert.Throws<MillraceException>(() => Read(Orders.Cancelled,
            """{"orderId":"O","reason":"R","refund":1e-30,"fees":{}}"""));
        var value = Assert.Throws<MillraceException>(() => Read(Orders.Cancelled, """{"orderId":"O","reason":"R","fees":{"a":1e-30}}"""));

        Assert.Equal("1.10", read.Refund?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("2.00", read.Fees["a"].ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Contains("at $.refund: The number 1e-30", nullable.Message, StringComparison.Ordinal);
        Assert.Contains("at $.fees.a: The number 1e-30", value.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_the_class_itself_refuses_does_not_fit()
    {
        var failure = Assert.Throws<MillraceException>(() => Read("com.sensors.reading", """{"device":"D","value":-1}"""));

        Assert.Equal(FailureCodes.DataMismatch, failure.Code);
        Assert.Contains("Value -1 is negative", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_event_without_data_or_with_other_data_than_JSON_does_not_fit()
    {
        var none = Assert.Throws<MillraceException>(() => _registry.Read(View(
            new CloudEvent { Id = "e-1", Source = "/s", Type = Orders.Created })));
        var text = Assert.Throws<MillraceException>(() => _registry.Read(View(
            new CloudEvent { Id = "e-1", Source = "/s", Type = Orders.Created, DataContentType = "text/plain", Data = "x"u8.ToArray() })));

        Assert.EndsWith("it has no data.", none.Message, StringComparison.Ordinal);
        Assert.EndsWith("its data is 'text/plain', not JSON.", text.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_lift_that_fails_or_gives_nothing_names_the_event()
    {
        var registry = EventRegistry.Create(events => events
            .Add("new", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .AddOld<OrderCreatedV1, OrderCreated>("old.null", OrdersJson.Default.OrderCreatedV1, _ => null!)
            .AddOld<OrderCreatedV0, OrderCreated>(
                "old.throws", OrdersJson.Default.OrderCreatedV0, _ => throw new FormatException("no number")));

        var isNull = Assert.Throws<MillraceException>(() => registry.Read(View("old.null", """{"orderId":"O"}""")));
        var throws = Assert.Throws<MillraceException>(() => registry.Read(View("old.throws", """{"id":"O"}""")));

        Assert.Contains("event 'e-1' from '/s' does not fit its type 'old.null': it was lifted to null", isNull.Message,
            StringComparison.Ordinal);
        Assert.Contains("it cannot be lifted to Millrace.Tests.Events.OrderCreated: no number", throws.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Registering_twice_is_refused()
    {
        var sameType = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .Add("a", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .Add("a", "t", OrdersJson.Default.OrderCancelled, e => e.OrderId)));
        var oldType = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .Add("a", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .AddOld("a", OrdersJson.Default.OrderCreatedV1, _ => Orders.Example())));
        var sameClass = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .Add("a", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .Add("b", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)));

        Assert.Equal("The event type 'a' is registered twice.", sameType.Message);
        Assert.Equal(sameType.Message, oldType.Message);
        Assert.Equal("Millrace.Tests.Events.OrderCreated is registered twice, as 'a' and as 'b': which one is said would be open.",
            sameClass.Message);
    }

    [Fact]
    public void An_old_version_that_leads_nowhere_is_refused()
    {
        var nowhere = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .AddOld("v0", OrdersJson.Default.OrderCreatedV0, old => new OrderCreatedV1(old.Id, old.Customer, 0))));
        var circle = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .AddOld("v0", OrdersJson.Default.OrderCreatedV0, old => new OrderCreatedV1(old.Id, old.Customer, 0))
            .AddOld("v1", OrdersJson.Default.OrderCreatedV1, old => new OrderCreatedV0(old.OrderId, old.Customer))));
        var open = Assert.Throws<ArgumentException>(() => EventRegistry.Create(events => events
            .Add("v2", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .AddOld("v1a", OrdersJson.Default.OrderCreatedV1, _ => Orders.Example())
            .AddOld("v1b", OrdersJson.Default.OrderCreatedV1, _ => Orders.Example())
            .AddOld("v0", OrdersJson.Default.OrderCreatedV0, old => new OrderCreatedV1(old.Id, old.Customer, 0))));

        Assert.Equal("The old event type 'v0' is lifted to Millrace.Tests.Events.OrderCreatedV1, which is not registered.",
            nowhere.Message);
        Assert.Equal("The old event type 'v0' is lifted in a circle, never to a current one.", circle.Message);
        Assert.EndsWith("which is registered as 2 old versions: 'v1a' and 'v1b'.", open.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_that_was_renamed_is_lifted_as_it_is()
    {
        var registry = EventRegistry.Create(events => events
            .Add("new.name", "t", OrdersJson.Default.OrderCreated, e => e.OrderId)
            .AddOld<OrderCreated, OrderCreated>("old.name", OrdersJson.Default.OrderCreated, same => same));

        Assert.IsType<OrderCreated>(registry.Read(View("old.name", """{"orderId":"O","customerId":"C","totalAmount":1}""")));
        Assert.Equal("new.name", registry.Find(typeof(OrderCreated)).Type);
    }

    [Fact]
    public void A_class_that_cannot_be_said_is_named()
    {
        var unknown = Assert.Throws<ArgumentException>(() => _registry.Find(typeof(string)));
        var old = Assert.Throws<ArgumentException>(() => _registry.Find(typeof(OrderCreatedV0)));

        Assert.Equal("System.String is not registered as an event: add it to the EventRegistry.", unknown.Message);
        Assert.Equal(
            "Millrace.Tests.Events.OrderCreatedV0 is the old version 'com.ecommerce.orders.order.created.v0', which is read but not said: " +
            "say a Millrace.Tests.Events.OrderCreated instead.", old.Message);
    }

    [Fact]
    public void A_topic_or_a_type_that_breaks_a_rule_is_refused()
    {
        Assert.Throws<ArgumentException>(
            () => EventRegistry.Create(e => e.Add("a", "no topic", OrdersJson.Default.OrderCreated, o => o.OrderId)));
        Assert.Throws<ArgumentException>(
            () => EventRegistry.Create(e => e.Add("", "t", OrdersJson.Default.OrderCreated, o => o.OrderId)));
        Assert.Throws<ArgumentException>(
            () => EventRegistry.Create(e => e.Add("a\n", "t", OrdersJson.Default.OrderCreated, o => o.OrderId)));
    }

    private object Read(string type, string data) => _registry.Read(View(type, data));

    private static EventView View(string type, string data) =>
        View(new CloudEvent { Id = "e-1", Source = "/s", Type = type, Data = Encoding.UTF8.GetBytes(data) });

    private static EventView View(CloudEvent cloudEvent) => EventCodec.Read(Records.Write(cloudEvent, EventMode.Structured));
}

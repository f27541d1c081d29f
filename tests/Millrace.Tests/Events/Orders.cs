using System.Text.Json.Serialization;

namespace Millrace.Tests.Events;

/// <summary>The example's order event, with an older version and a version before that.</summary>
public sealed record OrderCreated
{
    public required string OrderId { get; init; }

    public required string CustomerId { get; init; }

    public IReadOnlyList<OrderItem> Items { get; init; } = [];

    public required decimal TotalAmount { get; init; }

    public long Sequence { get; init; }
}

public sealed record OrderItem(string Sku, int Quantity, decimal Price);

public sealed record OrderCreatedV1(string OrderId, string Customer, decimal Total);

public sealed record OrderCreatedV0(string Id, string Customer);

public sealed record OrderCancelled(string OrderId, string Reason, decimal? Refund, Dictionary<string, decimal> Fees);

public sealed record Reading(string Device, double Value)
{
    public double Value { get; } = Value >= 0 ? Value : throw new ArgumentException($"Value {Value} is negative.");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderCreated))]
[JsonSerializable(typeof(OrderCreatedV1))]
[JsonSerializable(typeof(OrderCreatedV0))]
[JsonSerializable(typeof(OrderCancelled))]
[JsonSerializable(typeof(Reading))]
internal sealed partial class OrdersJson : JsonSerializerContext;

internal static class Orders
{
    public const string Created = "com.ecommerce.orders.order.created";
    public const string Cancelled = "com.ecommerce.orders.order.cancelled";

    public static EventRegistry Registry() => EventRegistry.Create(events => events
        .Add(Created, "orders.created", OrdersJson.Default.OrderCreated, e => e.OrderId)
        .AddOld("com.ecommerce.orders.order.created.v1", OrdersJson.Default.OrderCreatedV1,
            old => new OrderCreated { OrderId = old.OrderId, CustomerId = old.Customer, TotalAmount = old.Total })
        .AddOld("com.ecommerce.orders.order.created.v0", OrdersJson.Default.OrderCreatedV0,
            old => new OrderCreatedV1(old.Id, old.Customer, 0m))
        .Add(Cancelled, "orders.updated", OrdersJson.Default.OrderCancelled, e => e.OrderId,
            new EventSettings<OrderCancelled> { Subject = e => e.OrderId, DataSchema = "https://example.com/cancelled.json" })
        .Add("com.sensors.reading", "readings", OrdersJson.Default.Reading, e => e.Device,
            new EventSettings<Reading> { Mode = EventMode.Binary }));

    public static OrderCreated Example() => new()
    {
        OrderId = "ORD-2026-001",
        CustomerId = "CUST-789",
        Items = [new OrderItem("PROD-001", 2, 29.99m), new OrderItem("PROD-002", 1, 49.90m)],
        TotalAmount = 109.97m,
        Sequence = long.MaxValue,
    };
}

namespace Shop.Orders;

/// <summary>The names that everyone needs to read what Orders says.</summary>
internal static class OrderTopics
{
    public const string Created = "orders.created";
    public const string Updated = "orders.updated";
    public const string Source = "/services/order-service";
    public const string Group = "orders";
}

/// <summary>An order was placed; its status is PENDING from here on.</summary>
internal sealed record OrderCreated
{
    public const string Type = "com.ecommerce.orders.order.created";

    public required string OrderId { get; init; }

    public required string CustomerId { get; init; }

    public required IReadOnlyList<OrderLine> Items { get; init; }

    public required decimal TotalAmount { get; init; }

    public required Address ShippingAddress { get; init; }
}

/// <summary>An order is paid and its goods are reserved.</summary>
internal sealed record OrderConfirmed
{
    public const string Type = "com.ecommerce.orders.order.confirmed";

    public required string OrderId { get; init; }

    public required string CustomerId { get; init; }

    public required IReadOnlyList<OrderLine> Items { get; init; }

    public required decimal TotalAmount { get; init; }

    public required Address ShippingAddress { get; init; }
}

/// <summary>An order came to nothing; what was paid has been refunded.</summary>
internal sealed record OrderCancelled
{
    public const string Type = "com.ecommerce.orders.order.cancelled";

    public required string OrderId { get; init; }

    public required string CustomerId { get; init; }

    public required string Reason { get; init; }
}

/// <summary>One line of an order, at the price of the moment at which it was placed. A sku occurs in one line only.</summary>
public sealed record OrderLine
{
    /// <summary>What is ordered.</summary>
    public required string Sku { get; init; }

    /// <summary>How many; 1 to 1,000,000.</summary>
    public required int Quantity { get; init; }

    /// <summary>The price of one, in the shop's currency.</summary>
    public required decimal Price { get; init; }
}

/// <summary>Where an order goes.</summary>
public sealed record Address
{
    /// <summary>Street and number; 1 to 200 characters.</summary>
    public required string Street { get; init; }

    /// <summary>The city; 1 to 100 characters.</summary>
    public required string City { get; init; }

    /// <summary>The country, as a code or a name; 1 to 100 characters.</summary>
    public required string Country { get; init; }
}

/// <summary>What a customer wants, before anyone checked it. Lines of the same sku are merged when the order is placed.</summary>
internal sealed record OrderDraft
{
    public required string CustomerId { get; init; }

    /// <summary>Null stands for the shop's currency.</summary>
    public required string? Currency { get; init; }

    public required IReadOnlyList<DraftLine> Items { get; init; }

    public required Address ShippingAddress { get; init; }
}

/// <summary>One line of a draft; the price is the shop's to say.</summary>
internal readonly record struct DraftLine(string Sku, int Quantity);

/// <summary>The catalogue's price of a sku, or null when the shop does not sell it.</summary>
internal delegate decimal? FindPrice(string sku);

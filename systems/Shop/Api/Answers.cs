using System.Text.Json.Serialization;
using Shop.Orders;

namespace Shop.Api;

/// <summary>The answer to an accepted order.</summary>
public sealed record OrderAccepted
{
    /// <summary>The order's id.</summary>
    public required string OrderId { get; init; }

    /// <summary>PENDING: what comes of it is to be asked at the order itself.</summary>
    public required string Status { get; init; }
}

/// <summary>An order without its events.</summary>
public sealed record OrderSummary
{
    /// <summary>The order's id.</summary>
    public required string OrderId { get; init; }

    /// <summary>Who ordered.</summary>
    public required string CustomerId { get; init; }

    /// <summary>PENDING, CONFIRMED or CANCELLED.</summary>
    public required string Status { get; init; }

    /// <summary>Why it was cancelled; null otherwise.</summary>
    public required string? Reason { get; init; }

    /// <summary>The lines, each sku once.</summary>
    public required IReadOnlyList<OrderLine> Items { get; init; }

    /// <summary>The sum of quantity times price, exact.</summary>
    public required decimal Total { get; init; }

    /// <summary>When it was placed.</summary>
    public required DateTimeOffset PlacedAt { get; init; }
}

/// <summary>An order with its events.</summary>
public sealed record OrderDetails
{
    /// <summary>The order's id.</summary>
    public required string OrderId { get; init; }

    /// <summary>Who ordered.</summary>
    public required string CustomerId { get; init; }

    /// <summary>PENDING, CONFIRMED or CANCELLED.</summary>
    public required string Status { get; init; }

    /// <summary>Why it was cancelled; null otherwise.</summary>
    public required string? Reason { get; init; }

    /// <summary>The lines, each sku once.</summary>
    public required IReadOnlyList<OrderLine> Items { get; init; }

    /// <summary>The sum of quantity times price, exact.</summary>
    public required decimal Total { get; init; }

    /// <summary>When it was placed.</summary>
    public required DateTimeOffset PlacedAt { get; init; }

    /// <summary>Where it goes.</summary>
    public required Address ShippingAddress { get; init; }

    /// <summary>Its events in causal order.</summary>
    public required IReadOnlyList<TimelineEntry> Timeline { get; init; }
}

/// <summary>One event of an order.</summary>
public sealed record TimelineEntry
{
    /// <summary>The event's id.</summary>
    public required string Id { get; init; }

    /// <summary>When it happened.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The CloudEvents type.</summary>
    public required string Type { get; init; }

    /// <summary>The id of the event that led to it; null for the first.</summary>
    public required string? Causation { get; init; }

    /// <summary>The service that said it.</summary>
    public required string Service { get; init; }
}

/// <summary>A page of orders, newest first.</summary>
public sealed record OrderPage
{
    /// <summary>The orders of this page.</summary>
    public required IReadOnlyList<OrderSummary> Items { get; init; }

    /// <summary>The page's number, from 1.</summary>
    public required int Page { get; init; }

    /// <summary>How many a page holds, 1 to 200.</summary>
    public required int PageSize { get; init; }

    /// <summary>How many orders match, on all pages.</summary>
    public required int Total { get; init; }
}

/// <summary>The stock of a sku.</summary>
public sealed record StockView
{
    /// <summary>What it is.</summary>
    public required string Sku { get; init; }

    /// <summary>How many can still be sold.</summary>
    public required long Available { get; init; }

    /// <summary>How many are held by confirmed orders.</summary>
    public required long Reserved { get; init; }

    /// <summary>The price of one.</summary>
    public required decimal Price { get; init; }
}

/// <summary>A page of the stock, by sku.</summary>
public sealed record StockPage
{
    /// <summary>The levels of this page.</summary>
    public required IReadOnlyList<StockView> Items { get; init; }

    /// <summary>The page's number, from 1.</summary>
    public required int Page { get; init; }

    /// <summary>How many a page holds, 1 to 200.</summary>
    public required int PageSize { get; init; }

    /// <summary>How many skus there are.</summary>
    public required int Total { get; init; }
}

/// <summary>The shop in numbers.</summary>
public sealed record ShopStats
{
    /// <summary>How many orders have which status.</summary>
    public required OrderCounts Orders { get; init; }

    /// <summary>What was charged, by the payment provider's books.</summary>
    public required decimal Captured { get; init; }

    /// <summary>What was given back, by the payment provider's books.</summary>
    public required decimal Refunded { get; init; }

    /// <summary>The sum of all confirmed orders.</summary>
    public required decimal ConfirmedTotal { get; init; }

    /// <summary>How many charges the provider made; declined ones are none.</summary>
    public required long Charges { get; init; }

    /// <summary>How many charges the provider gave back.</summary>
    public required long Refunds { get; init; }

    /// <summary>How many mails were written.</summary>
    public required long Mails { get; init; }

    /// <summary>How many events each topic holds.</summary>
    public required IReadOnlyDictionary<string, long> Events { get; init; }

    /// <summary>How many events each group has not finished with.</summary>
    public required IReadOnlyDictionary<string, long> Lag { get; init; }

    /// <summary>What a replay did; absent without one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ReplayStats? Replay { get; init; }
}

/// <summary>How many orders have which status.</summary>
public sealed record OrderCounts
{
    /// <summary>Placed, and neither confirmed nor cancelled.</summary>
    public required int Pending { get; init; }

    /// <summary>Paid and reserved.</summary>
    public required int Confirmed { get; init; }

    /// <summary>Came to nothing.</summary>
    public required int Cancelled { get; init; }
}

/// <summary>What a replay did.</summary>
public sealed record ReplayStats
{
    /// <summary>Lines read, without the header.</summary>
    public required long Lines { get; init; }

    /// <summary>Invoices that are orders now, also when an earlier replay placed them.</summary>
    public required long Orders { get; init; }

    /// <summary>Lines that were left out, by reason.</summary>
    public required IReadOnlyDictionary<string, long> RejectedLines { get; init; }
}

/// <summary>The first event of the live feed.</summary>
public sealed record LiveSnapshot
{
    /// <summary>The currency of all amounts.</summary>
    public required string Currency { get; init; }

    /// <summary>The shop in numbers.</summary>
    public required ShopStats Stats { get; init; }

    /// <summary>The latest orders, newest first.</summary>
    public required IReadOnlyList<OrderSummary> Orders { get; init; }

    /// <summary>The first levels by sku.</summary>
    public required IReadOnlyList<StockView> Inventory { get; init; }
}

/// <summary>One event of one order, as the live feed tells it.</summary>
public sealed record LiveTimelineEntry
{
    /// <summary>The order's id.</summary>
    public required string OrderId { get; init; }

    /// <summary>The service that said it.</summary>
    public required string Service { get; init; }

    /// <summary>The CloudEvents type.</summary>
    public required string Type { get; init; }

    /// <summary>The event's id.</summary>
    public required string Id { get; init; }

    /// <summary>The id of the event that led to it; null for the first.</summary>
    public required string? Causation { get; init; }

    /// <summary>When it happened.</summary>
    public required DateTimeOffset Time { get; init; }
}

/// <summary>A mail was written.</summary>
public sealed record LiveMail
{
    /// <summary>The order's id.</summary>
    public required string OrderId { get; init; }

    /// <summary>The file below the data folder, unless the mails have a folder of their own.</summary>
    public required string File { get; init; }

    /// <summary>When the mail was written.</summary>
    public required DateTimeOffset Time { get; init; }
}

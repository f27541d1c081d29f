namespace Shop.Inventory;

/// <summary>The names that everyone needs to read what Inventory says.</summary>
internal static class InventoryTopics
{
    public const string Reserved = "inventory.rsrvd";

    /// <summary>One partition: stock is one ledger with one writer, so that all lines of an order are reserved or none.</summary>
    public const string Requests = "inventory.requests";

    /// <summary>One partition: the levels in the order in which they came to be.</summary>
    public const string Levels = "inventory.levels";

    public const string Source = "/services/inventory-service";
    public const string Group = "inventory";
    public const string StockGroup = "inventory-stock";
}

/// <summary>A paid order asks for its goods.</summary>
internal sealed record ReservationRequested
{
    public const string Type = "com.ecommerce.inventory.reservation.requested";

    public required string OrderId { get; init; }

    public required IReadOnlyList<ReservedLine> Items { get; init; }
}

/// <summary>Someone counted the shelf: this many can be sold from now on, at this price. A new sku enters the catalogue.</summary>
internal sealed record StockSet
{
    public const string Type = "com.ecommerce.inventory.stock.set";

    public required string Sku { get; init; }

    public required long Available { get; init; }

    public required decimal Price { get; init; }
}

/// <summary>All lines of an order are reserved.</summary>
internal sealed record InventoryReserved
{
    public const string Type = "com.ecommerce.inventory.inventory.reserved";

    public required string OrderId { get; init; }

    public required IReadOnlyList<ReservedLine> Items { get; init; }
}

/// <summary>At least one line of an order cannot be filled; none was reserved.</summary>
internal sealed record InventoryInsufficient
{
    public const string Type = "com.ecommerce.inventory.inventory.insufficient";

    public required string OrderId { get; init; }

    public required IReadOnlyList<Shortage> Shortages { get; init; }

    public required string Reason { get; init; }
}

/// <summary>The new level of a sku.</summary>
internal sealed record StockChanged
{
    public const string Type = "com.ecommerce.inventory.stock.changed";

    public required string Sku { get; init; }

    public required long Available { get; init; }

    public required long Reserved { get; init; }

    public required decimal Price { get; init; }
}

/// <summary>So many of a sku for an order.</summary>
internal sealed record ReservedLine
{
    public required string Sku { get; init; }

    public required int Quantity { get; init; }
}

/// <summary>A line that cannot be filled: what was asked for and what there was.</summary>
internal sealed record Shortage
{
    public required string Sku { get; init; }

    public required int Requested { get; init; }

    public required long Available { get; init; }
}

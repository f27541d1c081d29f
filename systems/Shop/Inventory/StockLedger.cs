namespace Shop.Inventory;

/// <summary>What there is of a sku: <see cref="Available"/> can still be sold, <see cref="Reserved"/> is held by orders.</summary>
internal sealed record StockLevel
{
    public required string Sku { get; init; }

    public required long Available { get; init; }

    public required long Reserved { get; init; }

    public required decimal Price { get; init; }
}

/// <summary>
/// The stock as a pure state machine: one writer, no I/O, all lines of an order or none. Nothing goes below zero. Not thread safe.
/// </summary>
internal sealed class StockLedger
{
    private readonly Dictionary<string, StockLevel> _levels = new(StringComparer.Ordinal);

    /// <summary>Takes over a level as it was kept.</summary>
    public void Restore(StockLevel level) => _levels[level.Sku] = level;

    /// <summary>Reserves an order's lines, each sku once, or says what is short.</summary>
    public ReservationOutcome Reserve(ReservationRequested request)
    {
        var shortages = new List<Shortage>();
        foreach (var line in request.Items)
        {
            var available = _levels.TryGetValue(line.Sku, out var level) ? level.Available : 0;
            if (available < line.Quantity) shortages.Add(new Shortage { Sku = line.Sku, Requested = line.Quantity, Available = available });
        }

        if (shortages.Count > 0)
        {
            return new ReservationOutcome.Insufficient(new InventoryInsufficient
            {
                OrderId = request.OrderId,
                Shortages = shortages,
                Reason = ReasonOf(shortages),
            });
        }

        var changed = new List<StockLevel>(request.Items.Count);
        foreach (var line in request.Items)
        {
            var level = _levels[line.Sku];
            level = level with { Available = level.Available - line.Quantity, Reserved = level.Reserved + line.Quantity };
            if (level.Available < 0)
                throw new InvalidOperationException($"Order '{request.OrderId}' names '{line.Sku}' twice, which it must not.");
            _levels[line.Sku] = level;
            changed.Add(level);
        }

        return new ReservationOutcome.Reserved(new InventoryReserved { OrderId = request.OrderId, Items = request.Items }, changed);
    }

    /// <summary>Sets what can be sold of a sku and its price; what is reserved stays.</summary>
    public StockLevel Set(StockSet command)
    {
        var reserved = _levels.TryGetValue(command.Sku, out var level) ? level.Reserved : 0;
        level = new StockLevel { Sku = command.Sku, Available = command.Available, Reserved = reserved, Price = command.Price };
        _levels[command.Sku] = level;
        return level;
    }

    private static string ReasonOf(List<Shortage> shortages)
    {
        var first = shortages[0];
        var others = shortages.Count == 1 ? "" : $" (and {shortages.Count - 1} more)";
        return $"Insufficient stock of {first.Sku}: {first.Requested} ordered, {first.Available} available{others}.";
    }
}

/// <summary>What came of a reservation.</summary>
internal abstract record ReservationOutcome
{
    private ReservationOutcome()
    {
    }

    /// <summary>All lines are reserved.</summary>
    public sealed record Reserved(InventoryReserved Said, IReadOnlyList<StockLevel> Levels) : ReservationOutcome;

    /// <summary>Nothing is reserved.</summary>
    public sealed record Insufficient(InventoryInsufficient Said) : ReservationOutcome;
}

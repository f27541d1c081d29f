namespace Shop.Orders;

/// <summary>
/// Takes an order: checks it, prices it from the catalogue, and says <see cref="OrderCreated"/>. The order is placed when that is durable.
/// One id is one order, whoever tries and however often. Thread safe.
/// </summary>
/// <param name="journal">Where orders begin.</param>
/// <param name="ids">Makes ids for orders that come without a key.</param>
/// <param name="priceOf">The catalogue.</param>
/// <param name="currency">The shop's currency.</param>
internal sealed class PlaceOrder(IOrderJournal journal, OrderIds ids, FindPrice priceOf, string currency)
{
    public const int LinesMax = 1_000;
    public const int QuantityMax = 1_000_000;

    /// <summary>How many ids are drawn before it is taken for a defect that all of them are in use.</summary>
    private const int DrawsMax = 10;

    /// <summary>Places an order under a new id.</summary>
    public async ValueTask<PlaceOrderResult> ExecuteAsync(OrderDraft draft, CancellationToken cancellation)
    {
        if (Check(draft) is { } rejected) return rejected;
        for (var draw = 0; draw < DrawsMax; draw++)
        {
            var result = await AppendAsync(ids.Next(), draft, cancellation);
            if (result is PlaceOrderResult.Placed) return result;
        }

        throw new InvalidOperationException($"{DrawsMax} order ids in a row were in use; the source of chance repeats itself.");
    }

    /// <summary>Places an order under a given id, or finds that it is placed already.</summary>
    public async ValueTask<PlaceOrderResult> ExecuteAsync(string orderId, OrderDraft draft, CancellationToken cancellation) =>
        Check(draft) is { } rejected ? rejected : await AppendAsync(orderId, draft, cancellation);

    /// <summary>
    /// True when a draft asks for what an order holds: the test of a repeated request. Prices are not compared, since they are the shop's.
    /// </summary>
    public static bool IsSame(OrderDraft draft, OrderCreated order)
    {
        var lines = Merge(draft.Items);
        return draft.CustomerId == order.CustomerId
            && draft.ShippingAddress == order.ShippingAddress
            && lines.Count == order.Items.Count
            && order.Items.All(line => lines.Contains(new DraftLine(line.Sku, line.Quantity)));
    }

    private PlaceOrderResult.Rejected? Check(OrderDraft draft)
    {
        var errors = new FieldErrors();
        errors.DemandText("customerId", draft.CustomerId, 100);
        if (draft.Currency is not null && draft.Currency != currency)
            errors.Add("currency", $"is '{FieldErrors.Show(draft.Currency)}'; this shop sells in {currency}");
        errors.DemandText("shippingAddress.street", draft.ShippingAddress.Street, 200);
        errors.DemandText("shippingAddress.city", draft.ShippingAddress.City, 100);
        errors.DemandText("shippingAddress.country", draft.ShippingAddress.Country, 100);
        if (draft.Items.Count == 0) errors.Add("items", "is empty; an order has at least one line");
        if (draft.Items.Count > LinesMax) errors.Add("items", $"has {draft.Items.Count} lines; at most {LinesMax} are possible");
        for (var i = 0; i < draft.Items.Count; i++)
        {
            var line = draft.Items[i];
            if (line.Quantity is < 1 or > QuantityMax)
                errors.Add($"items[{i}].quantity", $"is {line.Quantity}; it must be from 1 to {QuantityMax}");
            if (priceOf(line.Sku) is null)
                errors.Add($"items[{i}].sku", $"is '{FieldErrors.Show(line.Sku)}', which is not in the catalogue");
        }

        if (errors.IsEmpty)
        {
            foreach (var line in Merge(draft.Items).Where(line => line.Quantity > QuantityMax))
                errors.Add("items", $"ask for {line.Quantity} of '{line.Sku}' together; at most {QuantityMax} are possible");
        }

        return errors.IsEmpty ? null : new PlaceOrderResult.Rejected(errors);
    }

    private async ValueTask<PlaceOrderResult> AppendAsync(string orderId, OrderDraft draft, CancellationToken cancellation)
    {
        var items = Merge(draft.Items).ConvertAll(line => new OrderLine
        {
            Sku = line.Sku,
            Quantity = line.Quantity,
            Price = priceOf(line.Sku) ?? throw new InvalidOperationException($"'{line.Sku}' left the catalogue, which nothing does."),
        });
        var order = new OrderCreated
        {
            OrderId = orderId,
            CustomerId = draft.CustomerId,
            Items = items,
            TotalAmount = items.Sum(line => line.Quantity * line.Price),
            ShippingAddress = draft.ShippingAddress,
        };
        return await journal.TryAppendAsync(order, cancellation)
            ? new PlaceOrderResult.Placed(orderId)
            : new PlaceOrderResult.AlreadyPlaced(orderId);
    }

    /// <summary>Adds up lines of the same sku, in the order of their first line. A sum beyond int stays visible as too many.</summary>
    private static List<DraftLine> Merge(IReadOnlyList<DraftLine> items)
    {
        var lines = new List<DraftLine>(items.Count);
        var places = new Dictionary<string, int>(items.Count, StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (places.TryAdd(item.Sku, lines.Count))
            {
                lines.Add(item);
                continue;
            }

            var line = lines[places[item.Sku]];
            lines[places[item.Sku]] = line with { Quantity = (int)Math.Min(int.MaxValue, (long)line.Quantity + item.Quantity) };
        }

        return lines;
    }
}

/// <summary>What came of placing an order.</summary>
internal abstract record PlaceOrderResult
{
    private PlaceOrderResult()
    {
    }

    /// <summary>It is durable.</summary>
    public sealed record Placed(string OrderId) : PlaceOrderResult;

    /// <summary>There is an order of that id; whether it is the same, <see cref="PlaceOrder.IsSame"/> tells.</summary>
    public sealed record AlreadyPlaced(string OrderId) : PlaceOrderResult;

    /// <summary>The input is wrong; nothing was stored.</summary>
    public sealed record Rejected(FieldErrors Errors) : PlaceOrderResult;
}

using System.Text.Json;

namespace Shop.Orders;

/// <summary>What <c>POST /api/orders</c> takes. Fields that it does not know are passed over.</summary>
public sealed record OrderRequest
{
    /// <summary>Who orders; 1 to 100 characters.</summary>
    public required string CustomerId { get; init; }

    /// <summary>The shop's currency; may be left out.</summary>
    public string? Currency { get; init; }

    /// <summary>1 to 1,000 lines. Lines of the same sku are merged.</summary>
    public required IReadOnlyList<OrderRequestLine> Items { get; init; }

    /// <summary>Where it goes.</summary>
    public required Address ShippingAddress { get; init; }
}

/// <summary>One line of a request. The price is the catalogue's.</summary>
public sealed record OrderRequestLine
{
    /// <summary>A sku of the catalogue.</summary>
    public required string Sku { get; init; }

    /// <summary>1 to 1,000,000.</summary>
    public required int Quantity { get; init; }
}

/// <summary>Reads a request by hand, so that every wrong field is named at once and with its path.</summary>
internal static class OrderRequestReader
{
    /// <summary>
    /// The draft, as far as its shape is right; when something is not, <paramref name="errors"/> says what and the draft is null.
    /// </summary>
    public static OrderDraft? Read(JsonElement body, FieldErrors errors)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors.Add("$", $"must be an object, not {Describe(body)}");
            return null;
        }

        var customer = Text(body, "customerId", "customerId", errors);
        var currency = body.TryGetProperty("currency", out var given) && given.ValueKind != JsonValueKind.Null
            ? Text(body, "currency", "currency", errors)
            : null;
        var items = Items(body, errors);
        var address = ReadAddress(body, errors);
        if (!errors.IsEmpty) return null;
        return new OrderDraft { CustomerId = customer, Currency = currency, Items = items, ShippingAddress = address };
    }

    private static List<DraftLine> Items(JsonElement body, FieldErrors errors)
    {
        List<DraftLine> lines = [];
        if (!body.TryGetProperty("items", out var items))
        {
            errors.Add("items", "is missing");
            return lines;
        }

        if (items.ValueKind != JsonValueKind.Array)
        {
            errors.Add("items", $"must be an array, not {Describe(items)}");
            return lines;
        }

        foreach (var item in items.EnumerateArray())
        {
            if (lines.Count == PlaceOrder.LinesMax)
            {
                errors.Add("items", $"has {items.GetArrayLength()} lines; at most {PlaceOrder.LinesMax} are possible");
                break;
            }

            lines.Add(Line(item, $"items[{lines.Count}]", errors));
        }

        return lines;
    }

    private static DraftLine Line(JsonElement item, string path, FieldErrors errors)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            errors.Add(path, $"must be an object, not {Describe(item)}");
            return default;
        }

        return new DraftLine(Text(item, "sku", $"{path}.sku", errors), Quantity(item, $"{path}.quantity", errors));
    }

    private static int Quantity(JsonElement item, string path, FieldErrors errors)
    {
        if (!item.TryGetProperty("quantity", out var value)) errors.Add(path, "is missing");
        else if (value.ValueKind != JsonValueKind.Number) errors.Add(path, $"must be a whole number, not {Describe(value)}");
        else if (value.TryGetInt32(out var quantity)) return quantity;
        else errors.Add(path, $"must be a whole number from 1 to {PlaceOrder.QuantityMax}, not {Describe(value)}");
        return 0;
    }

    private static Address ReadAddress(JsonElement body, FieldErrors errors)
    {
        if (!body.TryGetProperty("shippingAddress", out var address)) errors.Add("shippingAddress", "is missing");
        else if (address.ValueKind != JsonValueKind.Object) errors.Add("shippingAddress", $"must be an object, not {Describe(address)}");
        else
        {
            return new Address
            {
                Street = Text(address, "street", "shippingAddress.street", errors),
                City = Text(address, "city", "shippingAddress.city", errors),
                Country = Text(address, "country", "shippingAddress.country", errors),
            };
        }

        return new Address { Street = "", City = "", Country = "" };
    }

    private static string Text(JsonElement parent, string name, string path, FieldErrors errors)
    {
        if (!parent.TryGetProperty(name, out var value)) errors.Add(path, "is missing");
        else if (value.ValueKind != JsonValueKind.String) errors.Add(path, $"must be a text, not {Describe(value)}");
        else
        {
            try
            {
                return value.GetString()!;
            }
            catch (InvalidOperationException)
            {
                // JSON may escape half of a surrogate pair, which no string of Unicode can hold.
                errors.Add(path, "is not well-formed Unicode");
            }
        }

        return "";
    }

    private static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.Null => "null",
        _ => FieldErrors.Show(value.GetRawText()),
    };
}

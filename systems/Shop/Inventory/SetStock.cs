using System.Text.Json;
using Millrace;

namespace Shop.Inventory;

/// <summary>What <c>PUT /api/inventory/{sku}</c> takes. Fields that it does not know are passed over.</summary>
public sealed record StockRequest
{
    /// <summary>How many can be sold from now on: 0 to 1,000,000,000. What is reserved stays reserved.</summary>
    public required long Available { get; init; }

    /// <summary>The price of one: above 0, at most 1,000,000, with at most 4 decimals.</summary>
    public required decimal Price { get; init; }
}

/// <summary>
/// Sets what there is of a sku. It is done when the stock's one writer has read the command, not when the command is durable. Thread safe.
/// </summary>
internal sealed class SetStock(Engine engine, EventPublisher publisher)
{
    public const long AvailableMax = 1_000_000_000;
    public const decimal PriceMax = 1_000_000m;
    public const int SkuLengthMax = 64;
    private const int DecimalsMax = 4;

    /// <summary>
    /// Publishes the commands in one commit. Their ids are the callers': a command that is published again under its id has no effect.
    /// </summary>
    public async ValueTask ExecuteAsync(IReadOnlyList<(string Id, StockSet Command)> commands, CancellationToken cancellation)
    {
        using var commit = new Commit();
        foreach (var (id, command) in commands)
        {
            var errors = Check(command);
            if (!errors.IsEmpty)
                throw new ArgumentException($"'{command.Sku}': {errors.Errors.First().Key} {errors.Errors.First().Value[0]}");
            await publisher.AddAsync(engine, commit, command, new PublishOptions { Id = id }, cancellation);
        }

        (await engine.CommitAsync(commit, cancellation)).RequireCommitted();
    }

    /// <summary>Reads the body of a request; null when its shape or a value is wrong.</summary>
    public static StockSet? Read(string sku, JsonElement body, FieldErrors errors)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors.Add("$", "must be an object with available and price");
            return null;
        }

        var available = 0L;
        if (Number(body, "available", errors) is { } count && !count.TryGetInt64(out available))
            errors.Add("available", $"must be a whole number from 0 to {AvailableMax}, not {FieldErrors.Show(count.GetRawText())}");
        var price = 0m;
        if (Number(body, "price", errors) is { } amount && !amount.TryGetDecimal(out price))
            errors.Add("price", $"must be above 0 and at most {PriceMax}, not {FieldErrors.Show(amount.GetRawText())}");
        if (!errors.IsEmpty) return null;

        var command = new StockSet { Sku = sku, Available = available, Price = price };
        foreach (var (field, messages) in Check(command).Errors) errors.Add(field, messages[0]);
        return errors.IsEmpty ? command : null;
    }

    /// <summary>What is wrong with a command.</summary>
    public static FieldErrors Check(StockSet command)
    {
        var errors = new FieldErrors();
        if (!IsSku(command.Sku))
            errors.Add(
                "sku",
                $"is '{FieldErrors.Show(command.Sku)}'; it must be 1 to {SkuLengthMax} letters, digits, spaces (inside), '.', '_' or '-'");
        if (command.Available is < 0 or > AvailableMax)
            errors.Add("available", $"is {command.Available}; it must be from 0 to {AvailableMax}");
        if (command.Price is <= 0 or > PriceMax) errors.Add("price", $"is {command.Price}; it must be above 0 and at most {PriceMax}");
        else if (decimal.Round(command.Price, DecimalsMax) != command.Price)
            errors.Add("price", $"is {command.Price}; it has more than {DecimalsMax} decimals");
        return errors;
    }

    /// <summary>True when a text can be a sku; it is a part of an address, a message and a mail.</summary>
    public static bool IsSku(string text) =>
        text.Length is > 0 and <= SkuLengthMax
        && text[0] != ' ' && text[^1] != ' ' && text is not "." and not ".."
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ' ');

    private static JsonElement? Number(JsonElement body, string name, FieldErrors errors)
    {
        if (!body.TryGetProperty(name, out var value)) errors.Add(name, "is missing");
        else if (value.ValueKind != JsonValueKind.Number) errors.Add(name, $"must be a number, not {FieldErrors.Show(value.GetRawText())}");
        else return value;
        return null;
    }
}

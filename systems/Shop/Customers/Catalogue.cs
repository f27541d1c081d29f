using Shop.Inventory;
using Shop.View;

namespace Shop.Customers;

/// <summary>What an empty shop sells at first: a dozen things, so that there is something to order.</summary>
internal sealed class Catalogue(ShopView view, SetStock setStock, TimeProvider time)
{
    /// <summary>How many of each lie on the shelf at first, and after the shelf was filled up at a slow rate of customers.</summary>
    public const long ShelfSize = 60;

    private static readonly decimal[] Prices =
        [29.99m, 49.99m, 9.95m, 14.50m, 119.00m, 4.25m, 74.90m, 19.99m, 249.00m, 2.99m, 34.75m, 89.00m];

    /// <summary>The skus, PROD-001 to PROD-012.</summary>
    public static IReadOnlyList<string> Skus { get; } = [.. Enumerable.Range(1, Prices.Length).Select(number => $"PROD-{number:000}")];

    /// <summary>Fills an empty shop; a shop that sells something already is left alone.</summary>
    public async Task StockAsync(CancellationToken cancellation)
    {
        if (view.ListStock(1, 1).Total > 0) return;

        // The ids are always the same: when two starts are cut short, the shelf is filled once all the same.
        var commands = Skus.Select(
            (sku, i) => (Id: $"evt-catalogue-{sku}", new StockSet { Sku = sku, Available = ShelfSize, Price = Prices[i] })).ToList();
        await time.InsistAsync(() => setStock.ExecuteAsync(commands, cancellation), cancellation);
        foreach (var sku in Skus) await view.WaitForSkuAsync(sku, cancellation);
    }
}

using Millrace;
using Shop.Inventory;
using Shop.View;

namespace Shop.Customers;

/// <summary>
/// Fills the shelves for simulated customers up now and then: often enough that most get what they want, seldom enough that some do not.
/// </summary>
internal sealed class Shelves(SetStock setStock, StockCommandIds ids, ShopView view)
{
    /// <summary>How long a full shelf lasts, about: a customer takes four things and the most popular one is a quarter of them.</summary>
    private const double LastsSeconds = 12;

    /// <summary>A shelf with less than this share of itself is filled.</summary>
    private const int EmptyShare = 10;

    /// <summary>Fills what is almost empty.</summary>
    /// <param name="rate">Customers a second; the more come, the more is put there.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task FillAsync(double rate, CancellationToken cancellation)
    {
        var shelf = Math.Max(Catalogue.ShelfSize, (long)(rate * LastsSeconds));
        var commands = new List<(string, StockSet)>();
        foreach (var sku in Catalogue.Skus)
        {
            if (view.FindStock(sku) is { } level && level.Available < shelf / EmptyShare)
                commands.Add((ids.Next(sku), new StockSet { Sku = sku, Available = shelf, Price = level.Price }));
        }

        if (commands.Count == 0) return;
        try
        {
            await setStock.ExecuteAsync(commands, cancellation);
        }
        catch (MillraceException failure) when (failure.IsTransient)
        {
            // The next round tries again.
        }
    }
}

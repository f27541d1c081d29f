using System.Security.Cryptography;
using System.Text;
using Shop.Api;
using Shop.Inventory;
using Shop.Orders;
using Shop.View;

namespace Shop.Customers;

/// <summary>What the replay has done so far. Thread safe.</summary>
internal sealed class ReplayProgress
{
    private volatile ReplayStats? _stats;

    /// <summary>The numbers, or null when nothing was replayed.</summary>
    public ReplayStats? Stats => _stats;

    public void Report(ReplayStats stats) => _stats = stats;
}

/// <summary>
/// Replays a file of invoices as orders: one order per invoice, under an id that follows from the invoice, so that a replay that was cut
/// short goes on where it ended when it is started again. Unknown skus enter the catalogue before the first order that names them.
/// </summary>
internal sealed class Replay(
    PlaceOrder placeOrder, SetStock setStock, ShopView view, ReplayProgress progress, TimeProvider time)
{
    public const string TooManyLines = "TOO_MANY_LINES";
    public const string TooManyOfOne = "QUANTITY";

    /// <summary>So many invoices are read, their new skus set, and their orders placed at once.</summary>
    private const int WindowInvoices = 256;

    private readonly SortedDictionary<string, long> _rejected = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _parts = new(StringComparer.Ordinal);
    private long _lines;
    private long _orders;

    /// <summary>Replays a file to its end.</summary>
    /// <param name="path">The file.</param>
    /// <param name="initialStock">What new skus have on the shelf.</param>
    /// <param name="bar">Told how far it is.</param>
    /// <param name="cancellation">Ends it between two windows.</param>
    public async Task RunAsync(string path, long initialStock, ProgressBar bar, CancellationToken cancellation)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 64 * 1024, useAsync: true);
        var window = new List<List<RetailLine>>();
        progress.Report(Stats());
        await foreach (var read in RetailCsv.ReadAsync(file, cancellation))
        {
            _lines++;
            if (read.Rejection is { } reason)
            {
                Reject(reason, 1);
                continue;
            }

            if (window.Count == 0 || window[^1][0].Invoice != read.Line.Invoice)
            {
                if (window.Count == WindowInvoices)
                {
                    await PlaceAsync(window, initialStock, cancellation);
                    bar.Report(read.Position, file.Length, _lines, _orders);
                }

                window.Add([]);
            }

            window[^1].Add(read.Line);
        }

        await PlaceAsync(window, initialStock, cancellation);
        bar.Complete(_lines, _orders);
    }

    private async Task PlaceAsync(List<List<RetailLine>> window, long initialStock, CancellationToken cancellation)
    {
        await SetNewSkusAsync(window, initialStock, cancellation);
        var results = await Task.WhenAll(window.ConvertAll(invoice => PlaceAsync(invoice, cancellation)));
        for (var i = 0; i < results.Length; i++)
        {
            if (results[i] is PlaceOrderResult.Rejected rejected) Reject(ReasonOf(rejected), window[i].Count);
            else _orders++;
        }

        window.Clear();
        progress.Report(Stats());
    }

    /// <summary>
    /// A new sku takes the price of the first line that names it; later lines of it are sold at that price, as the catalogue's price is the
    /// one that counts. The command's id follows from the sku, so that a replay that is started again does not fill the shelf again.
    /// </summary>
    private async Task SetNewSkusAsync(List<List<RetailLine>> window, long initialStock, CancellationToken cancellation)
    {
        var added = new Dictionary<string, StockSet>(StringComparer.Ordinal);
        foreach (var line in window.SelectMany(invoice => invoice))
        {
            if (view.FindStock(line.Sku) is null)
                added.TryAdd(line.Sku, new StockSet { Sku = line.Sku, Available = initialStock, Price = line.Price });
        }

        if (added.Count == 0) return;
        var commands = added.Values.Select(command => (Id: $"evt-replay-{IdOf(command.Sku)}", command)).ToList();
        await time.InsistAsync(() => setStock.ExecuteAsync(commands, cancellation), cancellation);
        foreach (var sku in added.Keys) await view.WaitForSkuAsync(sku, cancellation);
    }

    private Task<PlaceOrderResult> PlaceAsync(List<RetailLine> invoice, CancellationToken cancellation)
    {
        // An invoice whose lines are not together in the file becomes several orders, numbered in the order of the file.
        var part = _parts[invoice[0].Invoice] = _parts.GetValueOrDefault(invoice[0].Invoice) + 1;
        var orderId = part == 1 ? $"ORD-{invoice[0].Invoice}" : $"ORD-{invoice[0].Invoice}-{part}";
        var draft = new OrderDraft
        {
            CustomerId = invoice[0].CustomerId,
            Currency = null,
            Items = invoice.ConvertAll(line => new DraftLine(line.Sku, line.Quantity)),
            ShippingAddress = new Address { Street = "Unspecified", City = "Unspecified", Country = invoice[0].Country },
        };
        return time.InsistAsync(() => placeOrder.ExecuteAsync(orderId, draft, cancellation), cancellation);
    }

    private static string ReasonOf(PlaceOrderResult.Rejected rejected) =>
        rejected.Errors.Errors.TryGetValue("items", out var messages) && messages[0].StartsWith("has ", StringComparison.Ordinal)
            ? TooManyLines
            : TooManyOfOne;

    private static string IdOf(string sku) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sku)).AsSpan(0, 8));

    private void Reject(string reason, int lines) => _rejected[reason] = _rejected.GetValueOrDefault(reason) + lines;

    private ReplayStats Stats() => new()
    {
        Lines = _lines,
        Orders = _orders,
        RejectedLines = new SortedDictionary<string, long>(_rejected, StringComparer.Ordinal),
    };
}

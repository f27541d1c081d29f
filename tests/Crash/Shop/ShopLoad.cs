using System.Collections.Concurrent;
using System.Text.Json;

namespace Millrace.Crash.Shop;

/// <summary>
/// Customers that order until told to stop. Each asks again under the same key until it is answered, since a kill leaves the outcome
/// unknown, and now and then asks again for what was answered long ago.
/// </summary>
internal sealed class ShopLoad(ShopClient shop, int seed, TimeSpan pause = default)
{
    private const int Customers = 4;

    private int _repeats;
    private bool _hasFailed;

    /// <summary>The articles ordered: most are plenty, two run out.</summary>
    public IReadOnlyList<(string Sku, int Available, decimal Price)> Stock { get; } =
    [
        ("CRASH-001", 1_000_000, 29.99m), ("CRASH-002", 1_000_000, 49.99m), ("CRASH-003", 1_000_000, 0.01m),
        ("CRASH-004", 1_000_000, 1234.56m),
        ("CRASH-005", 60, 5.05m), ("CRASH-006", 200, 19.90m),
    ];

    /// <summary>Every acknowledged order by its idempotency key.</summary>
    public ConcurrentDictionary<string, string> Orders { get; } = new();

    /// <summary>Orders that were answered with different ids under the same key.</summary>
    public ConcurrentBag<string> Contradictions { get; } = [];

    /// <summary>How often an order was sent again.</summary>
    public int Repeats => _repeats;

    /// <summary>Throws when a customer has given up; awaiting the run tells why.</summary>
    public void DemandRunning()
    {
        if (Volatile.Read(ref _hasFailed)) throw new InvalidOperationException("A customer met what should not be, and all have stopped.");
    }

    public async Task SetStockAsync()
    {
        foreach (var (sku, available, price) in Stock) await shop.PutStockAsync(sku, available, price);
        foreach (var (sku, available, _) in Stock)
        {
            while (true)
            {
                try
                {
                    if ((await shop.GetAsync($"/api/inventory/{sku}")).GetProperty("available").GetInt32() == available) break;
                }
                catch (InvalidDataException)
                {
                    // Not there yet: the setting travels through the log.
                }

                await Task.Delay(20);
            }
        }
    }

    /// <summary>Runs all customers; each ends after the stop, once its last order is answered.</summary>
    public Task RunAsync(CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, Customers).Select(customer => Task.Run(() => OrderAsync(customer, stop))));

    private async Task OrderAsync(int customer, CancellationToken stop)
    {
        try
        {
            var random = new Random(seed * 17 + customer);
            var past = new List<(string Key, string Body)>();
            for (var number = 0; !stop.IsCancellationRequested && !Volatile.Read(ref _hasFailed); number++)
            {
                var (key, body) = ($"{seed}-{customer}-{number}", DrawOrder(random, customer));
                await PlaceAsync(key, body);
                past.Add((key, body));
                await Task.Delay(pause, CancellationToken.None);
                if (random.Next(10) != 0) continue;
                var old = past[random.Next(past.Count)];
                Interlocked.Increment(ref _repeats);
                await PlaceAsync(old.Key, old.Body);
            }
        }
        catch
        {
            Volatile.Write(ref _hasFailed, true);
            throw;
        }
    }

    private async Task PlaceAsync(string key, string body)
    {
        while (!Volatile.Read(ref _hasFailed))
        {
            if (await shop.TryPlaceAsync(key, body) is { } orderId)
            {
                var known = Orders.GetOrAdd(key, orderId);
                if (known != orderId) Contradictions.Add($"The key {key} was answered with {known} and then with {orderId}.");
                return;
            }

            Interlocked.Increment(ref _repeats);
            await Task.Delay(20);
        }
    }

    private string DrawOrder(Random random, int customer)
    {
        var skus = Stock.Select(stock => stock.Sku).ToArray();
        random.Shuffle(skus);
        var items = skus.Take(random.Next(1, 4)).Select(sku => new { sku, quantity = random.Next(1, 4) });
        return JsonSerializer.Serialize(new
        {
            customerId = $"CUST-{customer}", currency = "USD", items,
            shippingAddress = new { street = "123 Main St", city = "Seattle", country = "US" },
        });
    }
}

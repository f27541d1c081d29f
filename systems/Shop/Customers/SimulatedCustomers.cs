using Millrace;
using Shop.Orders;

namespace Shop.Customers;

/// <summary>People who order, so many a second.</summary>
internal sealed class SimulatedCustomers(PlaceOrder placeOrder, Shelves shelves, TimeProvider time, Random random)
{
    /// <summary>How many orders may wait to become durable; above it customers stay away, rather than pile up.</summary>
    private const int WaitingMax = 512;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Rounds = TimeSpan.FromSeconds(4);

    private static readonly Address[] Addresses =
    [
        new() { Street = "123 Main St", City = "Seattle", Country = "US" },
        new() { Street = "10 Downing Rd", City = "London", Country = "GB" },
        new() { Street = "Hauptstraße 5", City = "Berlin", Country = "DE" },
        new() { Street = "8 rue des Lilas", City = "Lyon", Country = "FR" },
        new() { Street = "Via Roma 21", City = "Torino", Country = "IT" },
    ];

    /// <summary>Orders until it is cancelled.</summary>
    public async Task RunAsync(double rate, CancellationToken cancellation)
    {
        using var waiting = new SemaphoreSlim(WaitingMax);
        var started = time.GetTimestamp();
        var lastRound = TimeSpan.Zero;
        var placed = 0L;
        while (true)
        {
            await Task.Delay(Tick, time, cancellation);
            var elapsed = time.GetElapsedTime(started);
            var due = (long)(elapsed.TotalSeconds * rate);
            for (; placed < due; placed++)
            {
                if (await waiting.WaitAsync(0, cancellation)) _ = OrderAsync(NextDraft(), waiting, cancellation);
            }

            if (elapsed - lastRound < Rounds) continue;
            lastRound = elapsed;
            await shelves.FillAsync(rate, cancellation);
        }
    }

    private async Task OrderAsync(OrderDraft draft, SemaphoreSlim waiting, CancellationToken cancellation)
    {
        try
        {
            await placeOrder.ExecuteAsync(draft, cancellation);
        }
        catch (Exception failure) when (failure is OperationCanceledException or MillraceException)
        {
            // The shop closes or its disk is full, which it says itself; this customer goes home.
        }
        finally
        {
            if (!cancellation.IsCancellationRequested) waiting.Release();
        }
    }

    private OrderDraft NextDraft()
    {
        var lines = new DraftLine[1 + random.Next(3)];
        for (var i = 0; i < lines.Length; i++)
        {
            // The square makes the first products the popular ones.
            var chance = random.NextDouble();
            lines[i] = new DraftLine(Catalogue.Skus[(int)(chance * chance * Catalogue.Skus.Count)], 1 + random.Next(3));
        }

        return new OrderDraft
        {
            CustomerId = $"CUST-{1 + random.Next(500):000}",
            Currency = null,
            Items = lines,
            ShippingAddress = Addresses[random.Next(Addresses.Length)],
        };
    }
}

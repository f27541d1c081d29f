using Millrace;
using Shop.Api;
using Shop.View;

namespace Shop.Live;

/// <summary>What the live feed tells, read when it is told. Thread safe.</summary>
internal sealed class LiveContent(ShopView view, StatsSource stats, ShopOptions options, TimeProvider time)
{
    private const int SnapshotOrders = 50;
    private const int SnapshotLevels = 50;

    /// <summary>The numbers are read once for all pages, and told for so long: to know the lags, the engine is asked.</summary>
    private static readonly TimeSpan StatsAgeMax = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a page waits for new numbers before it gets the last ones: brokers may be away for a while.</summary>
    private static readonly TimeSpan StatsPatience = TimeSpan.FromSeconds(2);

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private Task<ShopStats>? _reading;
    private long _begun;
    private ShopStats? _last;

    /// <summary>The shop as it is.</summary>
    public async ValueTask<LiveSnapshot> ReadSnapshotAsync(CancellationToken cancellation) => new()
    {
        Currency = options.Currency,
        Stats = await ReadStatsAsync(cancellation),
        Orders = view.ListOrders(null, null, 1, SnapshotOrders).Items,
        Inventory = view.ListStock(1, SnapshotLevels).Items,
    };

    /// <summary>The shop in numbers; the last ones, where there are no newer ones for now.</summary>
    public async ValueTask<ShopStats> ReadStatsAsync(CancellationToken cancellation)
    {
        Task<ShopStats> reading;
        lock (_lock)
        {
            if (_reading is null || (_reading.IsCompleted && time.GetElapsedTime(_begun) >= StatsAgeMax))
                (_reading, _begun) = (stats.ReadAsync(CancellationToken.None).AsTask(), time.GetTimestamp());
            reading = _reading;
        }

        try
        {
            var read = await reading.WaitAsync(StatsPatience, time, cancellation);
            lock (_lock) _last = read;
            return read;
        }
        catch (Exception failure) when (failure is TimeoutException or MillraceException { IsTransient: true })
        {
            lock (_lock)
            {
                if (_last is not null) return _last;
            }

            throw;
        }
    }

    /// <summary>What those orders are now, oldest first.</summary>
    public IReadOnlyList<OrderSummary> Summarise(IReadOnlyCollection<string> orderIds) => view.Summarise(orderIds);
}

using Shop.Api;
using Shop.View;

namespace Shop.Live;

/// <summary>What the live feed tells, read when it is told. Thread safe.</summary>
internal sealed class LiveContent(ShopView view, StatsSource stats, ShopOptions options)
{
    private const int SnapshotOrders = 50;
    private const int SnapshotLevels = 50;

    /// <summary>The shop as it is.</summary>
    public async ValueTask<LiveSnapshot> ReadSnapshotAsync(CancellationToken cancellation) => new()
    {
        Currency = options.Currency,
        Stats = await stats.ReadAsync(cancellation),
        Orders = view.ListOrders(null, null, 1, SnapshotOrders).Items,
        Inventory = view.ListStock(1, SnapshotLevels).Items,
    };

    /// <summary>The shop in numbers.</summary>
    public ValueTask<ShopStats> ReadStatsAsync(CancellationToken cancellation) => stats.ReadAsync(cancellation);

    /// <summary>What those orders are now, oldest first.</summary>
    public IReadOnlyList<OrderSummary> Summarise(IReadOnlyCollection<string> orderIds) => view.Summarise(orderIds);
}

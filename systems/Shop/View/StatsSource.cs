using Millrace;
using Shop.Api;
using Shop.Customers;
using Shop.Notifications;
using Shop.Payments;

namespace Shop.View;

/// <summary>Puts the shop's numbers together: from the view, the provider's books, the mails and the groups' lags. Thread safe.</summary>
internal sealed class StatsSource(Engine engine, ShopView view, IPaymentProvider provider, MailRoom mails, ReplayProgress replay)
{
    public async ValueTask<ShopStats> ReadAsync(CancellationToken cancellation)
    {
        var (orders, confirmedTotal, events) = view.Count();
        var totals = provider.Totals;
        var lag = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var group in Topology.Groups)
        {
            var behind = 0L;
            foreach (var partition in await engine.DescribeLagAsync(group, cancellation)) behind += partition.Lag;
            lag[group] = behind;
        }

        return new ShopStats
        {
            Orders = orders,
            Captured = totals.Captured,
            Refunded = totals.Refunded,
            ConfirmedTotal = confirmedTotal,
            Charges = totals.Charges,
            Refunds = totals.Refunds,
            Mails = mails.Count,
            Events = events,
            Lag = lag,
            Replay = replay.Stats,
        };
    }
}

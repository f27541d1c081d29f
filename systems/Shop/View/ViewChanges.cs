using Shop.Api;

namespace Shop.View;

/// <summary>
/// What some events changed, for the live feed. A later change of the same order or sku replaces the earlier. Not thread safe.
/// </summary>
internal sealed class ViewChanges
{
    /// <summary>The orders' ids: what an order is, is asked when it is told, since two partitions may change it at once.</summary>
    public HashSet<string> Orders { get; } = new(StringComparer.Ordinal);

    public List<LiveTimelineEntry> Timeline { get; } = [];

    public Dictionary<string, StockView> Stock { get; } = new(StringComparer.Ordinal);

    public List<LiveMail> Mails { get; } = [];

    public void Add(OrderEntry entry) => Orders.Add(entry.OrderId);

    public void Add(StockView level) => Stock[level.Sku] = level;

    public void Add(LiveMail mail) => Mails.Add(mail);

    public void Add(string orderId, TimelineEntry entry) => Timeline.Add(new LiveTimelineEntry
    {
        OrderId = orderId,
        Service = entry.Service,
        Type = entry.Type,
        Id = entry.Id,
        Causation = entry.Causation,
        Time = entry.Time,
    });
}

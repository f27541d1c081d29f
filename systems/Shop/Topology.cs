using Millrace;
using Shop.Inventory;
using Shop.Notifications;
using Shop.Orders;
using Shop.Payments;

namespace Shop;

/// <summary>The shop's topics, event types and groups.</summary>
internal static class Topology
{
    /// <summary>How many partitions the topics keyed by order have.</summary>
    private const int Partitions = 8;

    /// <summary>The consumer groups, each a processor, with the topics that they read.</summary>
    public static readonly (string Group, string[] Topics)[] Groups =
    [
        (OrderTopics.Group, OrdersModule.Topics),
        (PaymentTopics.Group, PaymentsModule.Topics),
        (InventoryTopics.Group, InventoryModule.Topics),
        (InventoryTopics.StockGroup, InventoryModule.StockTopics),
        (NotificationTopics.Group, NotificationsModule.Topics),
    ];

    /// <summary>All event types.</summary>
    public static EventRegistry Events() => EventRegistry.Create(
        events => events.AddOrderEvents().AddPaymentEvents().AddInventoryEvents().AddNotificationEvents());

    /// <summary>All topics, whichever services the process runs: whoever comes first makes them.</summary>
    public static MillraceBuilder AddShopTopics(this MillraceBuilder millrace) => millrace
        .AddTopic(new TopicSpecification { Name = OrderTopics.Created, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = OrderTopics.Updated, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = PaymentTopics.Done, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Reserved, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Requests, Partitions = 1 })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Levels, Partitions = 1 })
        .AddTopic(new TopicSpecification { Name = NotificationTopics.Sent, Partitions = Partitions });
}

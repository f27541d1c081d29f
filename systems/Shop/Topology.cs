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

    /// <summary>The consumer groups, each a processor.</summary>
    public static readonly string[] Groups =
        [OrderTopics.Group, PaymentTopics.Group, InventoryTopics.Group, InventoryTopics.StockGroup, SendConfirmation.Group];

    /// <summary>All event types.</summary>
    public static EventRegistry Events() => EventRegistry.Create(events => events.AddOrderEvents().AddPaymentEvents().AddInventoryEvents());

    /// <summary>All topics.</summary>
    public static MillraceBuilder AddShopTopics(this MillraceBuilder millrace) => millrace
        .AddTopic(new TopicSpecification { Name = OrderTopics.Created, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = OrderTopics.Updated, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = PaymentTopics.Done, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Reserved, Partitions = Partitions })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Requests, Partitions = 1 })
        .AddTopic(new TopicSpecification { Name = InventoryTopics.Levels, Partitions = 1 });
}

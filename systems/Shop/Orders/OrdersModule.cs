using Millrace;
using Millrace.Messaging;
using Shop.Inventory;
using Shop.Payments;

namespace Shop.Orders;

/// <summary>The order service: what it reads, says and remembers.</summary>
internal static class OrdersModule
{
    /// <summary>The topics that it reads.</summary>
    public static readonly string[] Topics = [OrderTopics.Created, PaymentTopics.Done, InventoryTopics.Reserved];

    public static MillraceBuilder AddOrders(this MillraceBuilder millrace) => millrace.AddHandlers(OrderTopics.Group, handlers => handlers
        .From(Topics)
        .WithSource(OrderTopics.Source)
        .WithState("orders", ShopJson.Default.OrderState)
        .Handle(SettleOrder.OnCreated)
        .Handle(SettleOrder.OnPaymentFailed)
        .Handle(SettleOrder.OnReserved)
        .Handle(SettleOrder.OnRefunded));

    public static EventRegistryBuilder AddOrderEvents(this EventRegistryBuilder events) => events
        .Add(OrderCreated.Type, OrderTopics.Created, ShopJson.Default.OrderCreated, order => order.OrderId)
        .Add(OrderConfirmed.Type, OrderTopics.Updated, ShopJson.Default.OrderConfirmed, order => order.OrderId)
        .Add(OrderCancelled.Type, OrderTopics.Updated, ShopJson.Default.OrderCancelled, order => order.OrderId);
}

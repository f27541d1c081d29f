using Millrace;
using Millrace.Messaging;
using Shop.Orders;
using Shop.Payments;

namespace Shop.Inventory;

/// <summary>
/// The inventory service: what it reads, says and remembers. It has two parts, because stock has one writer and orders have many
/// partitions.
/// </summary>
internal static class InventoryModule
{
    /// <summary>The topics that it reads to ask for goods.</summary>
    public static readonly string[] Topics = [OrderTopics.Created, PaymentTopics.Done];

    /// <summary>The topics that the stock reads.</summary>
    public static readonly string[] StockTopics = [InventoryTopics.Requests];

    public static MillraceBuilder AddInventory(this MillraceBuilder millrace) =>
        millrace.AddHandlers(InventoryTopics.Group, handlers => handlers
        .From(Topics)
        .WithSource(InventoryTopics.Source)
        .WithState("reservations", ShopJson.Default.ReservationState)
        .Handle(RequestReservation.OnOrderCreated)
        .Handle(RequestReservation.OnPaymentProcessed));

    public static MillraceBuilder AddStock(this MillraceBuilder millrace) => millrace.AddProcessor(services => StockProcessor.Describe(
        new EventPublisher(
            services.GetRequiredService<EventRegistry>(), InventoryTopics.Source, services.GetRequiredService<TimeProvider>()),
        services.GetRequiredService<ILogger<StockProcessor>>()));

    public static EventRegistryBuilder AddInventoryEvents(this EventRegistryBuilder events) => events
        .Add(ReservationRequested.Type, InventoryTopics.Requests, ShopJson.Default.ReservationRequested, request => request.OrderId)
        .Add(StockSet.Type, InventoryTopics.Requests, ShopJson.Default.StockSet, command => command.Sku)
        .Add(InventoryReserved.Type, InventoryTopics.Reserved, ShopJson.Default.InventoryReserved, reserved => reserved.OrderId)
        .Add(InventoryInsufficient.Type, InventoryTopics.Reserved, ShopJson.Default.InventoryInsufficient, shortage => shortage.OrderId)
        .Add(StockChanged.Type, InventoryTopics.Levels, ShopJson.Default.StockChanged, level => level.Sku);
}

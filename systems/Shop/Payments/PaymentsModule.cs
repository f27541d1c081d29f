using Millrace;
using Millrace.Messaging;
using Shop.Inventory;
using Shop.Orders;

namespace Shop.Payments;

/// <summary>The payment service: what it reads, says and remembers.</summary>
internal static class PaymentsModule
{
    /// <summary>A provider takes its time, so many charges are under way at once: this many keys per partition.</summary>
    private const int Parallelism = 256;

    /// <summary>
    /// A provider may be away for a while; with the pauses below it has about 25 seconds before an order becomes a dead letter.
    /// </summary>
    private const int Attempts = 8;

    public static MillraceBuilder AddPayments(this MillraceBuilder millrace) =>
        millrace.AddHandlers(PaymentTopics.Group, handlers => handlers
        .From(OrderTopics.Created, InventoryTopics.Reserved)
        .WithSource(PaymentTopics.Source)
        .WithParallelism(Parallelism)
        .WithRetries(Attempts, TimeSpan.FromMilliseconds(200))
        .WithState("payments", ShopJson.Default.PaymentState)
        .Handle(TakePayment.OnOrderCreated)
        .Handle(RefundPayment.OnInsufficient));

    public static EventRegistryBuilder AddPaymentEvents(this EventRegistryBuilder events) => events
        .Add(PaymentProcessed.Type, PaymentTopics.Done, ShopJson.Default.PaymentProcessed, payment => payment.OrderId)
        .Add(PaymentFailed.Type, PaymentTopics.Done, ShopJson.Default.PaymentFailed, payment => payment.OrderId)
        .Add(PaymentRefunded.Type, PaymentTopics.Done, ShopJson.Default.PaymentRefunded, payment => payment.OrderId);
}

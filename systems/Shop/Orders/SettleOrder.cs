using Millrace.Messaging;
using Shop.Inventory;
using Shop.Payments;

namespace Shop.Orders;

/// <summary>What the order service remembers of an order. Once it is settled only the status is kept.</summary>
internal sealed record OrderState
{
    public const string Pending = "PENDING";
    public const string Confirmed = "CONFIRMED";
    public const string Cancelled = "CANCELLED";

    public required string Status { get; init; }

    /// <summary>
    /// The order, while it is pending; null also when an outcome was read before the order, since they are in separate topics.
    /// </summary>
    public OrderCreated? Order { get; init; }

    /// <summary>The outcome that was read before the order: it waits for it.</summary>
    public OrderOutcome? Early { get; init; }
}

/// <summary>How an order ends: confirmed, or cancelled for a reason.</summary>
internal sealed record OrderOutcome
{
    public required string Status { get; init; }

    public string? Reason { get; init; }
}

/// <summary>
/// An order ends once: confirmed when its goods are reserved, cancelled when its payment failed or was given back. The order and its
/// outcome come by separate topics, so either may be read first; a second outcome has no effect.
/// </summary>
internal static class SettleOrder
{
    /// <summary>The whole state machine: (state, what was read) -> (state, what to say).</summary>
    public static (OrderState State, object? Said) Place(OrderState? state, OrderCreated order) => state switch
    {
        null => (new OrderState { Status = OrderState.Pending, Order = order }, null),
        { Early: { } outcome } => End(order, outcome),
        _ => (state, null),
    };

    /// <inheritdoc cref="Place"/>
    public static (OrderState State, object? Said) Settle(OrderState? state, OrderOutcome outcome) => state switch
    {
        null => (new OrderState { Status = OrderState.Pending, Early = outcome }, null),
        { Order: { } order } => End(order, outcome),
        _ => (state, null),
    };

    public static object? OnCreated(OrderCreated order, State<OrderState> state) => Keep(state, Place(state.Value, order));

    public static object? OnPaymentFailed(PaymentFailed payment, State<OrderState> state) =>
        Keep(state, Settle(state.Value, new OrderOutcome { Status = OrderState.Cancelled, Reason = payment.Reason }));

    public static object? OnReserved(InventoryReserved reserved, State<OrderState> state) =>
        Keep(state, Settle(state.Value, new OrderOutcome { Status = OrderState.Confirmed }));

    public static object? OnRefunded(PaymentRefunded refund, State<OrderState> state) =>
        Keep(state, Settle(state.Value, new OrderOutcome { Status = OrderState.Cancelled, Reason = refund.Reason }));

    private static object? Keep(State<OrderState> state, (OrderState State, object? Said) next)
    {
        if (!ReferenceEquals(state.Value, next.State)) state.Value = next.State;
        return next.Said;
    }

    private static (OrderState State, object Said) End(OrderCreated order, OrderOutcome outcome)
    {
        var state = new OrderState { Status = outcome.Status };
        return outcome.Status switch
        {
            OrderState.Confirmed => (state, new OrderConfirmed
            {
                OrderId = order.OrderId,
                CustomerId = order.CustomerId,
                Items = order.Items,
                TotalAmount = order.TotalAmount,
                ShippingAddress = order.ShippingAddress,
            }),
            OrderState.Cancelled => (state, new OrderCancelled
            {
                OrderId = order.OrderId,
                CustomerId = order.CustomerId,
                Reason = outcome.Reason ?? throw new ArgumentException($"Order '{order.OrderId}' is cancelled without a reason."),
            }),
            _ => throw new ArgumentException($"Order '{order.OrderId}' cannot end as {outcome.Status}."),
        };
    }
}

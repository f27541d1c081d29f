using Millrace.Messaging;
using Shop.Orders;
using Shop.Payments;

namespace Shop.Inventory;

/// <summary>What Inventory remembers of an order until its goods are asked for.</summary>
internal sealed record ReservationState
{
    /// <summary>The order's lines, once the order was read and while it is not paid.</summary>
    public IReadOnlyList<ReservedLine> Items { get; init; } = [];

    public bool IsPaid { get; init; }

    public bool IsRequested { get; init; }
}

/// <summary>
/// A reservation needs two things that come by separate topics: that the order is paid, and what it holds. Whichever is read second sends
/// the request.
/// </summary>
internal static class RequestReservation
{
    /// <summary>The whole state machine: (state, what was read) -> (state, what to say).</summary>
    public static (ReservationState State, ReservationRequested? Said) Learn(ReservationState? state, OrderCreated order)
    {
        state ??= new ReservationState();
        if (state.IsRequested || state.Items.Count > 0) return (state, null);
        if (order.Items.Count == 0 || order.Items.Any(line => line.Quantity < 1))
            throw new ArgumentException($"Order '{order.OrderId}' has no line, or one with a quantity below 1.");

        // Stock answers per sku, so each occurs once, also in an order that someone else wrote.
        var items = order.Items.GroupBy(line => line.Sku, StringComparer.Ordinal)
            .Select(lines => new ReservedLine { Sku = lines.Key, Quantity = lines.Sum(line => line.Quantity) }).ToList();
        return state.IsPaid ? Request(order.OrderId, items) : (state with { Items = items }, null);
    }

    /// <inheritdoc cref="Learn(ReservationState?, OrderCreated)"/>
    public static (ReservationState State, ReservationRequested? Said) Learn(ReservationState? state, PaymentProcessed payment)
    {
        state ??= new ReservationState();
        if (state.IsRequested || state.IsPaid) return (state, null);
        return state.Items.Count > 0 ? Request(payment.OrderId, state.Items) : (state with { IsPaid = true }, null);
    }

    public static ReservationRequested? OnOrderCreated(OrderCreated order, State<ReservationState> state) =>
        Keep(state, Learn(state.Value, order));

    public static ReservationRequested? OnPaymentProcessed(PaymentProcessed payment, State<ReservationState> state) =>
        Keep(state, Learn(state.Value, payment));

    private static ReservationRequested? Keep(State<ReservationState> state, (ReservationState State, ReservationRequested? Said) next)
    {
        if (!ReferenceEquals(state.Value, next.State)) state.Value = next.State;
        return next.Said;
    }

    private static (ReservationState State, ReservationRequested Said) Request(string orderId, IReadOnlyList<ReservedLine> items) =>
        (new ReservationState { IsPaid = true, IsRequested = true }, new ReservationRequested { OrderId = orderId, Items = items });
}

using Millrace.Messaging;
using Shop.Orders;

namespace Shop.Payments;

/// <summary>What the payment service remembers of an order's payment.</summary>
internal sealed record PaymentState
{
    public const string Captured = "CAPTURED";
    public const string Failed = "FAILED";
    public const string Refunded = "REFUNDED";

    public required string Status { get; init; }

    public required string PaymentId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }

    /// <summary>The charge's reference; null when it failed.</summary>
    public string? TransactionRef { get; init; }
}

/// <summary>
/// Charges an order once. The provider is called with a key that follows from the event, so that a second delivery charges nothing.
/// </summary>
internal static class TakePayment
{
    private const string Method = "CREDIT_CARD";

    public static async Task<object?> OnOrderCreated(
        OrderCreated order, State<PaymentState> state, MessageContext context, PaymentDesk desk, CancellationToken cancellation)
    {
        if (state.HasValue) return null;
        var answer = await desk.Provider.ChargeAsync(
            new ChargeRequest
            {
                IdempotencyKey = context.IdempotencyKey,
                OrderId = order.OrderId,
                Amount = order.TotalAmount,
                Currency = desk.Currency,
            },
            cancellation);
        (state.Value, var said) = Conclude(order, desk.Currency, answer);
        return said;
    }

    /// <summary>What follows from the provider's answer.</summary>
    public static (PaymentState State, object Said) Conclude(OrderCreated order, string currency, ChargeAnswer answer)
    {
        var paymentId = PaymentIdOf(order.OrderId);
        return answer switch
        {
            ChargeAnswer.Charged charged => (
                new PaymentState
                {
                    Status = PaymentState.Captured,
                    PaymentId = paymentId,
                    Amount = order.TotalAmount,
                    Currency = currency,
                    TransactionRef = charged.TransactionRef,
                },
                new PaymentProcessed
                {
                    PaymentId = paymentId,
                    OrderId = order.OrderId,
                    Amount = order.TotalAmount,
                    Currency = currency,
                    Method = Method,
                    TransactionRef = charged.TransactionRef,
                }),
            ChargeAnswer.Declined declined => (
                new PaymentState { Status = PaymentState.Failed, PaymentId = paymentId, Amount = order.TotalAmount, Currency = currency },
                new PaymentFailed
                {
                    PaymentId = paymentId,
                    OrderId = order.OrderId,
                    Amount = order.TotalAmount,
                    Currency = currency,
                    Method = Method,
                    Reason = declined.Reason,
                }),
            _ => throw new InvalidOperationException($"Unknown answer {answer.GetType().Name}."),
        };
    }

    /// <summary>An order has one payment, so its id is the order's with another beginning.</summary>
    private static string PaymentIdOf(string orderId) =>
        $"PAY-{(orderId.StartsWith("ORD-", StringComparison.Ordinal) ? orderId[4..] : orderId)}";
}

/// <summary>What the handlers of payments work with.</summary>
internal sealed record PaymentDesk(IPaymentProvider Provider, string Currency);

using Millrace.Messaging;
using Shop.Inventory;

namespace Shop.Payments;

/// <summary>Gives a charge back, once, when the order cannot be filled.</summary>
internal static class RefundPayment
{
    public static async Task<object?> OnInsufficient(
        InventoryInsufficient shortage, State<PaymentState> state, MessageContext context, PaymentDesk desk, CancellationToken cancellation)
    {
        // Stock is asked only after a payment that this group committed, so a payment that is not there was never made by it.
        var payment = state.Value ?? throw new ArgumentException($"There is no payment for order '{shortage.OrderId}' to give back.");
        if (payment is not { Status: PaymentState.Captured, TransactionRef: { } reference }) return null;
        var answer = await desk.Provider.RefundAsync(
            new RefundRequest
            {
                IdempotencyKey = context.IdempotencyKey,
                OrderId = shortage.OrderId,
                TransactionRef = reference,
                Amount = payment.Amount,
                Currency = payment.Currency,
            },
            cancellation);
        state.Value = payment with { Status = PaymentState.Refunded };
        return new PaymentRefunded
        {
            PaymentId = payment.PaymentId,
            OrderId = shortage.OrderId,
            Amount = payment.Amount,
            Currency = payment.Currency,
            TransactionRef = answer.TransactionRef,
            Reason = shortage.Reason,
        };
    }
}

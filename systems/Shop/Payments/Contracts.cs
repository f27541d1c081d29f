namespace Shop.Payments;

/// <summary>The names that everyone needs to read what Payments says.</summary>
internal static class PaymentTopics
{
    public const string Done = "payments.done";
    public const string Source = "/services/payment-service";
    public const string Group = "payments";
}

/// <summary>The customer's card was charged.</summary>
internal sealed record PaymentProcessed
{
    public const string Type = "com.ecommerce.payments.payment.processed";

    public required string PaymentId { get; init; }

    public required string OrderId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }

    public required string Method { get; init; }

    public required string TransactionRef { get; init; }
}

/// <summary>The provider declined; nothing was charged.</summary>
internal sealed record PaymentFailed
{
    public const string Type = "com.ecommerce.payments.payment.failed";

    public required string PaymentId { get; init; }

    public required string OrderId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }

    public required string Method { get; init; }

    public required string Reason { get; init; }
}

/// <summary>The charge was given back whole, because the order cannot be filled.</summary>
internal sealed record PaymentRefunded
{
    public const string Type = "com.ecommerce.payments.payment.refunded";

    public required string PaymentId { get; init; }

    public required string OrderId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }

    public required string TransactionRef { get; init; }

    /// <summary>Why the order cannot be filled, in the inventory's words.</summary>
    public required string Reason { get; init; }
}

/// <summary>The provider's ledger in sums: what was charged and given back, ever.</summary>
internal readonly record struct LedgerTotals(decimal Captured, decimal Refunded, long Charges, long Refunds);

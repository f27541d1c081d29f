namespace Shop.Payments;

/// <summary>
/// Whoever moves the money. A call may end without an answer; called again with the same idempotency key it gives the first call's answer
/// and moves nothing twice. Thread safe.
/// </summary>
internal interface IPaymentProvider
{
    /// <summary>Charges the customer, or declines.</summary>
    ValueTask<ChargeAnswer> ChargeAsync(ChargeRequest request, CancellationToken cancellation);

    /// <summary>Gives a whole charge back.</summary>
    ValueTask<RefundAnswer> RefundAsync(RefundRequest request, CancellationToken cancellation);
}

/// <summary>A charge to make.</summary>
internal sealed record ChargeRequest
{
    public required string IdempotencyKey { get; init; }

    public required string OrderId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }
}

/// <summary>How a charge ended.</summary>
internal abstract record ChargeAnswer
{
    private ChargeAnswer()
    {
    }

    /// <summary>The money is there.</summary>
    public sealed record Charged(string TransactionRef) : ChargeAnswer;

    /// <summary>Nothing was charged.</summary>
    public sealed record Declined(string Reason) : ChargeAnswer;
}

/// <summary>A charge to give back.</summary>
internal sealed record RefundRequest
{
    public required string IdempotencyKey { get; init; }

    public required string OrderId { get; init; }

    /// <summary>The charge's reference.</summary>
    public required string TransactionRef { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }
}

/// <summary>The refund is made.</summary>
internal sealed record RefundAnswer(string TransactionRef);

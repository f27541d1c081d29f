using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Shop.Payments;

/// <summary>How the simulated provider behaves.</summary>
internal sealed record SimulatedProviderOptions
{
    /// <summary>The share of charges that it declines, 0 to 1.</summary>
    public required double DeclineRate { get; init; }

    /// <summary>The longest time that it takes to answer; the shortest is a tenth of it.</summary>
    public required TimeSpan AnswerDelayMax { get; init; }
}

/// <summary>
/// A provider that behaves like one: it enters a movement into its books first and answers later, so that a caller can crash between the
/// two and find the movement when it asks again. Whether it declines, and how slow it is, follows from the idempotency key. Thread safe.
/// </summary>
internal sealed class SimulatedProvider(SimulatedProviderOptions options, Ledger books, TimeProvider time) : IPaymentProvider
{
    public async ValueTask<ChargeAnswer> ChargeAsync(ChargeRequest request, CancellationToken cancellation)
    {
        var chance = Chance.Of(request.IdempotencyKey);
        var entry = await books.EnterAsync(
            new LedgerEntry
            {
                Kind = chance.Decline < options.DeclineRate ? LedgerEntry.Decline : LedgerEntry.Charge,
                IdempotencyKey = request.IdempotencyKey,
                OrderId = request.OrderId,
                Amount = request.Amount,
                Currency = request.Currency,
                TransactionRef = $"TXN-{chance.Reference}",
            },
            cancellation);
        await AnswerSlowlyAsync(chance, cancellation);
        return entry.Kind switch
        {
            LedgerEntry.Charge => new ChargeAnswer.Charged(entry.TransactionRef),
            LedgerEntry.Decline => new ChargeAnswer.Declined("The card was declined."),
            _ => throw new ArgumentException($"The idempotency key '{request.IdempotencyKey}' belongs to a {entry.Kind}."),
        };
    }

    public async ValueTask<RefundAnswer> RefundAsync(RefundRequest request, CancellationToken cancellation)
    {
        var chance = Chance.Of(request.IdempotencyKey);
        var entry = await books.EnterAsync(
            new LedgerEntry
            {
                Kind = LedgerEntry.Refund,
                IdempotencyKey = request.IdempotencyKey,
                OrderId = request.OrderId,
                Amount = request.Amount,
                Currency = request.Currency,
                TransactionRef = $"RFD-{chance.Reference}",
            },
            cancellation);
        await AnswerSlowlyAsync(chance, cancellation);
        return new RefundAnswer(entry.TransactionRef);
    }

    private Task AnswerSlowlyAsync(Chance chance, CancellationToken cancellation) => options.AnswerDelayMax == TimeSpan.Zero
        ? Task.CompletedTask
        : Task.Delay(options.AnswerDelayMax * (0.1 + 0.9 * chance.Delay), time, cancellation);

    /// <summary>Chance that follows from a key, so that a repeated call meets the same fate in any process.</summary>
    /// <param name="Decline">From 0 to below 1.</param>
    /// <param name="Delay">From 0 to below 1.</param>
    /// <param name="Reference">12 hexadecimal digits.</param>
    private readonly record struct Chance(double Decline, double Delay, string Reference)
    {
        public static Chance Of(string key)
        {
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
            return new Chance(Unit(hash), Unit(hash[4..]), Convert.ToHexString(hash[8..14]));
        }

        private static double Unit(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes) / 4294967296.0;
    }
}

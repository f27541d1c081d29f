using System.Security.Cryptography;
using System.Text;
using Millrace;

namespace Shop.Orders;

/// <summary>
/// Makes order ids: readable, unique, and fit for a file name. Chance is a seeded parameter. Thread safe.
/// </summary>
/// <param name="random">The source of chance; used under this object's lock.</param>
/// <param name="time">The clock of the date within the id.</param>
internal sealed class OrderIds(Random random, TimeProvider time)
{
    /// <summary>Crockford's base 32: no letter that reads like a digit.</summary>
    private const string Digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// <summary>Guards the random source, which is not thread safe.</summary>
    private readonly Lock _lock = new();

    /// <summary>
    /// A new id, such as <c>ORD-20260125-7K3M9QX2PA</c>. Its 50 random bits make a second draw rare; the journal makes it safe.
    /// </summary>
    public string Next()
    {
        Span<char> digits = stackalloc char[10];
        lock (_lock)
        {
            for (var i = 0; i < digits.Length; i++) digits[i] = Digits[random.Next(Digits.Length)];
        }

        return string.Create(null, stackalloc char[32], $"ORD-{time.GetUtcNow():yyyyMMdd}-{digits}");
    }

    /// <summary>
    /// The id that belongs to a customer's idempotency key: the same in every process and after every restart, such as
    /// <c>ORD-5N2J8W0R4TB6C1XK9MZQ</c> (100 bits of a SHA-256).
    /// </summary>
    public static string OfKey(string customerId, string key)
    {
        // The length stands between the two, so that no other pair of texts joins to the same bytes.
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{customerId.Length}:{customerId}{key}"));
        return string.Create(24, hash, static (id, bytes) =>
        {
            "ORD-".CopyTo(id);
            for (var i = 0; i < 20; i++) id[4 + i] = Digits[bytes[i] & 31];
        });
    }

    /// <summary>What an order's first event is called: it follows from the order's id, so a second one is a repetition.</summary>
    public static PublishOptions FirstEventOf(string orderId) => new() { Id = $"evt-{orderId}" };
}

using System.Text;
using System.Text.Json;
using Millrace;

namespace Shop.Payments;

/// <summary>One movement in the provider's books, kept under its idempotency key.</summary>
internal sealed record LedgerEntry
{
    public const string Charge = "charge";
    public const string Decline = "decline";
    public const string Refund = "refund";

    /// <summary>What happened: <see cref="Charge"/>, <see cref="Decline"/> or <see cref="Refund"/>.</summary>
    public required string Kind { get; init; }

    public required string IdempotencyKey { get; init; }

    public required string OrderId { get; init; }

    public required decimal Amount { get; init; }

    public required string Currency { get; init; }

    public required string TransactionRef { get; init; }
}

/// <summary>
/// The simulated provider's books: an append-only log of its own, apart from the shop's, as a real provider's would be. An idempotency key
/// is entered once; the log itself refuses a second entry, whichever process tries. Thread safe.
/// </summary>
internal sealed class Ledger : IAsyncDisposable
{
    private const string Topic = "ledger";
    private const int ReadBytesMax = 1 << 20;

    private static readonly TopicPartition Books = new(Topic, 0);

    private readonly Engine _engine;
    private readonly TimeProvider _time;

    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Task<LedgerEntry>> _entries = new(StringComparer.Ordinal);
    private LedgerTotals _totals = new(0.00m, 0.00m, 0, 0);

    private Ledger(Engine engine, TimeProvider time) => (_engine, _time) = (engine, time);

    /// <summary>The sums of all durable entries.</summary>
    public LedgerTotals Totals
    {
        get
        {
            lock (_lock) return _totals;
        }
    }

    /// <summary>Reads the books from their start. The ledger owns the engine from here on.</summary>
    public static async Task<Ledger> OpenAsync(Engine engine, TimeProvider time, CancellationToken cancellation)
    {
        await engine.EnsureTopicAsync(new TopicSpecification { Name = Topic, Partitions = 1 }, cancellation);
        var ledger = new Ledger(engine, time);
        using var reader = engine.OpenReader(Books, 0);
        while (reader.TryRead(ReadBytesMax) is { } records)
        {
            using (records)
            {
                foreach (var record in records) ledger.Restore(record);
            }
        }

        return ledger;
    }

    /// <summary>Enters a movement durably, or finds the one that has this key already.</summary>
    public async ValueTask<LedgerEntry> EnterAsync(LedgerEntry entry, CancellationToken cancellation)
    {
        var mine = new TaskCompletionSource<LedgerEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<LedgerEntry>? known;
        lock (_lock)
        {
            if (!_entries.TryGetValue(entry.IdempotencyKey, out known)) _entries.Add(entry.IdempotencyKey, mine.Task);
        }

        if (known is not null) return await known.WaitAsync(cancellation);
        try
        {
            // Once begun it is not cancelled: whoever waits for the same key shall get an answer that holds.
            await AppendAsync(entry);
        }
        catch (Exception failure)
        {
            lock (_lock) _entries.Remove(entry.IdempotencyKey);
            mine.SetException(failure);
            _ = mine.Task.Exception;
            throw;
        }

        lock (_lock) _totals = Add(_totals, entry);
        mine.SetResult(entry);
        return entry;
    }

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    private async ValueTask AppendAsync(LedgerEntry entry)
    {
        using var commit = new Commit();
        commit.To(Books).Add(
            _time.GetUtcNow().ToUnixTimeMilliseconds(),
            Encoding.UTF8.GetBytes(entry.IdempotencyKey),
            JsonSerializer.SerializeToUtf8Bytes(entry, ShopJson.Default.LedgerEntry));
        commit.Expect(Topic, entry.IdempotencyKey, version: 0, added: 1);
        var result = await _engine.CommitAsync(commit, CancellationToken.None);
        if (result is CommitResult.Conflicted)
        {
            throw new MillraceException(FailureCodes.Fenced,
                $"The ledger has an entry '{entry.IdempotencyKey}' that this process did not read: someone else writes to its folder.");
        }
    }

    private void Restore(in Record record)
    {
        var entry = JsonSerializer.Deserialize(record.Value.Span, ShopJson.Default.LedgerEntry)
            ?? throw new MillraceException(FailureCodes.Corrupt, $"The ledger's entry at offset {record.Offset} is empty.");
        _entries.Add(entry.IdempotencyKey, Task.FromResult(entry));
        _totals = Add(_totals, entry);
    }

    private static LedgerTotals Add(LedgerTotals totals, LedgerEntry entry) => entry.Kind switch
    {
        LedgerEntry.Charge => totals with { Captured = totals.Captured + entry.Amount, Charges = totals.Charges + 1 },
        LedgerEntry.Refund => totals with { Refunded = totals.Refunded + entry.Amount, Refunds = totals.Refunds + 1 },
        LedgerEntry.Decline => totals,
        _ => throw new MillraceException(FailureCodes.UnknownVersion, $"The ledger holds an entry of the unknown kind '{entry.Kind}'."),
    };
}

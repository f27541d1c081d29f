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

/// <summary>Where the books are kept.</summary>
internal sealed record LedgerOptions
{
    /// <summary>The topic, of one partition.</summary>
    public required string Topic { get; init; }

    /// <summary>Opens the engine that has the topic.</summary>
    public required Func<CancellationToken, ValueTask<Engine>> OpenEngine { get; init; }

    /// <summary>Whether the ledger ends the engine when it ends itself.</summary>
    public required bool OwnsEngine { get; init; }
}

/// <summary>
/// The simulated provider's books: an append-only log, apart from the shop's topics, as a real provider's would be. An idempotency key
/// moves money once: its first entry in the log is the one that counts, whichever process wrote it, and a later one counts nothing. So
/// every process that reads the books knows the same. Thread safe once started.
/// </summary>
internal sealed partial class Ledger(LedgerOptions options, TimeProvider time, ILogger<Ledger> logger) : IHostedService, IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Guards everything below, but for what is set once at the start.</summary>
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LedgerEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Task<LedgerEntry>> _entering = new(StringComparer.Ordinal);
    private LedgerTotals _totals = new(0.00m, 0.00m, 0, 0);
    private Engine? _engine;
    private PartitionFollower? _follower;
    private Task _following = Task.CompletedTask;

    /// <summary>Why the books are followed no more, or null while they are.</summary>
    public string? Failure { get; private set; }

    /// <summary>The sums of all entries that were read.</summary>
    public LedgerTotals Totals
    {
        get
        {
            lock (_lock) return _totals;
        }
    }

    private TopicPartition Books => new(options.Topic, 0);

    private Engine Engine => _engine ?? throw new InvalidOperationException("The ledger is not open yet: it opens when the host starts.");

    private PartitionFollower Follower =>
        _follower ?? throw new InvalidOperationException("The ledger is not open yet: it opens when the host starts.");

    /// <summary>Opens the books and reads them to their end.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _engine = await options.OpenEngine(cancellationToken);
        await _engine.EnsureTopicAsync(new TopicSpecification { Name = options.Topic, Partitions = 1 }, cancellationToken);
        var (start, end) = await FindExtentAsync(cancellationToken);
        _follower = new PartitionFollower(Books, start, Take);
        _following = Task.Run(FollowAsync, CancellationToken.None);
        await _follower.WaitAsync(end, cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_engine is null) return;
        await _stopping.CancelAsync();
        await _following;
        if (options.OwnsEngine) await _engine.DisposeAsync();
    }

    /// <summary>Enters a movement durably, or finds the one that had this key first.</summary>
    public async ValueTask<LedgerEntry> EnterAsync(LedgerEntry entry, CancellationToken cancellation)
    {
        var mine = new TaskCompletionSource<LedgerEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<LedgerEntry>? known;
        lock (_lock)
        {
            if (_entries.TryGetValue(entry.IdempotencyKey, out var first)) return first;
            if (!_entering.TryGetValue(entry.IdempotencyKey, out known)) _entering.Add(entry.IdempotencyKey, mine.Task);
        }

        if (known is not null) return await known.WaitAsync(cancellation);
        try
        {
            // Once begun it is not cancelled: whoever waits for the same key shall get an answer that holds.
            var first = await AppendAsync(entry);
            mine.SetResult(first);
            return first;
        }
        catch (Exception failure)
        {
            mine.SetException(failure);
            _ = mine.Task.Exception;
            throw;
        }
        finally
        {
            lock (_lock) _entering.Remove(entry.IdempotencyKey);
        }
    }

    /// <summary>Completes when everything was read that is in the books now.</summary>
    public async ValueTask CatchUpAsync(CancellationToken cancellation)
    {
        var (_, end) = await FindExtentAsync(cancellation);
        await Follower.WaitAsync(end, cancellation);
    }

    /// <summary>One record by itself; then the log says which entry of the key is the first.</summary>
    private async ValueTask<LedgerEntry> AppendAsync(LedgerEntry entry)
    {
        var offset = await Engine.AppendAsync(Books, batch => batch.Add(
            time.GetUtcNow().ToUnixTimeMilliseconds(),
            Encoding.UTF8.GetBytes(entry.IdempotencyKey),
            JsonSerializer.SerializeToUtf8Bytes(entry, ShopJson.Default.LedgerEntry)));
        await Follower.WaitAsync(offset + 1, CancellationToken.None);
        lock (_lock) return _entries[entry.IdempotencyKey];
    }

    private async ValueTask<(long Start, long End)> FindExtentAsync(CancellationToken cancellation)
    {
        var topic = await Engine.FindTopicAsync(options.Topic, cancellation)
            ?? throw new MillraceException(FailureCodes.TopicNotFound, $"The topic '{options.Topic}' does not exist.");
        return (topic.Partitions[0].StartOffset, topic.Partitions[0].EndOffset);
    }

    private async Task FollowAsync()
    {
        if (await Follower.RunAsync(Engine, _stopping.Token) is not { } failure) return;

        // Who enters something fails from here on, and the process is not ready any more.
        Failure = $"{Books}: {failure.Message}";
        Stopped(logger, Books, failure);
    }

    private void Take(FetchedRecords records)
    {
        lock (_lock)
        {
            foreach (var record in records)
            {
                var entry = JsonSerializer.Deserialize(record.Value.Span, ShopJson.Default.LedgerEntry)
                    ?? throw new MillraceException(FailureCodes.Corrupt, $"The ledger's entry at offset {record.Offset} is empty.");
                if (_entries.TryAdd(entry.IdempotencyKey, entry)) _totals = Add(_totals, entry);
            }
        }
    }

    private static LedgerTotals Add(LedgerTotals totals, LedgerEntry entry) => entry.Kind switch
    {
        LedgerEntry.Charge => totals with { Captured = totals.Captured + entry.Amount, Charges = totals.Charges + 1 },
        LedgerEntry.Refund => totals with { Refunded = totals.Refunded + entry.Amount, Refunds = totals.Refunds + 1 },
        LedgerEntry.Decline => totals,
        _ => throw new MillraceException(FailureCodes.UnknownVersion, $"The ledger holds an entry of the unknown kind '{entry.Kind}'."),
    };

    [LoggerMessage(EventId = 501, Level = LogLevel.Error, Message = "The provider's books stopped at {Source}; restart the process")]
    private static partial void Stopped(ILogger logger, TopicPartition source, Exception failure);
}

using Microsoft.Extensions.Logging.Abstractions;
using Millrace;
using Millrace.Kafka;
using Millrace.Log;
using Shop.Payments;

namespace Shop.Tests;

/// <summary>The provider's books: a key moves money once, in one process or many, before a crash and after it.</summary>
public abstract class LedgerTests(Ground ground) : ShopTests(ground)
{
    private const string Topic = "payment-provider.ledger";

    [Fact]
    public async Task A_key_moves_money_once_also_at_once_and_after_a_restart()
    {
        using var folder = new TemporaryFolder();
        ChargeAnswer first;
        await using (var books = await OpenAsync(folder))
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ChargeAsync(ProviderOf(books), "k")));
            first = Assert.Single(answers.Distinct());
            await RefundAsync(ProviderOf(books), "r");
        }

        await using var again = await OpenAsync(folder);

        Assert.Equal(first, await ChargeAsync(ProviderOf(again), "k"));
        await RefundAsync(ProviderOf(again), "r");
        Assert.Equal(new LedgerTotals(12.34m, 12.34m, 1, 1), again.Totals);
    }

    [Fact]
    public async Task A_charge_whose_answer_was_never_heard_is_found_again()
    {
        using var folder = new TemporaryFolder();
        using var hangUp = new CancellationTokenSource();
        await using (var books = await OpenAsync(folder))
        {
            var unheard = ProviderOf(books, delay: TimeSpan.FromHours(1)).ChargeAsync(Request("k"), hangUp.Token).AsTask();
            while (books.Totals.Charges == 0) await Task.Yield();
            await hangUp.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => unheard);
        }

        await using var again = await OpenAsync(folder);

        Assert.IsType<ChargeAnswer.Charged>(await ChargeAsync(ProviderOf(again), "k"));
        Assert.Equal(1, again.Totals.Charges);
    }

    [Fact]
    public async Task The_decline_rate_is_kept_and_a_key_meets_the_same_fate_each_time()
    {
        using var folder = new TemporaryFolder();
        await using var books = await OpenAsync(folder);
        var provider = ProviderOf(books, declineRate: 0.25);

        var first = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => ChargeAsync(provider, $"k{i}")));
        var second = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => ChargeAsync(provider, $"k{i}")));

        Assert.Equal(first, second);
        Assert.InRange(first.Count(answer => answer is ChargeAnswer.Declined), 60, 140);
        Assert.Equal(first.Count(answer => answer is ChargeAnswer.Charged), books.Totals.Charges);
    }

    [Fact]
    public async Task The_first_entry_of_a_key_counts_for_all_who_write_the_books_and_for_all_who_read_them()
    {
        using var folder = new TemporaryFolder();
        await using var engine = await OpenEngineAsync(folder);
        await using var one = await OpenAsync(engine, ownsEngine: false);
        await using var other = await OpenAsync(engine, ownsEngine: false);

        // One declines all and the other none, so whoever comes first to a key decides, and both must say so.
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => await Task.WhenAll(
            ChargeAsync(ProviderOf(one, declineRate: 1), $"k{i}"), ChargeAsync(ProviderOf(other), $"k{i}"))));
        await using var reader = await OpenAsync(engine, ownsEngine: false);
        await one.CatchUpAsync(RunningShop.Patience);
        await other.CatchUpAsync(RunningShop.Patience);

        Assert.All(answers, pair => Assert.Equal(pair[0], pair[1]));
        Assert.Equal(answers.Count(pair => pair[0] is ChargeAnswer.Charged), reader.Totals.Charges);
        Assert.Equal((reader.Totals, reader.Totals), (one.Totals, other.Totals));
    }

    private async ValueTask<Engine> OpenEngineAsync(TemporaryFolder folder) => Bootstrap is { } bootstrap
        ? await KafkaEngine.OpenAsync(new KafkaOptions { BootstrapServers = bootstrap }, RunningShop.Patience)
        : await LogEngine.OpenAsync(folder.Path, cancellation: RunningShop.Patience);

    private async Task<Ledger> OpenAsync(TemporaryFolder folder) => await OpenAsync(await OpenEngineAsync(folder), ownsEngine: true);

    private static async Task<Ledger> OpenAsync(Engine engine, bool ownsEngine)
    {
        var books = new Ledger(
            new LedgerOptions { Topic = Topic, OpenEngine = _ => ValueTask.FromResult(engine), OwnsEngine = ownsEngine },
            TimeProvider.System,
            NullLogger<Ledger>.Instance);
        await books.StartAsync(RunningShop.Patience);
        return books;
    }

    private static SimulatedProvider ProviderOf(Ledger books, double declineRate = 0, TimeSpan delay = default) => new(
        new SimulatedProviderOptions { DeclineRate = declineRate, AnswerDelayMax = delay }, books, TimeProvider.System);

    private static Task<ChargeAnswer> ChargeAsync(SimulatedProvider provider, string key) =>
        provider.ChargeAsync(Request(key), RunningShop.Patience).AsTask();

    private static async Task RefundAsync(SimulatedProvider provider, string key) => await provider.RefundAsync(
        new RefundRequest { IdempotencyKey = key, OrderId = "O", TransactionRef = "T", Amount = 12.34m, Currency = "USD" },
        RunningShop.Patience);

    private static ChargeRequest Request(string key) => new() { IdempotencyKey = key, OrderId = "O", Amount = 12.34m, Currency = "USD" };
}

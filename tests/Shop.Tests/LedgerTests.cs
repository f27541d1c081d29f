using Millrace.Log;
using Shop.Payments;

namespace Shop.Tests;

/// <summary>The provider's books: a key is entered once, in one process or many, before a crash and after it.</summary>
public sealed class LedgerTests
{
    [Fact]
    public async Task A_key_moves_money_once_also_at_once_and_after_a_restart()
    {
        using var folder = new TemporaryFolder();
        ChargeAnswer first;
        await using (var provider = await StartAsync(folder))
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ChargeAsync(provider, "k")));
            first = Assert.Single(answers.Distinct());
            await RefundAsync(provider, "r");
        }

        await using var again = await StartAsync(folder);

        Assert.Equal(first, await ChargeAsync(again, "k"));
        await RefundAsync(again, "r");
        Assert.Equal(new LedgerTotals(12.34m, 12.34m, 1, 1), again.Totals);
    }

    [Fact]
    public async Task A_charge_whose_answer_was_never_heard_is_found_again()
    {
        using var folder = new TemporaryFolder();
        using var hangUp = new CancellationTokenSource();
        await using (var provider = await StartAsync(folder, delay: TimeSpan.FromHours(1)))
        {
            var unheard = provider.ChargeAsync(Request("k"), hangUp.Token).AsTask();
            while (provider.Totals.Charges == 0) await Task.Yield();
            await hangUp.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => unheard);
        }

        await using var again = await StartAsync(folder);

        Assert.IsType<ChargeAnswer.Charged>(await ChargeAsync(again, "k"));
        Assert.Equal(1, again.Totals.Charges);
    }

    [Fact]
    public async Task The_decline_rate_is_kept_and_a_key_meets_the_same_fate_each_time()
    {
        using var folder = new TemporaryFolder();
        await using var provider = await StartAsync(folder, declineRate: 0.25);

        var first = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => ChargeAsync(provider, $"k{i}")));
        var second = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => ChargeAsync(provider, $"k{i}")));

        Assert.Equal(first, second);
        Assert.InRange(first.Count(answer => answer is ChargeAnswer.Declined), 60, 140);
        Assert.Equal(first.Count(answer => answer is ChargeAnswer.Charged), provider.Totals.Charges);
    }

    private static async Task<SimulatedProvider> StartAsync(TemporaryFolder folder, double declineRate = 0, TimeSpan delay = default)
    {
        var provider = new SimulatedProvider(
            new SimulatedProviderOptions
            {
                DeclineRate = declineRate,
                AnswerDelayMax = delay,
                OpenBooks = async cancellation => await LogEngine.OpenAsync(folder.Path, cancellation: cancellation),
            },
            TimeProvider.System);
        await provider.StartAsync(RunningShop.Patience);
        return provider;
    }

    private static Task<ChargeAnswer> ChargeAsync(SimulatedProvider provider, string key) =>
        provider.ChargeAsync(Request(key), RunningShop.Patience).AsTask();

    private static async Task RefundAsync(SimulatedProvider provider, string key) => await provider.RefundAsync(
        new RefundRequest { IdempotencyKey = key, OrderId = "O", TransactionRef = "T", Amount = 12.34m, Currency = "USD" },
        RunningShop.Patience);

    private static ChargeRequest Request(string key) => new() { IdempotencyKey = key, OrderId = "O", Amount = 12.34m, Currency = "USD" };
}

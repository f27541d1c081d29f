using System.Net;
using Millrace;
using Shop.Api;

namespace Shop.Tests;

/// <summary>What is sent or delivered twice has one effect, also when a restart lies between.</summary>
public abstract class DuplicateTests(Ground ground) : ShopTests(ground)
{
    [Fact]
    public async Task The_same_request_with_a_key_is_one_order_also_at_once_and_after_a_restart()
    {
        using var folder = new TemporaryFolder();
        var order = RunningShop.Order("CUST-1", ("PROD-001", 2));
        string orderId;
        await using (var shop = await StartAsync(folder: folder))
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => shop.PlaceAsync(order, key: "key 1")));
            orderId = Assert.Single(answers.Select(answer => answer.OrderId).Distinct());
            await shop.SettleAsync();
        }

        await using var again = await StartAsync(folder: folder);
        var repeated = await again.PlaceAsync(order, key: "key 1");
        await again.SettleAsync();

        var stats = await again.GetStatsAsync();
        Assert.Equal(orderId, repeated.OrderId);
        Assert.Equal((1, 1L, 1L), (stats.Orders.Confirmed, stats.Charges, stats.Mails));

        // Without conditional appends those who come at once may leave a record each, of which the first is the order.
        Assert.InRange(stats.Events["orders.created"], 1, IsOnKafka ? 10 : 1);
    }

    [Fact]
    public async Task Another_body_under_a_used_key_is_refused_and_stores_nothing()
    {
        await using var shop = await StartAsync();
        await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 2)), key: "k");

        using var answer = await shop.PostOrderAsync(RunningShop.Order("CUST-1", ("PROD-001", 3)), key: "k");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("Idempotency-Key", await answer.Content.ReadAsStringAsync(RunningShop.Patience), StringComparison.Ordinal);
        Assert.Equal(1, (await shop.GetStatsAsync()).Events["orders.created"]);
    }

    [Fact]
    public async Task A_key_belongs_to_its_customer()
    {
        await using var shop = await StartAsync();

        var first = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 1)), key: "k");
        var second = await shop.PlaceAsync(RunningShop.Order("CUST-2", ("PROD-001", 1)), key: "k");

        Assert.NotEqual(first.OrderId, second.OrderId);
    }

    [Fact]
    public async Task Requests_without_a_key_are_separate_orders()
    {
        await using var shop = await StartAsync();

        var first = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 1)));
        var second = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 1)));

        Assert.NotEqual(first.OrderId, second.OrderId);
    }

    [Fact]
    public async Task Every_event_of_both_long_paths_delivered_again_changes_nothing_also_after_a_restart()
    {
        using var folder = new TemporaryFolder();
        string[] topics = ["orders.created", "payments.done", "inventory.requests", "inventory.rsrvd", "orders.updated"];
        ShopStats before;
        StockPage stock;
        await using (var shop = await StartAsync(folder: folder))
        {
            await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 2)));
            await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-002", 61)));
            await shop.SettleAsync();
            before = await shop.GetStatsAsync();
            stock = await shop.GetAsync("/api/inventory", PlainJson.Api.StockPage);

            foreach (var topic in topics) await AppendAgainAsync(shop.Engine, topic);
            await shop.SettleAsync();
            Compare(before, await shop.GetStatsAsync());
        }

        await using var again = await StartAsync(folder: folder);
        foreach (var topic in topics) await AppendAgainAsync(again.Engine, topic);
        await again.SettleAsync();

        Compare(before, await again.GetStatsAsync());
        Assert.Equal(stock.Items, (await again.GetAsync("/api/inventory", PlainJson.Api.StockPage)).Items);
    }

    private static void Compare(ShopStats before, ShopStats after)
    {
        Assert.Equal((1, 1), (after.Orders.Confirmed, after.Orders.Cancelled));
        Assert.Equal(before.Orders, after.Orders);
        Assert.Equal((before.Captured, before.Refunded, before.ConfirmedTotal), (after.Captured, after.Refunded, after.ConfirmedTotal));
        Assert.Equal((before.Charges, before.Refunds, before.Mails), (after.Charges, after.Refunds, after.Mails));

        // No event was answered again: nothing in the levels, and nothing new where only the copies were added.
        Assert.Equal(before.Events["inventory.levels"], after.Events["inventory.levels"]);
        Assert.Equal(before.Events["orders.updated"] % 2, after.Events["orders.updated"] % 2);
    }

    /// <summary>Appends every record of a topic once more, byte for byte.</summary>
    private static async Task AppendAgainAsync(Engine engine, string topic)
    {
        var description = await engine.FindTopicAsync(topic, RunningShop.Patience);
        foreach (var partition in description!.Partitions)
        {
            var source = new TopicPartition(topic, partition.Partition);
            using var reader = engine.OpenReader(source, 0);
            using var commit = new Commit();
            while (reader.Offset < partition.EndOffset)
            {
                using var records = await reader.ReadAsync(1 << 20, RunningShop.Patience);
                foreach (var record in records)
                    commit.To(source).Add(
                        record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, record.Headers);
            }

            if (!commit.IsEmpty) await engine.CommitAsync(commit, RunningShop.Patience);
        }
    }
}

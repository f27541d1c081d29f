using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Millrace;

namespace Shop.Tests;

/// <summary>The three paths of an order over HTTP, in one process.</summary>
public abstract partial class OrderFlowTests(Ground ground) : ShopTests(ground)
{
    [Fact]
    public async Task A_paid_order_with_stock_is_confirmed_and_mailed()
    {
        using var folder = new TemporaryFolder();
        await using var shop = await StartAsync(folder: folder);

        var accepted = await shop.PlaceAsync(RunningShop.Order("CUST-789", ("PROD-001", 2), ("PROD-002", 1)));
        await shop.SettleAsync();

        var order = await shop.GetOrderAsync(accepted.OrderId);
        Assert.Equal(("PENDING", "CONFIRMED", null), (accepted.Status, order.Status, order.Reason));
        Assert.Equal(109.97m, order.Total);
        Assert.Equal(
            [
                "com.ecommerce.orders.order.created", "com.ecommerce.payments.payment.processed",
                "com.ecommerce.inventory.reservation.requested", "com.ecommerce.inventory.inventory.reserved",
                "com.ecommerce.orders.order.confirmed", "com.ecommerce.notifications.mail.sent",
            ],
            order.Timeline.Select(entry => entry.Type));

        // The request and the confirmation each wait for two events of separate topics: the one that was read second is the cause.
        string[] ids = [.. order.Timeline.Select(entry => entry.Id)];
        string?[][] causes = [[null], [ids[0]], [ids[0], ids[1]], [ids[2]], [ids[0], ids[3]], [ids[4]]];
        Assert.All(order.Timeline.Zip(causes), pair => Assert.Contains(pair.First.Causation, pair.Second));
        var stock = await shop.GetStockAsync("PROD-001");
        Assert.Equal((58, 2, 29.99m), (stock.Available, stock.Reserved, stock.Price));
        var mail = await File.ReadAllTextAsync(Path.Combine(folder.Path, "mail", $"{accepted.OrderId}.eml"), RunningShop.Patience);
        Assert.Contains("Total: 109.97 USD\r\n", mail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_order_whose_payment_is_declined_is_cancelled_and_holds_nothing()
    {
        await using var shop = await StartAsync(options => options with { PaymentFailureRate = 1 });

        var accepted = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-001", 2)));
        await shop.SettleAsync();

        var order = await shop.GetOrderAsync(accepted.OrderId);
        var stats = await shop.GetStatsAsync();
        Assert.Equal(("CANCELLED", "The card was declined."), (order.Status, order.Reason));
        Assert.Equal(
            ["com.ecommerce.orders.order.created", "com.ecommerce.payments.payment.failed", "com.ecommerce.orders.order.cancelled"],
            order.Timeline.Select(entry => entry.Type));
        Assert.Equal((0m, 0L, 0L), (stats.Captured, stats.Charges, stats.Mails));
        Assert.Equal(0, (await shop.GetStockAsync("PROD-001")).Reserved);
    }

    [Fact]
    public async Task An_order_beyond_the_stock_is_refunded_then_cancelled_and_reserves_none_of_its_lines()
    {
        await using var shop = await StartAsync();

        var accepted = await shop.PlaceAsync(RunningShop.Order("CUST-1", ("PROD-002", 1), ("PROD-001", 61)));
        await shop.SettleAsync();

        var order = await shop.GetOrderAsync(accepted.OrderId);
        var stats = await shop.GetStatsAsync();
        Assert.Equal(("CANCELLED", "Insufficient stock of PROD-001: 61 ordered, 60 available."), (order.Status, order.Reason));
        Assert.Equal(
            [
                "com.ecommerce.orders.order.created", "com.ecommerce.payments.payment.processed",
                "com.ecommerce.inventory.reservation.requested", "com.ecommerce.inventory.inventory.insufficient",
                "com.ecommerce.payments.payment.refunded", "com.ecommerce.orders.order.cancelled",
            ],
            order.Timeline.Select(entry => entry.Type));
        Assert.Equal(
            (order.Total, order.Total, 1L, 1L, 0m), (stats.Captured, stats.Refunded, stats.Charges, stats.Refunds, stats.ConfirmedTotal));
        Assert.Equal(0, (await shop.GetStockAsync("PROD-002")).Reserved);
    }

    [Fact]
    public async Task An_order_can_be_read_as_soon_as_it_is_accepted()
    {
        await using var shop = await StartAsync();

        using var answer = await shop.PostOrderAsync(RunningShop.Order("CUST-1", ("PROD-001", 1)));
        using var order = await shop.Http.GetAsync(answer.Headers.Location, RunningShop.Patience);

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.OK), (answer.StatusCode, order.StatusCode));
    }

    [Fact]
    public async Task Orders_of_many_customers_add_up_to_the_cent()
    {
        await using var shop = await StartAsync(
            options => options with { PaymentFailureRate = 0.2, PaymentDelayMax = TimeSpan.FromMilliseconds(5) });

        await Task.WhenAll(Enumerable.Range(0, 200).Select(i =>
            shop.PlaceAsync(RunningShop.Order($"CUST-{i % 7}", ($"PROD-{1 + i % 12:000}", 1 + i % 5), ("PROD-003", 1)))));
        await shop.SettleAsync();

        var stats = await shop.GetStatsAsync();
        var orders = (await shop.GetAsync("/api/orders?pageSize=200", PlainJson.Api.OrderPage)).Items;
        var stock = (await shop.GetAsync("/api/inventory", PlainJson.Api.StockPage)).Items;
        var confirmed = orders.Where(order => order.Status == "CONFIRMED").ToList();
        Assert.Equal((200, 0), (orders.Count, stats.Orders.Pending));
        Assert.NotEmpty(confirmed);
        Assert.Contains(orders, order => order.Reason?.StartsWith("Insufficient", StringComparison.Ordinal) == true);
        Assert.Contains(orders, order => order.Reason == "The card was declined.");
        Assert.Equal(confirmed.Sum(order => order.Total), stats.ConfirmedTotal);
        Assert.Equal(stats.Captured - stats.Refunded, stats.ConfirmedTotal);
        Assert.Equal(confirmed.Count, stats.Mails);
        Assert.All(stock, level => Assert.Equal(
            (60, confirmed.SelectMany(order => order.Items).Where(line => line.Sku == level.Sku).Sum(line => (long)line.Quantity)),
            (level.Available + level.Reserved, level.Reserved)));
        Assert.All(stats.Lag.Values, lag => Assert.Equal(0, lag));
    }

    [Fact]
    public async Task The_first_event_has_the_envelope_and_data_of_the_reference()
    {
        await using var shop = await StartAsync();

        var accepted = await shop.PlaceAsync(RunningShop.Order("CUST-789", ("PROD-001", 2), ("PROD-002", 1)));

        var (key, value) = await FirstRecordAsync(shop.Engine, "orders.created");
        Assert.Equal(accepted.OrderId, key);
        var expected =
            """
            {"specversion":"1.0","id":"evt-ID","source":"/services/order-service",
            "type":"com.ecommerce.orders.order.created","time":"TIME","datacontenttype":"application/json",
            "correlationid":"evt-ID","data":{"orderId":"ID","customerId":"CUST-789",
            "items":[{"sku":"PROD-001","quantity":2,"price":29.99},{"sku":"PROD-002","quantity":1,"price":49.99}],
            "totalAmount":109.97,"shippingAddress":{"street":"123 Main St","city":"Seattle","country":"US"}}}
            """.ReplaceLineEndings("").Replace("ID", accepted.OrderId, StringComparison.Ordinal);
        Assert.Equal(expected, Regex.Replace(Trace().Replace(value, ""), "(?<=\"time\":\")[^\"]+Z", "TIME"));
    }

    /// <summary>A trace context is there when someone traces, such as the HTTP server.</summary>
    [GeneratedRegex("\"trace(parent|state)\":\"[^\"]*\",")]
    private static partial Regex Trace();

    internal static async Task<(string Key, string Value)> FirstRecordAsync(Engine engine, string topic)
    {
        var description = await engine.FindTopicAsync(topic, RunningShop.Patience);
        var partition = description!.Partitions.First(partition => partition.EndOffset > 0).Partition;
        using var reader = engine.OpenReader(new TopicPartition(topic, partition), 0);
        using var records = await reader.ReadAsync(1 << 20, RunningShop.Patience);
        foreach (var record in records) return (Encoding.UTF8.GetString(record.Key.Span), Encoding.UTF8.GetString(record.Value.Span));
        throw new InvalidOperationException($"{topic} is empty.");
    }
}

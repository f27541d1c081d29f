using System.Net;
using Shop.Api;

namespace Shop.Tests;

public abstract class QueryTests(Ground ground) : ShopTests(ground)
{
    [Fact]
    public async Task Pages_are_newest_first_without_gaps_and_stay_so_after_a_restart()
    {
        using var folder = new TemporaryFolder();
        var placed = new List<string>();
        List<string> before;
        await using (var shop = await StartAsync(folder: folder))
        {
            for (var i = 0; i < 12; i++) placed.Add(
                (await shop.PlaceAsync(RunningShop.Order($"CUST-{i % 2}", ("PROD-001", i < 11 ? 1 : 1_000)))).OrderId);
            await shop.SettleAsync();
            before = await AllAsync(shop, "");
            Assert.Equal(placed.Order(StringComparer.Ordinal), before.Order(StringComparer.Ordinal));
            Assert.Equal(6, (await AllAsync(shop, "&customerId=CUST-1")).Count);
            Assert.Equal([placed[11]], await AllAsync(shop, "&status=CANCELLED"));
            Assert.Equal([placed[11]], await AllAsync(shop, "&customerId=CUST-1&status=CANCELLED"));
            Assert.Empty(await AllAsync(shop, "&customerId=CUST-0&status=CANCELLED"));
        }

        await using var again = await StartAsync(folder: folder);

        Assert.Equal(before, await AllAsync(again, ""));
        Assert.Equal((11, 1), ((await again.GetStatsAsync()).Orders.Confirmed, (await again.GetStatsAsync()).Orders.Cancelled));
    }

    [Fact]
    public async Task A_page_behind_the_last_one_is_empty_and_keeps_the_total()
    {
        await using var shop = await StartAsync();

        var page = await shop.GetAsync("/api/inventory?page=2147483647&pageSize=200", PlainJson.Api.StockPage);

        Assert.Empty(page.Items);
        Assert.Equal((2147483647, 200, 12), (page.Page, page.PageSize, page.Total));
    }

    [Fact]
    public async Task A_put_is_visible_when_it_is_answered_and_a_new_sku_can_be_ordered()
    {
        await using var shop = await StartAsync();

        using var created = await shop.PutStockAsync("NEW 1", """{"available":3,"price":0.10}""");
        using var changed = await shop.PutStockAsync("NEW 1", """{"available":5,"price":0.20}""");
        var accepted = await shop.PlaceAsync(RunningShop.Order("C", ("NEW 1", 5)));
        await shop.SettleAsync();

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (created.StatusCode, changed.StatusCode));
        Assert.Equal(
            """{"sku":"NEW 1","available":5,"reserved":0,"price":0.20}""", await changed.Content.ReadAsStringAsync(RunningShop.Patience));
        Assert.Equal(1.00m, (await shop.GetOrderAsync(accepted.OrderId)).Total);
        Assert.Equal(new StockView { Sku = "NEW 1", Available = 0, Reserved = 5, Price = 0.20m }, await shop.GetStockAsync("NEW 1"));
    }

    [Fact]
    public async Task Amounts_are_exact_json_numbers()
    {
        await using var shop = await StartAsync();
        await shop.PutStockAsync("PENNY", """{"available":1000000000,"price":0.1}""");
        await shop.PlaceAsync(RunningShop.Order("C", ("PENNY", 3)));
        await shop.PutStockAsync("DEAR", """{"available":1000000000,"price":999999.9999}""");
        await shop.PlaceAsync(RunningShop.Order("C", ("DEAR", 1_000_000)));
        await shop.SettleAsync();

        var stats = await shop.Http.GetStringAsync("/api/stats", RunningShop.Patience);

        Assert.Contains("\"captured\":999999999900.3000", stats, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_openapi_and_the_page_answer()
    {
        await using var shop = await StartAsync();
        await shop.WorkAsync();

        Assert.Equal("""{"status":"ok","reason":null}""", await shop.Http.GetStringAsync("/health/live", RunningShop.Patience));
        Assert.Equal("""{"status":"ok","reason":null}""", await shop.Http.GetStringAsync("/health/ready", RunningShop.Patience));
        var openApi = await shop.Http.GetStringAsync("/openapi/v1.json", RunningShop.Patience);
        Assert.All(
            ["/api/orders", "/api/orders/{id}", "/api/inventory", "/api/inventory/{sku}", "/api/stats", "/api/live", "/health/ready"],
            path => Assert.Contains($"\"{path}\"", openApi, StringComparison.Ordinal));
        Assert.Contains("<html", await shop.Http.GetStringAsync("/", RunningShop.Patience), StringComparison.Ordinal);
    }

    private static async Task<List<string>> AllAsync(RunningShop shop, string filter)
    {
        var all = new List<OrderSummary>();
        for (var page = 1; ; page++)
        {
            var read = await shop.GetAsync($"/api/orders?page={page}&pageSize=5{filter}", PlainJson.Api.OrderPage);
            all.AddRange(read.Items);
            if (read.Items.Count < 5)
            {
                Assert.Equal(read.Total, all.Count);
                Assert.Equal(
                    all.OrderByDescending(order => order.PlacedAt).Select(order => order.PlacedAt), all.Select(order => order.PlacedAt));
                return all.ConvertAll(order => order.OrderId);
            }
        }
    }
}

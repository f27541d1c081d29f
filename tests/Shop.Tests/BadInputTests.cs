using System.Net;
using System.Text;
using System.Text.Json;

namespace Shop.Tests;

/// <summary>Bad input is refused with problem details that name the field, and stores nothing.</summary>
public abstract class BadInputTests(Ground ground) : ShopTests(ground)
{
    private const string Address = """ "shippingAddress":{"street":"1 St","city":"C","country":"US"} """;

    private const string Item = """ {"sku":"PROD-001","quantity":1} """;

    private const string Many = """ {"sku":"PROD-001","quantity":900000} """;

    public static TheoryData<string, string> Orders => new()
    {
        { """[]""", "$" },
        { $$"""{"items":[{{Item}}],{{Address}}}""", "customerId" },
        { $$"""{"customerId":"","items":[{{Item}}],{{Address}}}""", "customerId" },
        { $$"""{"customerId":7,"items":[{{Item}}],{{Address}}}""", "customerId" },
        { $$"""{"customerId":"a\r\nBcc: b","items":[{{Item}}],{{Address}}}""", "customerId" },
        { $$"""{"customerId":"\ud800","items":[{{Item}}],{{Address}}}""", "customerId" },
        { $$"""{"customerId":"C","currency":"EUR","items":[{{Item}}],{{Address}}}""", "currency" },
        { $$"""{"customerId":"C",{{Address}}}""", "items" },
        { $$"""{"customerId":"C","items":[],{{Address}}}""", "items" },
        { $$"""{"customerId":"C","items":{},{{Address}}}""", "items" },
        { $$"""{"customerId":"C","items":[null],{{Address}}}""", "items[0]" },
        { $$"""{"customerId":"C","items":[{"quantity":1}],{{Address}}}""", "items[0].sku" },
        { $$"""{"customerId":"C","items":[{"sku":"NOPE","quantity":1}],{{Address}}}""", "items[0].sku" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001"}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":0}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":-1}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":1000001}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":99999999999}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":1.5}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{"sku":"PROD-001","quantity":"1"}],{{Address}}}""", "items[0].quantity" },
        { $$"""{"customerId":"C","items":[{{Item}},{"sku":"PROD-002","quantity":0}],{{Address}}}""", "items[1].quantity" },
        { $$"""{"customerId":"C","items":[{{Many}},{{Many}}],{{Address}}}""", "items" },
        { """{"customerId":"C","items":[{"sku":"PROD-001","quantity":1}]}""", "shippingAddress" },
        { $$$"""{"customerId":"C","items":[{{{Item}}}],"shippingAddress":{"street":"1 St","country":"US"}}""", "shippingAddress.city" },
    };

    [Fact]
    public async Task Every_wrong_order_names_its_field_and_stores_nothing()
    {
        await using var shop = await StartAsync();

        foreach (var (json, field) in Orders.Select(row => row.Data))
        {
            using var answer = await shop.PostOrderAsync(json);

            await AssertProblemAsync(answer, HttpStatusCode.BadRequest, field);
        }

        Assert.Equal(0, (await shop.GetStatsAsync()).Events["orders.created"]);
    }

    [Fact]
    public async Task A_thousand_lines_pass_and_one_more_does_not()
    {
        await using var shop = await StartAsync();
        static string Lines(int count) => RunningShop.Order("C", [.. Enumerable.Repeat(("PROD-001", 1), count)]);

        var accepted = await shop.PlaceAsync(Lines(1_000));
        using var refused = await shop.PostOrderAsync(Lines(1_001));

        Assert.Equal(1_000, Assert.Single((await shop.GetOrderAsync(accepted.OrderId)).Items).Quantity);
        await AssertProblemAsync(refused, HttpStatusCode.BadRequest, "items");
    }

    [Fact]
    public async Task Unknown_fields_are_passed_over()
    {
        await using var shop = await StartAsync();

        var accepted = await shop.PlaceAsync(
            $$"""{"customerId":"C","note":{"a":[1]},"items":[{"sku":"PROD-001","quantity":1,"price":0.01}],{{Address}}}""");

        Assert.Equal(29.99m, (await shop.GetOrderAsync(accepted.OrderId)).Total);
    }

    [Fact]
    public async Task A_body_that_is_no_json_or_too_large_or_of_another_type_is_refused()
    {
        await using var shop = await StartAsync();

        using var malformed = await shop.PostOrderAsync("""{"customerId":""");
        using var large = await shop.PostOrderAsync($$"""{"customerId":"{{new string('x', 2 << 20)}}"}""");
        using var typed = await shop.Http.PostAsync(
            "/api/orders", new StringContent("a=b", Encoding.UTF8, "text/plain"), RunningShop.Patience);
        using var empty = await shop.PostOrderAsync("");

        await AssertProblemAsync(malformed, HttpStatusCode.BadRequest);
        await AssertProblemAsync(large, HttpStatusCode.RequestEntityTooLarge);
        await AssertProblemAsync(typed, HttpStatusCode.UnsupportedMediaType);
        await AssertProblemAsync(empty, HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task Wrong_stock_wrong_pages_and_wrong_paths_are_refused()
    {
        await using var shop = await StartAsync();
        var levels = (await shop.GetStatsAsync()).Events["inventory.requests"];

        await AssertProblemAsync(
            await shop.PutStockAsync("PROD-001", """{"available":-1,"price":1}"""), HttpStatusCode.BadRequest, "available");
        await AssertProblemAsync(
            await shop.PutStockAsync("PROD-001", """{"available":1.5,"price":1}"""), HttpStatusCode.BadRequest, "available");
        await AssertProblemAsync(await shop.PutStockAsync("PROD-001", """{"available":1,"price":0}"""), HttpStatusCode.BadRequest, "price");
        await AssertProblemAsync(
            await shop.PutStockAsync("PROD-001", """{"available":1,"price":0.00001}"""), HttpStatusCode.BadRequest, "price");
        await AssertProblemAsync(await shop.PutStockAsync("PROD-001", """{"available":1}"""), HttpStatusCode.BadRequest, "price");
        await AssertProblemAsync(await shop.PutStockAsync("A%2FB", """{"available":1,"price":1}"""), HttpStatusCode.BadRequest, "sku");
        await AssertProblemAsync(await shop.Http.GetAsync("/api/orders?page=0", RunningShop.Patience), HttpStatusCode.BadRequest, "page");
        await AssertProblemAsync(
            await shop.Http.GetAsync("/api/orders?pageSize=201", RunningShop.Patience), HttpStatusCode.BadRequest, "pageSize");
        await AssertProblemAsync(
            await shop.Http.GetAsync("/api/orders?status=LOST", RunningShop.Patience), HttpStatusCode.BadRequest, "status");
        await AssertProblemAsync(
            await shop.Http.GetAsync("/api/inventory?page=x", RunningShop.Patience), HttpStatusCode.BadRequest, "page");
        await AssertProblemAsync(await shop.Http.GetAsync("/api/orders/ORD-NONE", RunningShop.Patience), HttpStatusCode.NotFound);
        await AssertProblemAsync(await shop.Http.GetAsync("/api/inventory/NONE", RunningShop.Patience), HttpStatusCode.NotFound);
        await AssertProblemAsync(await shop.Http.GetAsync("/api/nothing", RunningShop.Patience), HttpStatusCode.NotFound);
        await AssertProblemAsync(await shop.Http.DeleteAsync("/api/orders", RunningShop.Patience), HttpStatusCode.MethodNotAllowed);

        Assert.Equal(levels, (await shop.GetStatsAsync()).Events["inventory.requests"]);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage answer, HttpStatusCode status, string? field = null)
    {
        var text = await answer.Content.ReadAsStringAsync(RunningShop.Patience);
        Assert.True(answer.StatusCode == status, $"{(int)answer.StatusCode} instead of {(int)status} with {field}: {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(text);
        Assert.Equal((int)status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.NotEqual("", problem.RootElement.GetProperty("detail").GetString());
        if (field is not null)
            Assert.True(problem.RootElement.GetProperty("errors").TryGetProperty(field, out _), $"{field} is not named: {text}");
    }
}

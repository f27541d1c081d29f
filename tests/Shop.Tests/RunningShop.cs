using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Millrace;
using Shop.Api;
using Shop.View;

namespace Shop.Tests;

/// <summary>A whole shop in this process, on a port of its own and a folder of its own, with an HTTP client.</summary>
internal sealed class RunningShop : IAsyncDisposable
{
    private readonly TemporaryFolder? _owned;
    private readonly WebApplication _app;

    private RunningShop(WebApplication app, TemporaryFolder? owned, Uri address, StringWriter output)
    {
        (_app, _owned, Output) = (app, owned, output);
        Http = new HttpClient { BaseAddress = address };
    }

    public HttpClient Http { get; }

    /// <summary>What the shop printed.</summary>
    public StringWriter Output { get; }

    public ShopView View => _app.Services.GetRequiredService<ShopView>();

    public Engine Engine => _app.Services.GetRequiredService<Engine>();

    public IServiceProvider Services => _app.Services;

    public static CancellationToken Patience => TestContext.Current.CancellationToken;

    /// <summary>Starts a shop without customers, whose provider answers at once and never declines unless the options say so.</summary>
    /// <param name="bootstrap">The brokers; null stands for the embedded log.</param>
    /// <param name="change">Changes the options.</param>
    /// <param name="folder">The data folder, where it outlives the shop.</param>
    public static async Task<RunningShop> StartAsync(
        string? bootstrap, Func<ShopOptions, ShopOptions>? change = null, TemporaryFolder? folder = null)
    {
        var owned = folder is null ? new TemporaryFolder() : null;
        var options = new ShopOptions
        {
            Urls = ["http://127.0.0.1:0"],
            DataDirectory = (folder ?? owned!).Path,
            Engine = bootstrap is null ? ShopEngine.Embedded : ShopEngine.Kafka,
            Bootstrap = bootstrap,
            Rate = 0,
            PaymentFailureRate = 0,
            PaymentDelayMax = TimeSpan.Zero,
        };
        var output = new StringWriter();
        var app = Program.Build(change?.Invoke(options) ?? options, new ShopConsole(output, output, isTerminal: false));
        await app.StartAsync(Patience);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var shop = new RunningShop(app, owned, new Uri(address), output);
        if (shop.Services.GetService<Customers.CustomersHost>() is { } customers) await customers.Opened.WaitAsync(Patience);
        return shop;
    }

    public Task<HttpResponseMessage> PostOrderAsync(string json, string? key = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/orders");
        request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        return Http.SendAsync(request, Patience);
    }

    public async Task<OrderAccepted> PlaceAsync(string json, string? key = null)
    {
        using var answer = await PostOrderAsync(json, key);
        Assert.Equal(System.Net.HttpStatusCode.Accepted, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync(PlainJson.Api.OrderAccepted, Patience))!;
    }

    /// <summary>Waits until every service of this process has a partition to work on, and works.</summary>
    public async Task WorkAsync() => await Services.GetRequiredService<ProcessorRuntime>().WaitUntilAsync(
        statuses => statuses.All(status => status is { State: ProcessorState.Running, Partitions.Count: > 0 }), Patience);

    /// <summary>Waits until no order is pending and every service, in whichever process, has finished, mails included.</summary>
    public async Task SettleAsync()
    {
        await View.WaitForCountsAsync(counts => counts.Pending == 0, Patience);
        var source = Services.GetRequiredService<StatsSource>();
        while ((await source.ReadAsync(Patience)).Lag.Values.Any(lag => lag > 0)) await Task.Yield();
    }

    public Task<OrderDetails> GetOrderAsync(string orderId) => GetAsync($"/api/orders/{orderId}", PlainJson.Api.OrderDetails);

    public Task<ShopStats> GetStatsAsync() => GetAsync("/api/stats", PlainJson.Api.ShopStats);

    public Task<StockView> GetStockAsync(string sku) => GetAsync($"/api/inventory/{sku}", PlainJson.Api.StockView);

    public async Task<T> GetAsync<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(await Http.GetByteArrayAsync(path, Patience), type)!;

    public Task<HttpResponseMessage> PutStockAsync(string sku, string json) =>
        Http.PutAsync($"/api/inventory/{sku}", new StringContent(json, Encoding.UTF8, "application/json"), Patience);

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _owned?.Dispose();
    }

    public static string Order(string customerId, params (string Sku, int Quantity)[] lines)
    {
        var items = string.Join(',', lines.Select(line => "{\"sku\":\"" + line.Sku + "\",\"quantity\":" + line.Quantity + "}"));
        return $$$"""
            {"customerId":"{{{customerId}}}","currency":"USD","items":[{{{items}}}],
             "shippingAddress":{"street":"123 Main St","city":"Seattle","country":"US"}}
            """;
    }
}

/// <summary>A folder that is gone at the end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("millrace-shop-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

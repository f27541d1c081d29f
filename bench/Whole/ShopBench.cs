using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Millrace.Figures;

namespace Millrace.Whole;

/// <summary>
/// Orders placed over HTTP until all are settled: the Shop as a process of its own, this process as its customers, on the same machine.
/// </summary>
internal sealed class ShopBench(BenchOptions options, Report report)
{
    private const int Orders = 10_000, Customers = 64;
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60), SettleMax = TimeSpan.FromSeconds(300);

    public async Task RunAsync()
    {
        if (!File.Exists(options.Shop))
        {
            Console.Error.WriteLine($"'{options.Shop}' is not there. Build systems/Shop first, or say where it is with --shop.");
            return;
        }

        var (placed, settled) = (new List<double>(), new List<double>());
        for (var round = 0; round < options.Rounds; round++)
        {
            var (placing, settling) = await RunOnceAsync(Path.Combine(options.Data, $"shop-{round}"));
            placed.Add(Orders / placing);
            settled.Add(Orders / settling);
        }

        report.Add("Shop: orders placed over HTTP", placed, "orders/s");
        report.Add("Shop: orders from placed to settled", settled, "orders/s", "1,000 or more");
    }

    private async Task<(double Placing, double Settling)> RunOnceAsync(string data)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, UseShellExecute = false };
        foreach (var argument in new[]
            { options.Shop, "--urls", address.ToString().TrimEnd('/'), "--data", data, "--rate", "0", "--payment-failure-rate", "0.1" })
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException("The Shop did not start.");
        var output = process.StandardOutput.ReadToEndAsync();
        try
        {
            using var http = new HttpClient { BaseAddress = address };
            await UntilAsync(() => IsReadyAsync(http), StartMax, "ready");
            foreach (var sku in Skus) await PutStockAsync(http, sku);
            await UntilAsync(() => IsStockedAsync(http), StartMax, "stocked");

            var since = Stopwatch.GetTimestamp();
            var next = 0;
            await Task.WhenAll(Enumerable.Range(0, Customers).Select(_ => Task.Run(async () =>
            {
                while (Interlocked.Increment(ref next) is var number && number <= Orders) await PlaceAsync(http, number);
            })));
            var placing = Stopwatch.GetElapsedTime(since).TotalSeconds;
            await UntilAsync(() => IsSettledAsync(http), SettleMax, "settled");
            return (placing, Stopwatch.GetElapsedTime(since).TotalSeconds);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
            await output;
        }
    }

    private static string[] Skus { get; } = ["BENCH-001", "BENCH-002", "BENCH-003", "BENCH-004"];

    private static async Task PlaceAsync(HttpClient http, int number)
    {
        var body = JsonSerializer.Serialize(new
        {
            customerId = $"CUST-{number % 100}", currency = "USD",
            items = new[] { new { sku = Skus[number % 4], quantity = 2 }, new { sku = Skus[(number + 1) % 4], quantity = 1 } },
            shippingAddress = new { street = "123 Main St", city = "Seattle", country = "US" },
        });
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync("/api/orders", content);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task PutStockAsync(HttpClient http, string sku)
    {
        using var content = new StringContent("{\"available\":10000000,\"price\":29.99}", Encoding.UTF8, "application/json");
        using var answer = await http.PutAsync($"/api/inventory/{sku}", content);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            using var answer = await http.GetAsync("/health/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task<bool> IsStockedAsync(HttpClient http) =>
        (await GetAsync(http, $"/api/inventory/{Skus[^1]}"))?.GetProperty("available").GetInt64() > 0;

    private static async Task<bool> IsSettledAsync(HttpClient http)
    {
        var orders = (await GetAsync(http, "/api/stats"))?.GetProperty("orders");
        return orders is { } counts && counts.GetProperty("confirmed").GetInt64() + counts.GetProperty("cancelled").GetInt64() >= Orders;
    }

    private static async Task<JsonElement?> GetAsync(HttpClient http, string path)
    {
        using var answer = await http.GetAsync(path);
        if (!answer.IsSuccessStatusCode) return null;
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return json.RootElement.Clone();
    }

    private static async Task UntilAsync(Func<Task<bool>> isReached, TimeSpan max, string what)
    {
        var since = Stopwatch.GetTimestamp();
        while (!await isReached())
        {
            if (Stopwatch.GetElapsedTime(since) > max)
                throw new InvalidOperationException($"The Shop was not {what} within {max.TotalSeconds} s.");
            await Task.Delay(10);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

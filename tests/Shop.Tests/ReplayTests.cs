using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Servers;
using Shop.Api;
using Shop.Customers;

namespace Shop.Tests;

public abstract class ReplayTests(Ground ground) : ShopTests(ground)
{
    private const string Small = """
        InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
        536365,85123A,WHITE HANGING HEART,6,12-01-2010 08:26,2.55,17850,United Kingdom
        536365,71053,"LANTERN, ""METAL"" WHITE",6,12-01-2010 08:26,3.39,17850,United Kingdom
        536365,85123A,WHITE HANGING HEART,2,12-01-2010 08:26,2.95,17850,United Kingdom
        C536379,D,Discount,-1,12-01-2010 09:41,27.5,14527,United Kingdom
        536366,22633,7" RECORD FRAME,4,12-01-2010 08:28,1.85,,France
        536367,22633,FREE,4,12-01-2010 08:28,0,13047,France
        536367,22633,BACK,-4,12-01-2010 08:28,1.85,13047,France
        536367,22633,TORN,4
        536368,71053,TOO MANY,100000,12-01-2010 08:28,3.39,13047,France

        """;

    [Fact]
    public async Task A_replay_makes_one_order_per_invoice_and_counts_what_it_leaves_out()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "orders.csv");
        await File.WriteAllTextAsync(file, Small, RunningShop.Patience);

        var stats = await ReplayAsync(folder, file);
        var repeated = await ReplayAsync(folder, file);

        Assert.Equal((9, 3L), (stats.Replay!.Lines, stats.Replay.Orders));
        Assert.Equal(
            [("CANCELLATION", 1L), ("MALFORMED", 1L), ("PRICE", 1L), ("QUANTITY", 1L)],
            stats.Replay.RejectedLines.Select(pair => (pair.Key, pair.Value)));
        Assert.Equal((0, 2, 1), (stats.Orders.Pending, stats.Orders.Confirmed, stats.Orders.Cancelled));
        Assert.Equal(8 * 2.55m + 6 * 3.39m + 4 * 1.85m, stats.ConfirmedTotal);
        Assert.Equal(2, stats.Mails);

        // A second replay on the same folder finds its orders again and sells nothing twice.
        Assert.Equal(
            JsonSerializer.Serialize(stats, PlainJson.Api.ShopStats), JsonSerializer.Serialize(repeated, PlainJson.Api.ShopStats));
    }

    [Fact]
    public async Task A_part_of_the_real_data_set_is_settled_to_the_last_order()
    {
        var file = SharedFiles.Find("data/online-retail-6k.csv");
        Assert.SkipWhen(
            file is null,
            "The data set is not here: put it at shared/data/online-retail-6k.csv above the repository, " +
            "or name the folder in MILLRACE_SHARED.");
        using var folder = new TemporaryFolder();

        var stats = await ReplayAsync(folder, file);

        Assert.Equal((6_000, 80), (stats.Replay!.Lines, stats.Replay.RejectedLines["CANCELLATION"]));
        Assert.Equal((0, stats.Replay.Orders), (stats.Orders.Pending, stats.Orders.Confirmed + stats.Orders.Cancelled));
        Assert.Equal(stats.Captured - stats.Refunded, stats.ConfirmedTotal);
        Assert.Equal(stats.Orders.Confirmed, stats.Mails);
    }

    [Fact]
    public async Task Quotes_hold_commas_line_breaks_and_quotes()
    {
        var text = "h\r\nA1,B,\"x, \"\"y\"\"\r\nz\",1,d,0.5,\"C 1\",\"D\"\r\nA2,B,\"never closed,1,d,0.5,C,D\r\n";

        var reads = new List<RetailRead>();
        await foreach (var read in RetailCsv.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), RunningShop.Patience)) reads.Add(
            read);

        Assert.Equal(new RetailLine("A1", "B", 1, 0.5m, "C 1", "D"), reads[0].Line);
        Assert.Equal(RetailCsv.Malformed, reads[1].Rejection);
        Assert.Equal(["a\"b", "c,\"d", ""], RetailCsv.Split("a\"b,\"c,\"\"d\",")!);
    }

    private async Task<ShopStats> ReplayAsync(TemporaryFolder folder, string file)
    {
        await using var shop = await StartAsync(
            options => options with { Rate = null, OrdersFile = file, ExitsWhenDone = true, InitialStock = 1_000 }, folder);
        var stopping = shop.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stopping.Register(stopped.SetResult);
        await stopped.Task.WaitAsync(RunningShop.Patience);
        var line = shop.Output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        return JsonSerializer.Deserialize(line, PlainJson.Api.ShopStats)!;
    }
}

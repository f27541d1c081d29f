using System.Diagnostics;
using Millrace.Servers;

namespace Millrace.Crash.Shop;

/// <summary>
/// Runs the Shop as a child under a load of orders, kills it at random moments (also while it starts), and checks its invariants once
/// everything is settled.
/// </summary>
internal sealed class ShopProof(CrashOptions options)
{
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(180);

    private readonly Random _random = new(options.Seed);
    private readonly string _data = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-shop-{Guid.NewGuid():N}");
    private readonly Uri _address = new($"http://127.0.0.1:{Ports.Free()}");

    public async Task<int> RunAsync()
    {
        Console.WriteLine($"shop: {options.Cycles} cycles, seed {options.Seed}, data {_data}");
        if (!File.Exists(options.Shop))
        {
            Console.WriteLine($"shop: '{options.Shop}' is not there. Build systems/Shop first, or say where it is with --shop.");
            return 2;
        }

        using var client = new HttpClient { BaseAddress = _address, Timeout = TimeSpan.FromSeconds(5) };
        var shop = new ShopClient(client);
        var load = new ShopLoad(shop, options.Seed);
        var first = await StartAsync(shop);
        await load.SetStockAsync();
        using var stop = new CancellationTokenSource();
        var running = load.RunAsync(stop.Token);

        var child = first;
        for (var cycle = 0; cycle < options.Cycles; cycle++)
        {
            await Task.Delay(_random.Next(50, 1_200));
            if (!await EndAsync(child)) return 1;
            if (_random.Next(5) == 0)
            {
                using var brief = Start();
                await Task.Delay(_random.Next(30, 600));
                if (!await EndAsync(brief)) return 1;
            }

            child = await StartAsync(shop);
            if ((cycle + 1) % 10 == 0) Console.WriteLine($"shop: {cycle + 1} cycles, {load.Orders.Count} acknowledged so far");
        }

        await stop.CancelAsync();
        await running;
        var complaints = await new ShopCheck(shop, load, _data, SettleMax).RunAsync();
        await EndAsync(child);
        child.Dispose();
        return Report(load, complaints);
    }

    private int Report(ShopLoad load, ShopFindings findings)
    {
        Complaints.Print("shop", findings.Complaints);
        Console.WriteLine(
            $"shop: {options.Cycles} cycles, {load.Orders.Count} acknowledged ({load.Repeats} asked again), " +
            $"{findings.Confirmed} confirmed, {findings.Cancelled} cancelled, " +
            $"captured less refunded {findings.Captured - findings.Refunded}, " +
            $"{findings.Lost} lost, {findings.Doubled} doubled, {findings.Complaints.Count} complaints");
        if (findings.Complaints.Count > 0 || load.Orders.IsEmpty)
        {
            Console.WriteLine($"shop: the data is in {_data}");
            return 1;
        }

        Directory.Delete(_data, recursive: true);
        return 0;
    }

    private ChildProcess Start() => new(
        options.Shop,
        ["--urls", _address.ToString().TrimEnd('/'), "--data", _data, "--rate", "0", "--payment-failure-rate", "0.1"],
        _ => { });

    private async Task<ChildProcess> StartAsync(ShopClient shop)
    {
        var child = Start();
        var since = Stopwatch.GetTimestamp();
        while (!await shop.IsReadyAsync())
        {
            if (child.HasExited) throw new InvalidOperationException($"The Shop ended by itself:{Environment.NewLine}{child.Errors}");
            if (Stopwatch.GetElapsedTime(since) > StartMax)
                throw new InvalidOperationException($"Not ready within {StartMax.TotalSeconds} s:{Environment.NewLine}{child.Errors}");
            await Task.Delay(10);
        }

        return child;
    }

    private static async Task<bool> EndAsync(ChildProcess child)
    {
        if (await child.KillAsync()) return true;
        Console.WriteLine($"shop: the Shop ended by itself.{Environment.NewLine}{child.Errors}");
        return false;
    }
}

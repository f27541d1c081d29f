using System.Diagnostics;
using Millrace.Servers;
using Millrace.Crash.Network;

namespace Millrace.Crash.Shop;

/// <summary>
/// Runs the Shop's services as processes on Kafka, behind a proxy and under a load of orders. They are killed, stopped for longer than
/// their session and started again, with or without their data; the broker is killed; connections are cut. Then all of it ends, and the
/// invariants are checked, by the view of each orders process and by the topics themselves.
/// </summary>
internal sealed class SpreadProof(CrashOptions options)
{
    private const string Proof = "shop-kafka";

    private static readonly TimeSpan Session = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(180);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(40); // of each of the four customers, between two orders

    private static readonly string[] Services =
        ["orders", "orders", "payments", "payments", "inventory", "inventory", "notifications"];

    private readonly Random _random = new(options.Seed);
    private readonly string _data = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-{Proof}-{Guid.NewGuid():N}");
    private readonly Deck<Blow> _blows = new(new Random(options.Seed + 1),
    [
        Blow.Kill, Blow.Kill, Blow.Kill, Blow.Kill, Blow.Freeze, Blow.Freeze, Blow.Freeze, Blow.Restart, Blow.Cut, Blow.Cut, Blow.KillBroker,
    ]);

    private readonly int[] _counts = new int[Enum.GetValues<Blow>().Length];

    private enum Blow
    {
        Kill = 0,
        Freeze = 1,
        Restart = 2,
        Cut = 3,
        KillBroker = 4,
    }

    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        if (!File.Exists(options.Shop))
        {
            Console.WriteLine($"{Proof}: '{options.Shop}' is not there. Build systems/Shop first, or say where it is with --shop.");
            return 2;
        }

        return await HangingTransactions.RunAsync(Proof, async () =>
        {
            var result = await TryRunAsync(cancellation);
            if (result is null && Directory.Exists(_data)) Directory.Delete(_data, recursive: true);
            return result;
        });
    }

    /// <summary>One run; null when the broker left a transaction open.</summary>
    private async Task<int?> TryRunAsync(CancellationToken cancellation)
    {
        var time = TimeSpan.FromMinutes(options.Minutes ?? 10);
        await using var proxy = new CuttingProxy(options.Seed);
        await using var broker = await KafkaBroker.StartAsync(
            ["group.min.session.timeout.ms=1000", .. KafkaBroker.Advertising(proxy.Address)]);
        proxy.Target(broker.Port);
        Console.WriteLine(
            $"{Proof}: {time.TotalMinutes:0.#} minutes, seed {options.Seed}, broker {broker.Address} behind {proxy.Address}, data {_data}");

        using var processes = new ServiceProcesses(options.Shop, proxy.Address, _data, Session, Services);
        processes.StartAll();
        await processes.WaitUntilReadyAsync(StartMax, cancellation);
        using var client = new HttpClient(new SpreadHandler(processes.AddressesOf("orders"), options.Seed))
        {
            BaseAddress = new Uri("http://shop"), Timeout = TimeSpan.FromSeconds(5),
        };
        var load = new ShopLoad(new ShopClient(client), options.Seed, Pause);
        await load.SetStockAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = load.RunAsync(stop.Token);
        await DisturbAsync(broker, proxy, processes, load, time, cancellation);

        var since = Stopwatch.GetTimestamp();
        try
        {
            await processes.WaitUntilReadyAsync(StartMax, cancellation);
        }
        catch (InvalidOperationException)
        {
            await stop.CancelAsync();
            await running;
            if (await HangingTransactions.AreThereAsync(Proof, broker, Session, cancellation)) return null;
            Console.WriteLine($"{Proof}: the processes' data is in {_data}, the broker's in {await broker.KeepAsync()}");
            throw;
        }

        await stop.CancelAsync();
        await running;
        if (await HangingTransactions.AreThereAsync(Proof, broker, Session, cancellation)) return null;
        var findings = new List<ShopFindings>();
        foreach (var address in processes.AddressesOf("orders"))
        {
            using var one = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(20) };
            findings.Add(await new ShopCheck(new ShopClient(one), load, _data, SettleMax).RunAsync());
        }

        Console.WriteLine($"{Proof}: settled and checked {Stopwatch.GetElapsedTime(since).TotalSeconds:0.0} s after the last disturbance");
        var topics = new TopicsCheck(proxy.Address, load);
        await topics.RunAsync(cancellation);
        return await ReportAsync(broker, proxy, load, findings, topics);
    }

    private async Task DisturbAsync(
        KafkaBroker broker, CuttingProxy proxy, ServiceProcesses processes, ShopLoad load, TimeSpan time, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        var underWay = new List<Task>();
        var minute = 1;
        while (Stopwatch.GetElapsedTime(since) < time)
        {
            await Task.Delay(_random.Next(200, 2_500), cancellation);
            load.DemandRunning();
            processes.DemandRunning();
            var blow = _blows.Draw();
            _counts[(int)blow]++;
            underWay.RemoveAll(task => task.IsCompletedSuccessfully);
            Console.WriteLine($"{Proof}: {Stopwatch.GetElapsedTime(since).TotalSeconds:0.0} s, {load.Orders.Count} acknowledged, {blow} ({underWay.Count} under way)");
            if (blow == Blow.KillBroker) await KillBrokerAsync(broker, cancellation);
            else underWay.Add(blow == Blow.Cut ? CutAsync(proxy, cancellation) : StrikeAsync(blow, processes, cancellation));
            if (Stopwatch.GetElapsedTime(since).TotalMinutes < minute) continue;
            Console.WriteLine($"{Proof}: {minute++} minutes, {load.Orders.Count} acknowledged so far");
        }

        await Task.WhenAll(underWay);
        proxy.IsDisturbing = false;
    }

    private async Task KillBrokerAsync(KafkaBroker broker, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        await broker.KillAsync();
        await Task.Delay(_random.Next(0, 2_000), cancellation);
        await broker.StartAgainAsync();
        Console.WriteLine($"{Proof}: broker away {Stopwatch.GetElapsedTime(since).TotalSeconds:0.0} s");
    }

    private async Task CutAsync(CuttingProxy proxy, CancellationToken cancellation)
    {
        var time = _random.Next(2_000, 8_000);
        proxy.IsDisturbing = true;
        await Task.Delay(time, cancellation);
        proxy.IsDisturbing = false;
    }

    /// <summary>Strikes a process that is not being struck already.</summary>
    private async Task StrikeAsync(Blow blow, ServiceProcesses processes, CancellationToken cancellation)
    {
        if (processes.TryTake(_random) is not { } process) return;
        var (away, isLost) = (TimeSpan.FromMilliseconds(_random.Next(0, 3_000)), _random.Next(4) == 0);
        switch (blow)
        {
            case Blow.Kill:
                await process.KillAsync();
                if (isLost) process.LoseData();
                await Task.Delay(away, cancellation);
                process.Start();
                break;
            case Blow.Restart:
                await process.EndAsync();
                await Task.Delay(away, cancellation);
                process.Start();
                break;
            case Blow.Freeze:
                await process.StopAsync();
                await Task.Delay(Session + Session / 2 + away, cancellation);
                await process.ContinueAsync();
                break;
            default:
                throw new InvalidOperationException($"{blow} strikes no process.");
        }

        processes.GiveBack(process);
    }

    private async Task<int> ReportAsync(
        KafkaBroker broker, CuttingProxy proxy, ShopLoad load, List<ShopFindings> findings, TopicsCheck topics)
    {
        var complaints = findings.SelectMany(one => one.Complaints).Concat(topics.Complaints).ToList();
        if (_counts.Any(count => count == 0) && options.Minutes is null or >= 2)
            complaints.Add("One kind of disturbance never came: the proof did not do what it is for.");
        Complaints.Print(Proof, complaints);
        Console.WriteLine($"{Proof}: {string.Join(", ", Enum.GetValues<Blow>().Select(blow => $"{blow} {_counts[(int)blow]}"))}; {proxy.Account}");
        Console.WriteLine($"{Proof}: by the topics, {topics.Account}");
        var view = findings[0];
        Console.WriteLine(
            $"{Proof}: {load.Orders.Count} acknowledged ({load.Repeats} asked again), {view.Confirmed} confirmed, {view.Cancelled} cancelled, " +
            $"captured less refunded {view.Captured - view.Refunded}, " +
            $"{findings.Sum(one => one.Lost) + topics.Lost} lost, {findings.Sum(one => one.Doubled) + topics.Doubled} doubled, " +
            $"{complaints.Count} complaints");
        if (complaints.Count == 0 && !load.Orders.IsEmpty)
        {
            Directory.Delete(_data, recursive: true);
            return 0;
        }

        Console.WriteLine($"{Proof}: the processes' data is in {_data}, the broker's in {await broker.KeepAsync()}");
        return 1;
    }
}

/// <summary>Sends each request to one of several addresses, as a load balancer that knows of no health.</summary>
internal sealed class SpreadHandler(IReadOnlyList<Uri> addresses, int seed) : DelegatingHandler(new SocketsHttpHandler())
{
    private readonly Random _random = new(seed);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        int index;
        lock (_random) index = _random.Next(addresses.Count);
        request.RequestUri = new Uri(addresses[index], request.RequestUri!.PathAndQuery);
        return base.SendAsync(request, cancellationToken);
    }
}

using System.Diagnostics;
using Millrace.Crash.Network;

namespace Millrace.Crash.Accounts;

/// <summary>
/// Two instances, the feed and the broker itself talk through a proxy that cuts, delays and half-closes their connections, while the
/// broker is killed and started again. No instance is killed: each must get over all of it by itself.
/// </summary>
internal sealed class ProxyProof(CrashOptions options)
{
    private const string Proof = "kafka-proxy";
    private const int BookingsPerSecond = 500;

    private static readonly TimeSpan Session = TimeSpan.FromSeconds(2);

    /// <summary>By when everything has ended once nothing disturbs any more.</summary>
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(90);

    private readonly Random _random = new(options.Seed);

    public Task<int> RunAsync(CancellationToken cancellation) => HangingTransactions.RunAsync(Proof, () => TryRunAsync(cancellation));

    /// <summary>One run; null when the broker left a transaction open.</summary>
    private async Task<int?> TryRunAsync(CancellationToken cancellation)
    {
        var time = TimeSpan.FromMinutes(options.Minutes ?? 5);
        await using var proxy = new CuttingProxy(options.Seed);
        await using var run = await AccountsRun.StartAsync(options, Session, proxy, cancellation);
        Console.WriteLine(
            $"{Proof}: {time.TotalMinutes:0.#} minutes, seed {options.Seed}, broker {run.Broker.Address} behind {proxy.Address}, data {run.Folder}");
        await using var feed = new AccountsFeed(run.Bootstrap, BookingsPerSecond, options.Seed);
        AccountsMember[] members = [run.Start("a"), run.Start("b")];
        foreach (var member in members) await member.WaitAsync("work", one => one.IsWorking, SettleMax, cancellation);

        var kills = await DisturbAsync(run, proxy, members, time, cancellation);
        var model = await run.SettleAsync(feed, SettleMax, cancellation);
        if (!run.Findings.IsClean && await HangingTransactions.AreThereAsync(Proof, run.Broker, Session, cancellation)) return null;
        foreach (var member in members) await member.EndAsync();
        await run.CheckAsync(model, feed, ["a", "b"], cancellation);
        if (proxy.Cuts == 0 || kills == 0) run.Findings.Complain("Nothing was cut, or the broker never killed: the proof did not do what it is for.");
        Console.WriteLine(
            $"{Proof}: the broker killed {kills} times; {proxy.Account}; {members.Sum(member => member.Refusals)} transactions refused, " +
            $"{members.Sum(member => member.Losses)} partitions lost");
        Console.WriteLine($"{Proof}: {model.Count} bookings, {model.Firings} timers, {feed.Renewals} producers of the feed given up");
        return await run.ReportAsync(model);
    }

    /// <summary>Disturbs for a time, and leaves everything running undisturbed. Returns how often the broker was killed.</summary>
    private async Task<int> DisturbAsync(
        AccountsRun run, CuttingProxy proxy, AccountsMember[] members, TimeSpan time, CancellationToken cancellation)
    {
        var since = Stopwatch.GetTimestamp();
        var kills = 0;
        proxy.IsDisturbing = true;
        while (Stopwatch.GetElapsedTime(since) < time)
        {
            // Some time with connections that are cut, some without, so that work is done that can be disturbed.
            await Task.Delay(_random.Next(5_000, 15_000), cancellation);
            proxy.IsDisturbing = false;
            await Task.Delay(_random.Next(0, 3_000), cancellation);
            proxy.IsDisturbing = _random.Next(2) == 0;
            await run.Broker.KillAsync();
            await Task.Delay(_random.Next(0, 2_000), cancellation);
            await run.Broker.StartAgainAsync();
            proxy.IsDisturbing = true;
            kills++;
            foreach (var member in members) member.DemandRunning();
        }

        proxy.IsDisturbing = false;
        return kills;
    }
}

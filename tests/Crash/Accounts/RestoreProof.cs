using System.Diagnostics;

namespace Millrace.Crash.Accounts;

/// <summary>
/// Kills processors on Kafka at random points and starts them again: with their copies of state, without, or with old ones, alone or
/// beside another. At the end the state that is restored equals the one that no kill had touched.
/// </summary>
internal sealed class RestoreProof(CrashOptions options)
{
    private const string Proof = "kafka-state";
    private const int BookingsPerSecond = 1_000;

    private static readonly TimeSpan WorkMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(120);
    private static readonly string[] Places = ["a", "b"]; // b keeps its copies in RocksDB

    private readonly int _kills = options.Kills ?? 200;
    private readonly Random _random = new(options.Seed);
    private readonly Deck<Copies> _copies = new(new Random(options.Seed + 1),
        [Copies.Kept, Copies.Kept, Copies.Kept, Copies.Kept, Copies.Lost, Copies.Lost, Copies.Old, Copies.Old]);

    private readonly Deck<Moment> _moments = new(new Random(options.Seed + 2),
        [Moment.Starting, Moment.Restoring, Moment.Restoring, Moment.Restoring, Moment.Working, Moment.Working, Moment.Working,
            Moment.Working]);

    private readonly Dictionary<string, AccountsMember> _members = [];
    private int _whileStarting, _whileRestoring, _whileWorking, _besideAnother, _lost, _old, _used, _dropped;
    private long _changes;

    private enum Copies
    {
        Kept = 0,
        Lost = 1,
        Old = 2,
    }

    private enum Moment
    {
        Starting = 0,
        Restoring = 1,
        Working = 2,
    }

    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        await using var run = await AccountsRun.StartAsync(options, TimeSpan.FromSeconds(1), null, cancellation);
        Console.WriteLine($"{Proof}: {_kills} kills, seed {options.Seed}, broker {run.Bootstrap}, data {run.Folder}");
        var since = Stopwatch.GetTimestamp();
        await using var feed = new AccountsFeed(run.Bootstrap, BookingsPerSecond, options.Seed);
        for (var kill = 1; kill <= _kills; kill++)
        {
            await KillOnceAsync(run, cancellation);
            if (kill % 20 == 0)
            {
                Console.WriteLine(
                    $"{Proof}: {kill} kills in {Stopwatch.GetElapsedTime(since).TotalSeconds:0} s, {feed.AcknowledgedBookings.Count} " +
                    "bookings so far");
            }
        }

        foreach (var place in Places.Where(place => !_members.ContainsKey(place))) Start(run, place);
        var model = await run.SettleAsync(feed, SettleMax, cancellation);

        // One ends in good order and one does not: both leave copies behind.
        await EndAsync("a");
        await EndAsync("b", isKilled: true);
        await run.CheckAsync(model, feed, ["a", "b", "a.old", "b.old"], cancellation);
        Console.WriteLine(
            $"{Proof}: killed {_whileStarting} while starting, {_whileRestoring} while restoring, {_whileWorking} at work; " +
            $"{_besideAnother} of them beside another");
        Console.WriteLine(
            $"{Proof}: copies of state lost {_lost} times, old ones put back {_old} times, {_used} begun with, {_dropped} thrown away; " +
            $"{_changes} changes restored");
        DemandVariety(run.Findings);
        Console.WriteLine($"{Proof}: {_kills} kills, {model.Count} bookings, {model.Firings} timers");
        return await run.ReportAsync(model);
    }

    private async Task KillOnceAsync(AccountsRun run, CancellationToken cancellation)
    {
        var started = StartOneOrTwo(run);
        var moment = _moments.Draw();
        switch (moment)
        {
            case Moment.Starting:
                await Task.Delay(_random.Next(0, 800), cancellation);
                break;
            case Moment.Restoring:
                await started.WaitAsync("restore", member => member.IsRestoring || member.IsWorking, WorkMax, cancellation);
                await Task.Delay(_random.Next(0, 40), cancellation);
                break;
            default:
                await started.WaitAsync("work", member => member.IsWorking, WorkMax, cancellation);
                await Task.Delay(_random.Next(0, 1_200), cancellation);
                break;
        }

        var victim = _random.Next(3) == 0 ? _members.Keys.ElementAt(_random.Next(_members.Count)) : PlaceOf(started);
        if (_members.Count > 1) _besideAnother++;
        if (_members[victim].IsRestoring) _whileRestoring++;
        else if (_members[victim].IsWorking) _whileWorking++;
        else _whileStarting++;
        await EndAsync(victim, isKilled: true);
        KeepOld(run, victim);
    }

    /// <summary>Starts a child where there is none; now and then a second one beside it.</summary>
    private AccountsMember StartOneOrTwo(AccountsRun run)
    {
        var free = Places.Where(place => !_members.ContainsKey(place)).ToArray();
        var place = free[_random.Next(free.Length)];
        var started = Start(run, place);
        if (free.Length == 2 && _random.Next(3) == 0) started = Start(run, free[0] == place ? free[1] : free[0]);
        return started;
    }

    private AccountsMember Start(AccountsRun run, string place)
    {
        var (folder, old) = (run.DirectoryOf(place), run.DirectoryOf($"{place}.old"));
        var copies = Directory.Exists(folder) ? _copies.Draw() : Copies.Kept;
        if (copies == Copies.Old && !Directory.Exists(old)) copies = Copies.Lost;
        if (copies != Copies.Kept) Directory.Delete(folder, recursive: true);
        if (copies == Copies.Lost) _lost++;
        if (copies == Copies.Old)
        {
            _old++;
            Copy(old, folder);
        }

        return _members[place] = run.Start(place);
    }

    private async Task EndAsync(string place, bool isKilled = false)
    {
        _members.Remove(place, out var member);
        if (isKilled) await member!.KillAsync();
        else await member!.EndAsync();
        _used += member.CopiesUsed;
        _dropped += member.CopiesDropped;
        _changes += member.ChangesRestored;
        member.Dispose();
    }

    /// <summary>Keeps what a kill left behind, to put it back when much has happened since.</summary>
    private void KeepOld(AccountsRun run, string place)
    {
        var (folder, old) = (run.DirectoryOf(place), run.DirectoryOf($"{place}.old"));
        if (!Directory.Exists(folder) || (Directory.Exists(old) && _random.Next(8) != 0)) return;
        if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
        Copy(folder, old);
    }

    private string PlaceOf(AccountsMember member) => _members.First(pair => pair.Value == member).Key;

    /// <summary>A run that met none of what it is for proves nothing.</summary>
    private void DemandVariety(AccountsFindings findings)
    {
        if (_kills < 40) return;
        void Demand(string what, int count)
        {
            if (count == 0) findings.Complain($"In {_kills} kills there was none {what}: the proof did not do what it is for.");
        }

        Demand("while restoring", _whileRestoring);
        Demand("at work", _whileWorking);
        Demand("beside another", _besideAnother);
        Demand("with copies of state lost", _lost);
        Demand("with old copies put back", _old);
        Demand("after which copies were begun with", _used);
    }

    private static void Copy(string from, string to)
    {
        foreach (var folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories).Prepend(from))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}

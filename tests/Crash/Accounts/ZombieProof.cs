using System.Diagnostics;

namespace Millrace.Crash.Accounts;

/// <summary>
/// Two instances share a group. In each round one of them holds a batch in hand, processed and not committed, while it commits others, and
/// is stopped for longer than its session and its transactions last. The other one takes over; then the first is woken and goes on with the
/// batch as if nothing had happened.
/// </summary>
internal sealed class ZombieProof(CrashOptions options)
{
    private const string Proof = "kafka-zombie";
    private const int BookingsPerSecond = 400;

    private static readonly TimeSpan WorkMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SettleMax = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Session = TimeSpan.FromSeconds(1);

    private readonly Random _random = new(options.Seed);
    private readonly List<Round> _rounds = [];

    /// <summary>What was in hand, and in whose.</summary>
    private sealed record Round(int Number, Held Held)
    {
        /// <summary>How often the one that was woken was refused a transaction.</summary>
        public int Refusals { get; init; }
    }

    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        await using var run = await AccountsRun.StartAsync(options, Session, null, cancellation);
        Console.WriteLine($"{Proof}: {options.Rounds} rounds, seed {options.Seed}, broker {run.Bootstrap}, data {run.Folder}");
        await using var feed = new AccountsFeed(run.Bootstrap, BookingsPerSecond, options.Seed);
        AccountsMember[] members = [run.Start("a"), run.Start("b")];
        var since = Stopwatch.GetTimestamp();
        for (var round = 1; round <= options.Rounds; round++)
        {
            var zombie = _random.Next(2);
            _rounds.Add(await HauntAsync(round, members[zombie], members[1 - zombie], cancellation));
            if (round % 10 == 0) Console.WriteLine($"{Proof}: {round} rounds in {Stopwatch.GetElapsedTime(since).TotalSeconds:0} s");
        }

        var model = await run.SettleAsync(feed, SettleMax, cancellation);
        foreach (var member in members) await member.EndAsync();
        await run.CheckAsync(model, feed, ["a", "b"], cancellation);
        var written = run.ReadAll(AccountTopics.Statements, cancellation, isCommittedOnly: false);
        var committed = run.ReadAll(AccountTopics.Statements, cancellation);
        var fenced = CountFenced(run.Findings, committed);
        var invisible = written.Sum(partition => partition.Count) - committed.Sum(partition => partition.Count);
        Console.WriteLine(
            $"{Proof}: fenced {fenced} of {_rounds.Count}; {_rounds.Count(round => round.Refusals > 0)} were refused a transaction by Kafka, " +
            $"the others were told first; {invisible} statements were written and never became visible");
        if (fenced != options.Rounds) run.Findings.Complain($"Fenced {fenced} of {options.Rounds}.");
        Console.WriteLine($"{Proof}: {options.Rounds} rounds, {model.Count} bookings, {model.Firings} timers");
        return await run.ReportAsync(model);
    }

    private async Task<Round> HauntAsync(int number, AccountsMember zombie, AccountsMember other, CancellationToken cancellation)
    {
        // Both own something, so that there is something in hand and somebody to take it over.
        await zombie.WaitAsync("work", member => member.IsWorking, WorkMax, cancellation);
        await other.WaitAsync("work", member => member.IsWorking, WorkMax, cancellation);
        var held = await zombie.HoldAsync(WorkMax, cancellation);
        await Task.Delay(_random.Next(0, 50), cancellation); // its other partitions go on: some transaction is under way, or none
        await zombie.StopAsync();
        var stopped = Stopwatch.GetTimestamp();
        var owner = other.Lives.GetValueOrDefault(held.Partition);
        await other.WaitAsync(
            $"take over partition {held.Partition}",
            member => member.Lives.TryGetValue(held.Partition, out var life) && life != owner, WorkMax, cancellation);
        var least = 2 * Session + TimeSpan.FromMilliseconds(_random.Next(0, 500));
        if (Stopwatch.GetElapsedTime(stopped) is var elapsed && elapsed < least) await Task.Delay(least - elapsed, cancellation);

        // It finds the word to go on when it wakes, before anybody tells it what has happened.
        var (losses, refusals, before) = (zombie.Losses, zombie.Refusals, zombie.Lives.Values.ToHashSet(StringComparer.Ordinal));
        zombie.LetGo();
        await zombie.ContinueAsync();
        await zombie.WaitAsync("learn that it lost its partitions", member => member.Losses > losses, WorkMax, cancellation);
        await zombie.WaitAsync(
            "go on as a member", member => member.Lives.Values.Any(life => !before.Contains(life)), WorkMax, cancellation);
        return new Round(number, held) { Refusals = zombie.Refusals - refusals };
    }

    /// <summary>
    /// A round was fenced when the last booking that was in hand has its statement, said by another life than the one that had it in hand.
    /// </summary>
    private int CountFenced(AccountsFindings findings, List<TextRecord>[] statements)
    {
        var lives = new Dictionary<(int Partition, long Offset), string>();
        foreach (var record in statements.SelectMany(partition => partition))
        {
            if (Statement.Read(record.Value) is Statement.Booked booked) lives[(record.Partition, booked.Offset)] = booked.Life;
        }

        var fenced = 0;
        foreach (var (number, (partition, offset, life)) in _rounds)
        {
            var by = lives.GetValueOrDefault((partition, offset), "nobody");
            if (by != life && by != "nobody") fenced++;
            else findings.Complain($"Round {number}: booking {partition}:{offset} was in the hand of {life}, and its statement is by {by}.");
        }

        return fenced;
    }
}


namespace Millrace.Crash.Raw;

/// <summary>
/// Starts the raw child, kills it, checks the folder, again and again. Some children are killed while they start, and some kills are
/// followed by the next child without a look at the folder, so that recovery itself is interrupted.
/// </summary>
internal sealed class RawProof(CrashOptions options)
{
    /// <summary>Every check reads all of the folder; a fresh one now and then keeps the whole run short.</summary>
    private const int CyclesPerFolder = 10;

    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60);

    private readonly Random _random = new(options.Seed);
    private readonly string _root = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-raw-{Guid.NewGuid():N}");

    public async Task<int> RunAsync()
    {
        Console.WriteLine($"raw: {options.Cycles} cycles, seed {options.Seed}, data {_root}");
        var (all, acknowledged, ledger) = (new RawFindings(), 0L, new RawLedger());
        for (var cycle = 0; cycle < options.Cycles; cycle++)
        {
            if (cycle > 0 && cycle % CyclesPerFolder == 0) ledger = new RawLedger();
            var folder = Path.Combine(_root, $"folder-{cycle / CyclesPerFolder}");
            Directory.CreateDirectory(folder);
            var before = ledger.Acknowledged;
            if (!await KillOnceAsync(folder, ledger)) return 1;
            acknowledged += ledger.Acknowledged - before;
            var isLast = cycle == options.Cycles - 1 || (cycle + 1) % CyclesPerFolder == 0;
            if (!isLast && _random.Next(4) == 0) continue;

            var findings = await ledger.CheckAsync(folder);
            all.Add(findings);
            if (!findings.IsClean) Console.WriteLine($"raw: cycle {cycle + 1} found what should not be; the folder is {folder}");
            if (isLast)
                Console.WriteLine($"raw: {cycle + 1} cycles, {findings.Records} records in the folder, {acknowledged} acknowledged so far");
            if (isLast && all.IsClean) Directory.Delete(folder, recursive: true);
        }

        Console.WriteLine(
            $"raw: {all.Holes} holes, {all.Torn} torn commits, {all.Moved} moved, {all.Invented} invented, " +
            $"{all.Versions} wrong versions, {all.Mismatches} positions apart from their state");
        Console.WriteLine(
            $"raw: {options.Cycles} cycles, {acknowledged} acknowledged, " +
            $"{all.Lost} lost, {all.Duplicated} duplicated, {all.Reordered} reordered");
        if (!all.IsClean || acknowledged == 0) return 1;
        Directory.Delete(_root, recursive: true);
        return 0;
    }

    private async Task<bool> KillOnceAsync(string folder, RawLedger ledger)
    {
        ledger.IsReady = false;
        using var child = new ChildProcess(
            typeof(RawProof).Assembly.Location, [RawChild.Name, folder, $"{_random.Next()}"], ledger.Take);
        if (_random.Next(5) == 0)
        {
            await Task.Delay(_random.Next(30, 400));
        }
        else
        {
            await child.WaitAsync(() => ledger.IsReady, StartMax);
            await Task.Delay(_random.Next(0, 700));
        }

        if (await child.KillAsync()) return true;
        Console.WriteLine($"raw: the child ended by itself.{Environment.NewLine}{child.Errors}");
        return false;
    }
}

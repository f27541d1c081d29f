using System.Globalization;
using Millrace.RocksDb;

namespace Millrace.Crash.State;

/// <summary>
/// Starts the state child, kills it, opens the copy: it must hold exactly what the script says for its position, which lies between the last
/// save that was told and the last step that was begun. While the child lives, the directory must be refused.
/// </summary>
internal sealed class StateProof(CrashOptions options)
{
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60);

    private readonly Random _random = new(options.Seed);
    private readonly string _root = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-state-{Guid.NewGuid():N}");
    private readonly StateScript _script = new(options.Seed);
    private long _saved, _begun;
    private bool _isReady;
    private int _wrong, _lost, _invented, _shared;

    public async Task<int> RunAsync()
    {
        Console.WriteLine($"state: {options.Cycles} cycles, seed {options.Seed}, data {_root}");
        var folder = Path.Combine(_root, "copy");
        var (entries, position) = (0, 0L);
        for (var cycle = 0; cycle < options.Cycles; cycle++)
        {
            if (!await KillOnceAsync(folder)) return 1;
            if (_random.Next(4) == 0 && cycle < options.Cycles - 1) continue;
            (entries, position) = Check(folder);
        }

        Console.WriteLine($"state: {options.Cycles} cycles, {position} steps, {entries} entries, {_wrong} wrong, {_lost} saves lost, " +
            $"{_invented} steps invented, {_shared} times not refused");
        if (_wrong + _lost + _invented + _shared > 0 || position == 0) return 1;
        Directory.Delete(_root, recursive: true);
        return 0;
    }

    private async Task<bool> KillOnceAsync(string folder)
    {
        _isReady = false;
        using var child = new ChildProcess(
            typeof(StateProof).Assembly.Location, [StateChild.Name, folder, $"{options.Seed}"], Take);
        await child.WaitAsync(() => Volatile.Read(ref _isReady), StartMax);
        if (_random.Next(5) == 0) TryToShare(folder);
        await Task.Delay(_random.Next(0, 400));
        if (await child.KillAsync()) return true;
        Console.WriteLine($"state: the child ended by itself.{Environment.NewLine}{child.Errors}");
        return false;
    }

    private void TryToShare(string folder)
    {
        using var stores = new RocksDbStateStores();
        try
        {
            stores.Open(StateScript.Source(folder)).Dispose();
            _shared++;
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DirectoryLocked)
        {
            // As it should be.
        }
    }

    private (int Entries, long Position) Check(string folder)
    {
        using var stores = new RocksDbStateStores();
        using var store = stores.Open(StateScript.Source(folder));
        using var pressure = new FinalizerPressure();
        var wrong = _script.CountWrong(store);
        if (wrong > 0) Console.WriteLine($"state: {wrong} entries are not those of position {store.Position}; the folder is {folder}");
        if (store.Position < _saved) Console.WriteLine($"state: saved up to {_saved}, and the position is {store.Position}");
        _wrong += wrong;
        if (store.Position < _saved) _lost++;
        if (store.Position > _begun) _invented++;
        return (StateScript.Stores.Sum(name => store.Scan(name).Count), store.Position);
    }

    private void Take(string line)
    {
        if (line.Split(' ') is not [var what, var number, "."]) return;
        var position = long.Parse(number, CultureInfo.InvariantCulture);
        if (what == "SAVED") _saved = position;
        if (what == "BEGUN") _begun = position;
        if (what == "READY") Volatile.Write(ref _isReady, true);
    }
}

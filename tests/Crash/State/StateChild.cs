using Millrace.RocksDb;

namespace Millrace.Crash.State;

/// <summary>
/// The process that is killed: it opens the copy, goes on from its position as a restore would, and says on standard output which step it
/// begins and up to which it has saved. Small buffers and saves in between make files, and their merging, all the time.
/// </summary>
internal static class StateChild
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "state-child";

    public static async Task<int> RunAsync(string folder, int seed)
    {
        try
        {
            using var stores = new RocksDbStateStores(new RocksDbOptions { WriteBufferBytesMax = 64 << 10 });
            using var store = stores.Open(StateScript.Source(folder));
            Console.WriteLine($"READY {store.Position} .");
            await await Task.WhenAny(
                Task.Run(ChildProcess.ParentEndsAsync), Task.Run(() => SaveAsync(store)), Task.Run(() => ChangeAsync(store, new StateScript(seed))));
            return 0;
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine(failure);
            return 3;
        }
    }

    /// <summary>Saves beside the changes, as engines do: a file ends between any two writes.</summary>
    private static async Task SaveAsync(StateStore store)
    {
        while (true)
        {
            await store.SaveAsync();
            await Task.Delay(3);
        }
    }

    private static async Task ChangeAsync(StateStore store, StateScript script)
    {
        while (true)
        {
            var position = store.Position + 1;
            Console.WriteLine($"BEGUN {position} .");
            store.Apply(script.ChangesTo(position), position);
            if (position % 97 != 0) continue;
            await store.SaveAsync();
            Console.WriteLine($"SAVED {position} .");
        }
    }
}

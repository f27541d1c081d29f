using Millrace.Servers;

namespace Millrace.Crash;

/// <summary>
/// A broker may leave a transaction open that its coordinator called complete: what is behind it nobody can read, so nothing can be said of
/// such a run (docs/internals/kafka.md). It is looked for by Kafka's own tool; any other failure is one at once.
/// </summary>
internal static class HangingTransactions
{
    private const int BrokersMax = 3;

    /// <summary>Runs a proof, anew with another broker where one left a transaction open, for which the run's result is null.</summary>
    public static async Task<int> RunAsync(string proof, Func<Task<int?>> tryRun)
    {
        for (var run = 1; run <= BrokersMax; run++)
        {
            if (await tryRun() is { } result) return result;
            Console.WriteLine($"{proof}: begun anew with another broker");
        }

        Console.WriteLine($"{proof}: {BrokersMax} brokers in turn left a transaction open: nothing is proven");
        return 1;
    }

    /// <summary>
    /// Whether there is one, and which: what is only just being ended is over when it is looked for once more.
    /// </summary>
    /// <param name="proof">The proof, for what is printed.</param>
    /// <param name="broker">The broker.</param>
    /// <param name="timeout">After which the broker ends transactions.</param>
    /// <param name="cancellation">Ends the looking.</param>
    public static async Task<bool> AreThereAsync(string proof, KafkaBroker broker, TimeSpan timeout, CancellationToken cancellation)
    {
        var before = (await broker.FindHangingAsync()).Select(Which).ToHashSet(StringComparer.Ordinal);
        if (before.Count == 0) return false;
        await Task.Delay(3 * timeout, cancellation);
        var hanging = (await broker.FindHangingAsync()).Where(line => before.Contains(Which(line))).ToList();
        foreach (var line in hanging) Console.WriteLine($"{proof}: a transaction that the coordinator ended, and left open in its partition: {line}");
        return hanging.Count > 0;
    }

    /// <summary>All but when it last did something, and for how long it has been open.</summary>
    private static string Which(string line) => string.Join(' ', line.Split('\t', StringSplitOptions.TrimEntries).Take(6));
}

using System.Globalization;
using Millrace;
using Millrace.Servers;
using Millrace.Figures;
using Millrace.Kafka;

namespace KafkaFigures;

/// <summary>
/// Records from one topic to another, exactly once: the runtime with a processor against a loop written by hand over the same input, with
/// transactions of the size that the runtime's came out to in the same round. As further information the runtime with keyed state, and with
/// a message handler.
/// </summary>
internal sealed class PipelineBench(BenchOptions options, Report report, KafkaBroker broker, Topics topics)
{
    private const string Mapped = "pipeline, runtime", Loop = "pipeline, loop by hand", Counted = "pipeline, runtime, keyed state",
        Handled = "pipeline, runtime, handler";

    private const string Input = "pipeline-in", Placed = "pipeline-placed";
    private const int KeysWithState = 100_000;

    private readonly KafkaOptions _kafka = new() { BootstrapServers = broker.Address };
    private readonly Dictionary<string, long[]> _counts = []; // how many records each partition of an input holds
    private int _runs;
    private int _recordsPerTransaction = 20_000;

    public async Task RunAsync()
    {
        await topics.CreateAsync(Input);
        topics.Fill(Input, options.Records, KeysWithState);
        await topics.CreateAsync(Placed);
        await using (var engine = await KafkaEngine.OpenAsync(_kafka)) await Processors.PlaceAsync(engine, Placed, options.Records / 2);

        foreach (var input in new[] { Input, Placed }) _counts[input] = topics.Read(input);
        for (var round = -1; round < options.Rounds; round++)
        {
            // Whoever is first has the colder machine, so they take turns in that as well.
            if (round % 2 == 0) await RunLoopAsync(round);
            if (options.Has(Mapped)) await RunAsync(round, Mapped, Input, options.Records, Processors.Mapping);
            if (round % 2 != 0) await RunLoopAsync(round);
            if (options.Has(Counted)) await RunAsync(round, Counted, Input, options.Records, Processors.Counting);
            if (options.Has(Handled)) await RunAsync(round, Handled, Placed, options.Records / 2, Processors.Handling);
        }

        const string rate = ": by the clock", here = ": processor time here";
        report.AddRatio("pipeline: runtime / loop, by the clock", Mapped + rate, Loop + rate, "0.7 or more");
        report.AddRatio("pipeline: loop / runtime, processor time here", Loop + here, Mapped + here, "0.7 or more");
        report.AddRatio("pipeline: runtime with keyed state / loop without, by the clock", Counted + rate, Loop + rate);
        report.AddRatio("pipeline: runtime with a handler / loop without, by the clock", Handled + rate, Loop + rate);
        await topics.DeleteAsync(Input);
        await topics.DeleteAsync(Placed);
    }

    private async Task RunAsync(int round, string side, string input, int records, Func<string, string, string, Gauge, Processor> define)
    {
        var (name, output) = await BeginAsync();
        Cost cost;
        await using (var engine = await KafkaEngine.OpenAsync(_kafka))
        {
            using var gauge = new Gauge(broker.ProcessId);
            await using var runtime = new ProcessorRuntime(engine, [define(name, input, output, gauge)]);
            var ends = await topics.EndsAsync(input);
            await runtime.StartAsync();
            await runtime.WaitUntilAsync(statuses => HasReached(statuses[0], ends));
            cost = gauge.End();
        }

        var transactions = await TransactionsAsync(input, output);
        if (side == Mapped) _recordsPerTransaction = (int)(records / transactions);
        await EndAsync(round, side, records, cost, output, records / transactions);
    }

    private async Task RunLoopAsync(int round)
    {
        if (!options.Has(Loop)) return;
        var (name, output) = await BeginAsync();
        using var gauge = new Gauge(broker.ProcessId);
        var loop = new TransactionLoop(broker.Address, Input, output, name);
        var cost = await Task.Factory.StartNew(() =>
        {
            loop.Run(options.Records, _recordsPerTransaction, gauge);
            return gauge.End();
        }, TaskCreationOptions.LongRunning);
        await EndAsync(round, Loop, options.Records, cost, output, options.Records / await TransactionsAsync(Input, output));
    }

    private async Task<(string Name, string Output)> BeginAsync()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"pipeline-{++_runs}");
        await topics.CreateAsync($"{name}-out");
        return (name, $"{name}-out");
    }

    private async Task EndAsync(int round, string side, int records, Cost cost, string output, double perTransaction)
    {
        if (round < 0 && topics.Read(output).Sum() is var read && read != records)
            throw new InvalidOperationException($"{side}: {read} records came out of {records}.");
        var more = string.Create(CultureInfo.InvariantCulture, $"{perTransaction:N0} records per transaction");
        report.Round(round, side, records, cost, more);
        await topics.DeleteAsync(output);
    }

    /// <summary>
    /// How many transactions wrote the output, at least: each leaves one marker in every partition that it wrote to, and a key stays in its
    /// partition.
    /// </summary>
    private async Task<double> TransactionsAsync(string input, string output)
    {
        var ends = await topics.EndsAsync(output);
        return Math.Max(1, ends.Zip(_counts[input], (end, records) => end - records).Max());
    }

    private static bool HasReached(ProcessorStatus status, long[] ends) =>
        status.Partitions.Count == ends.Length && status.Partitions.All(partition =>
            partition.Positions.Count > 0 && partition.Positions[0].NextOffset >= ends[partition.Partition]);
}

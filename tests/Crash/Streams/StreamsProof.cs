using System.Text;
using Millrace.Crash.Raw;
using Millrace.Log;
using Millrace.RocksDb;

namespace Millrace.Crash.Streams;

/// <summary>
/// Starts the streams' child, kills it, starts it again; at the end everything that its outputs hold is compared with what plain loops make
/// of the input.
/// </summary>
internal sealed class StreamsProof(CrashOptions options)
{
    private static readonly TimeSpan StartMax = TimeSpan.FromSeconds(60), EndMax = TimeSpan.FromMinutes(5);

    private readonly Random _random = new(options.Seed);
    private readonly string _root = options.Data ?? Path.Combine(Path.GetTempPath(), $"millrace-crash-streams-{Guid.NewGuid():N}");
    private bool _isReady, _isDone;

    private string Folder => Path.Combine(_root, "log");

    public async Task<int> RunAsync()
    {
        Console.WriteLine($"streams: {options.Cycles} cycles, seed {options.Seed}, data {_root}");
        for (var cycle = 0; cycle < options.Cycles; cycle++)
        {
            if (!await KillOnceAsync(cycle)) return 1;
        }

        return await FinishAsync() && await CheckAsync() ? 0 : 1;
    }

    private async Task<bool> KillOnceAsync(int cycle)
    {
        using var child = Start(cycle, isLast: false);
        await child.WaitAsync(() => Volatile.Read(ref _isReady), StartMax);

        // Some die while they read what is there, most at work.
        await Task.Delay(_random.Next(0, _random.Next(3) == 0 ? 100 : 1_500));
        if (await child.KillAsync()) return true;
        Console.WriteLine($"streams: the child ended by itself.{Environment.NewLine}{child.Errors}");
        return false;
    }

    private async Task<bool> FinishAsync()
    {
        using var child = Start(options.Cycles, isLast: true);
        await child.WaitAsync(() => Volatile.Read(ref _isDone), EndMax);
        var code = await child.EndAsync(StartMax);
        if (_isDone && code == 0) return true;
        Console.WriteLine($"streams: the last child ended with code {code}.{Environment.NewLine}{child.Errors}");
        return false;
    }

    private async Task<bool> CheckAsync()
    {
        using var stores = new RocksDbStateStores();
        await using var engine = await LogEngine.OpenAsync(Folder, StreamsChild.Settings(stores, _random));
        var script = new StreamsScript(options.Seed);
        var partitions = new List<List<Input>>();
        for (var partition = 0; partition < StreamsScript.Partitions; partition++)
        {
            var inputs = await ReadAsync(engine, StreamsTopology.In, partition, record => Input.Read(Text(record), record.Timestamp));
            for (var offset = 0; offset < inputs.Count; offset++)
            {
                var wanted = offset < inputs.Count - 1 ? script.At(partition, offset) : StreamsScript.End(offset);
                if (inputs[offset] != wanted) throw new InvalidDataException($"in-{partition} has {inputs[offset]} at {offset} instead of {wanted}.");
            }

            partitions.Add(inputs);
        }

        var isRight = true;
        foreach (var output in StreamsTopology.Outputs)
        {
            var seen = new List<string>();
            for (var partition = 0; partition < StreamsScript.Partitions; partition++) seen.AddRange(await ReadAsync(engine, output, partition, Text));
            isRight &= Compare(output, StreamsModel.Expect(output, partitions), seen);
        }

        Console.WriteLine($"streams: {options.Cycles} kills, {partitions.Sum(inputs => inputs.Count)} records");
        if (isRight) Directory.Delete(_root, recursive: true);
        return isRight;
    }

    private static bool Compare(string output, List<string> expected, List<string> seen)
    {
        seen.Sort(StringComparer.Ordinal);
        var missing = expected.Except(seen).ToList();
        var wrong = seen.Except(expected).ToList();
        var doubled = seen.Count - seen.Distinct().Count();
        Console.WriteLine($"streams: {output}: {seen.Count} results, {missing.Count} missing, {wrong.Count} wrong, {doubled} doubled");
        foreach (var line in missing.Take(3)) Console.WriteLine($"  missing: {line}");
        foreach (var line in wrong.Take(3)) Console.WriteLine($"  wrong: {line}");
        return expected.Count > 0 && expected.SequenceEqual(seen);
    }

    private static async Task<List<T>> ReadAsync<T>(LogEngine engine, string topic, int partition, Func<Record, T> read)
    {
        var all = new List<T>();
        await RawRecord.ForEachAsync(engine, new TopicPartition(topic, partition), record => all.Add(read(record)));
        return all;
    }

    private static string Text(Record record) => Encoding.UTF8.GetString(record.Value.Span);

    private ChildProcess Start(int cycle, bool isLast)
    {
        (_isReady, _isDone) = (false, false);
        return new ChildProcess(
            typeof(StreamsProof).Assembly.Location, [StreamsChild.Name, Folder, $"{options.Seed}", $"{cycle}", $"{isLast}"], Take);
    }

    private void Take(string line)
    {
        if (line.Split(' ') is not [var what, _, "."]) return;
        if (what == "READY") Volatile.Write(ref _isReady, true);
        if (what == "DONE") Volatile.Write(ref _isDone, true);
    }
}

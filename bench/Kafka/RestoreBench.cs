using System.Globalization;
using Confluent.Kafka;
using Millrace;
using Millrace.Servers;
using Millrace.Figures;
using Millrace.Kafka;
using Millrace.RocksDb;

namespace KafkaFigures;

/// <summary>
/// The keyed state of a group that has no copy here, read from its changelog through <see cref="OwnedPartition.RestoreAsync"/>, all
/// partitions at once as the runtime does it, against a plain consumer of the same topic.
/// </summary>
internal sealed class RestoreBench(BenchOptions options, Report report, KafkaBroker broker, Topics topics)
{
    private const string Memory = "restore, in memory", Rocks = "restore, RocksDB", Nothing = "plain consumer, into nothing",
        Held = "plain consumer, into a dictionary";

    private const string Group = "restored", Source = "restored-source", Changelog = Group + "-changelog", Store = "values";
    private const int ValueBytes = 100, ChangesPerCommit = 5_000;

    public async Task RunAsync()
    {
        await topics.CreateAsync(Source);
        await FillAsync();
        for (var round = -1; round < options.Rounds; round++)
        {
            await ReadAsync(round, Nothing, null);
            await RestoreAsync(round, Memory, null);
            var held = new Dictionary<byte[], byte[]>(KeyBytes.Comparer);
            await ReadAsync(round, Held, message => held[message.Key] = message.Value);
            using var stores = new RocksDbStateStores();
            await RestoreAsync(round, Rocks, stores.Open);
        }

        const string rate = ": by the clock", here = ": processor time here";
        report.AddRatio("restore: in memory / plain consumer into nothing, by the clock", Memory + rate, Nothing + rate, "0.6 or more");
        report.AddRatio("restore: plain consumer into nothing / in memory, processor time here", Nothing + here, Memory + here);
        report.AddRatio("restore: in memory / plain consumer into a dictionary, by the clock", Memory + rate, Held + rate);
        report.AddRatio("restore: RocksDB / plain consumer into nothing, by the clock", Rocks + rate, Nothing + rate);
        await topics.DeleteAsync(Source);
        await topics.DeleteAsync(Changelog);
    }

    /// <summary>Commits the state as an owner does: keys of their own, spread evenly over the partitions.</summary>
    private async Task FillAsync()
    {
        await using var engine = await KafkaEngine.OpenAsync(new KafkaOptions { BootstrapServers = broker.Address });
        await using var member = await JoinAsync(engine);
        var owned = await OwnAsync(member);
        await Task.WhenAll(owned.Select(async (partition, index) =>
        {
            var random = new Random(index);
            await partition.RestoreAsync();
            var each = options.Records / owned.Count;
            for (var number = 0; number < each;)
            {
                using var commit = new Commit();
                for (var end = Math.Min(each, number + ChangesPerCommit); number < end; number++)
                {
                    var value = new byte[ValueBytes];
                    random.NextBytes(value);
                    commit.Put(Store, Topics.KeyOf((number * owned.Count) + index), value);
                }

                (await partition.CommitAsync(commit)).RequireCommitted();
            }
        }));
    }

    private async Task RestoreAsync(int round, string side, OpenStateStore? open)
    {
        if (!options.Has(side)) return;
        var folder = Path.Combine(options.Data, string.Create(CultureInfo.InvariantCulture, $"state-{round}"));
        var kafka = new KafkaOptions
        {
            BootstrapServers = broker.Address, OpenStateStore = open, StateDirectory = open is null ? null : folder,
        };
        await using (var engine = await KafkaEngine.OpenAsync(kafka))
        {
            await using var member = await JoinAsync(engine);
            var owned = await OwnAsync(member);
            using var gauge = new Gauge(broker.ProcessId);
            gauge.Begin();
            await Task.WhenAll(owned.Select(partition => Task.Run(async () => await partition.RestoreAsync())));
            var cost = gauge.End();
            Check(owned);
            report.Round(round, side, options.Records, cost);
        }

        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }

    private async Task ReadAsync(int round, string side, Action<Message<byte[], byte[]>>? take)
    {
        if (!options.Has(side)) return;
        using var gauge = new Gauge(broker.ProcessId);
        var (read, cost) = await Task.Factory.StartNew(
            () => (topics.Read(Changelog, take, gauge), gauge.End()), TaskCreationOptions.LongRunning);
        if (read.Sum() < options.Records) throw new InvalidOperationException($"{side}: {read.Sum()} records of {options.Records} were read.");
        report.Round(round, side, options.Records, cost);
    }

    private void Check(IReadOnlyList<OwnedPartition> owned)
    {
        for (var index = 0; index < owned.Count; index++)
        {
            foreach (var number in new[] { 0, (options.Records / owned.Count) - 1 })
            {
                var key = Topics.KeyOf((number * owned.Count) + index);
                if (!owned[index].TryGet(Store, key, out var value) || value.Length != ValueBytes)
                    throw new InvalidOperationException($"Key {number} of partition {index} was not restored.");
            }
        }
    }

    private static ValueTask<GroupMember> JoinAsync(KafkaEngine engine) =>
        engine.JoinAsync(new GroupSubscription { Group = Group, Topics = [Source] });

    private static async Task<IReadOnlyList<OwnedPartition>> OwnAsync(GroupMember member)
    {
        var owned = new List<OwnedPartition>();
        while (owned.Count < Topics.Partitions)
        {
            if (await member.NextChangeAsync() is AssignmentChange.Assigned assigned) owned.AddRange(assigned.Partitions);
        }

        owned.Sort((one, other) => one.Partition.CompareTo(other.Partition));
        return owned;
    }
}

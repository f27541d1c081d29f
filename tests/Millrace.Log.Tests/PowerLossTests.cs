using System.Buffers.Binary;
using System.Collections.Concurrent;

namespace Millrace.Log.Tests;

/// <summary>
/// The promise of the log, on a disk that loses what it may lose: every acknowledged commit is there, whole; every partition is a prefix of what
/// was sent to it; also when the power fails during recovery.
/// </summary>
public sealed class PowerLossTests
{
    private const int Partitions = 3;
    private const int Producers = 4;

    [Theory]
    [InlineData(1, 250)]
    [InlineData(1001, 250)]
    public async Task After_any_power_loss_what_was_acknowledged_is_there_and_nothing_else_was_invented(int firstSeed, int seeds)
    {
        for (var seed = firstSeed; seed < firstSeed + seeds; seed++)
        {
            var problem = await RunAsync(seed, liesAboutSyncs: false);
            Assert.True(problem is null, $"Seed {seed}: {problem}");
        }
    }

    [Fact]
    public async Task The_proof_turns_red_on_a_disk_that_acknowledges_before_the_data_is_safe()
    {
        var isFound = false;
        for (var seed = 1; seed <= 60 && !isFound; seed++) isFound = await RunAsync(seed, liesAboutSyncs: true) is not null;

        Assert.True(isFound, "60 runs on a lying disk and nothing was missed: the proof proves nothing.");
    }

    private static async Task<string?> RunAsync(int seed, bool liesAboutSyncs)
    {
        var random = new Random(seed);
        var disk = new SimulatedDisk(seed) { LiesAboutSyncs = liesAboutSyncs };
        var acknowledged = new ConcurrentDictionary<long, int>();
        var sent = new ConcurrentDictionary<long, int>();
        var next = new long[Producers];
        for (var life = 0; life < 4; life++)
        {
            try
            {
                disk.OperationsLeft = random.Next(3) == 0 ? random.Next(1, 40) : random.Next(40, 400);
                await LiveAsync(disk, random.Next(), next, sent, acknowledged);
            }
            catch (MillraceException failure) when (failure.Code is FailureCodes.StorageFailed or FailureCodes.Stopped)
            {
                // The power went off during the start.
            }
            catch (MillraceException failure) when (liesAboutSyncs)
            {
                return failure.Message;
            }

            disk.PowerOff();
            disk.PowerOn();
        }

        return await CheckAsync(disk, sent, acknowledged);
    }

    private static LogOptions Options(SimulatedDisk disk, int seed) => new()
    {
        Storage = disk,
        Random = new Random(seed),
        JournalBytesMax = 4096,
        SegmentBytesMax = 4096,
        GroupBytesMax = 2048,
        IndexIntervalBytes = 256,
    };

    private static async Task LiveAsync(
        SimulatedDisk disk, int seed, long[] next, ConcurrentDictionary<long, int> sent, ConcurrentDictionary<long, int> acknowledged)
    {
        var engine = await LogEngine.OpenAsync("/disk/log", Options(disk, seed));
        try
        {
            await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = Partitions });
            await engine.EnsureTopicAsync(new TopicSpecification { Name = "relaxed", Partitions = 1, Durability = Durability.Relaxed });
            var producing = Enumerable.Range(0, Producers).Select(producer => ProduceAsync(engine, producer, seed, next, sent, acknowledged));
            await Task.WhenAll([.. producing, ProduceRelaxedAsync(engine, seed)]);
        }
        finally
        {
            await engine.DisposeAsync();
        }
    }

    /// <summary>Sends records that may be lost, so that frames stand in the journal that were never synced.</summary>
    private static async Task ProduceRelaxedAsync(LogEngine engine, int seed)
    {
        await Task.Yield();
        var random = new Random(seed);
        try
        {
            for (var i = 0; i < 40; i++)
                await engine.AppendAsync(new TopicPartition("relaxed", 0), batch => batch.Add(0, "k"u8, new byte[random.Next(600)]));
        }
        catch (MillraceException)
        {
            // The power is off.
        }
    }

    /// <summary>Sends numbered commits, some to several partitions, until the power fails.</summary>
    private static async Task ProduceAsync(
        LogEngine engine, int producer, int seed, long[] next, ConcurrentDictionary<long, int> sent, ConcurrentDictionary<long, int> acknowledged)
    {
        await Task.Yield();
        var random = new Random(seed + producer);
        for (var i = 0; i < 40; i++)
        {
            var number = (producer * 1_000_000) + next[producer]++;
            using var commit = new Commit();
            var targets = 0;
            for (var partition = 0; partition < Partitions; partition++)
            {
                if (partition != number % Partitions && random.Next(3) > 0) continue;
                targets |= 1 << partition;
                var value = new byte[8 + random.Next(600)];
                BinaryPrimitives.WriteInt64BigEndian(value, number);
                commit.To(new TopicPartition("t", partition)).Add(0, "k"u8, value);
            }

            sent[number] = targets;
            try
            {
                await engine.CommitAsync(commit);
            }
            catch (MillraceException)
            {
                return;
            }

            acknowledged[number] = targets;
        }
    }

    private static async Task<string?> CheckAsync(SimulatedDisk disk, ConcurrentDictionary<long, int> sent, ConcurrentDictionary<long, int> acknowledged)
    {
        LogEngine engine;
        try
        {
            engine = await LogEngine.OpenAsync("/disk/log", Options(disk, 0));
        }
        catch (MillraceException failure)
        {
            return failure.Message;
        }

        await using (engine)
        {
            if (await engine.FindTopicAsync("t") is null) return acknowledged.IsEmpty ? null : "the topic is lost";
            var found = new Dictionary<long, int>();
            for (var partition = 0; partition < Partitions; partition++)
            {
                if (ReadPartition(engine, partition, found) is { } problem) return problem;
            }

            foreach (var (number, targets) in acknowledged)
            {
                if (found.GetValueOrDefault(number) != targets) return $"acknowledged commit {number} to {targets} is there as {found.GetValueOrDefault(number)}";
            }

            foreach (var (number, targets) in found)
            {
                if (sent.GetValueOrDefault(number) != targets) return $"commit {number} was sent to {sent.GetValueOrDefault(number)} and is there as {targets}";
            }
        }

        return null;
    }

    private static string? ReadPartition(LogEngine engine, int partition, Dictionary<long, int> found)
    {
        var last = new long[Producers];
        Array.Fill(last, -1);
        var expectedOffset = 0L;
        using var reader = engine.OpenReader(new TopicPartition("t", partition), 0);
        while (reader.TryRead(10_000) is { } records)
        {
            using (records)
            {
                foreach (var record in records)
                {
                    var number = BinaryPrimitives.ReadInt64BigEndian(record.Value.Span);
                    var producer = number / 1_000_000;
                    if (record.Offset != expectedOffset++) return $"partition {partition} has offset {record.Offset}, not {expectedOffset - 1}";
                    if (number <= last[producer]) return $"partition {partition} has {number} after {last[producer]}";
                    last[producer] = number;
                    found[number] = found.GetValueOrDefault(number) | (1 << partition);
                }
            }
        }

        return null;
    }
}

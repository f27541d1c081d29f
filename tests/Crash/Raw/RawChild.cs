using System.Globalization;
using System.Text;
using Millrace.Log;

namespace Millrace.Crash.Raw;

/// <summary>
/// The process that is killed. Half of its writers are idempotent and send some commits twice, half have several commits under way; one
/// appends to event streams under expected versions; workers copy every record with a position and a count in one commit. Each
/// acknowledgement is one line on standard output, ended by a dot so that a line cut by the kill shows.
/// </summary>
internal sealed class RawChild(LogEngine engine, int seed)
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "raw-child";

    private const int CommitsUnderWayMax = 8;

    private readonly Lock _output = new();
    private readonly Stream _standardOutput = Console.OpenStandardOutput();
    private readonly long[,] _next = new long[RawRecord.Writers, RawRecord.Partitions];

    public static async Task<int> RunAsync(string folder, int seed)
    {
        try
        {
            var engine = await LogEngine.OpenAsync(folder, DrawLimits(seed));
            await new RawChild(engine, seed).WorkAsync();
            return 0;
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine(failure);
            return 3;
        }
    }

    /// <summary>Most children keep files small, so that kills meet segments that roll and checkpoints under way.</summary>
    private static LogOptions DrawLimits(int seed)
    {
        var random = new Random(seed);
        return random.Next(4) == 0
            ? new LogOptions()
            : new LogOptions { JournalBytesMax = random.Next(8, 257) << 10, SegmentBytesMax = random.Next(16, 513) << 10 };
    }

    private async Task WorkAsync()
    {
        await engine.EnsureTopicAsync(new TopicSpecification { Name = RawRecord.Topic, Partitions = RawRecord.Partitions });
        await engine.EnsureTopicAsync(new TopicSpecification { Name = RawRecord.Copies, Partitions = RawRecord.Partitions });
        await engine.EnsureTopicAsync(new TopicSpecification { Name = RawRecord.Streams, Partitions = 1 });
        var versions = await FindWhatIsThereAsync();
        Say("READY .");

        var work = new List<Task> { Task.Run(ChildProcess.ParentEndsAsync), Task.Run(() => WriteStreamsAsync(versions)), Task.Run(CopyAsync) };
        for (var writer = 0; writer < RawRecord.Writers; writer++)
        {
            var own = writer;
            work.Add(Task.Run(() => writer % 2 == 0 ? WriteTwiceAtTimesAsync(own) : WritePipelinedAsync(own)));
        }

        await await Task.WhenAny(work);
    }

    private async Task<Dictionary<string, long>> FindWhatIsThereAsync()
    {
        for (var partition = 0; partition < RawRecord.Partitions; partition++)
        {
            await RawRecord.ForEachAsync(engine, new TopicPartition(RawRecord.Topic, partition), record =>
            {
                var read = RawRecord.Read(record);
                _next[read.Writer, read.Partition] = read.Number + 1;
            });
        }

        var versions = new Dictionary<string, long>();
        await RawRecord.ForEachAsync(engine, new TopicPartition(RawRecord.Streams, 0), record =>
        {
            var stream = Encoding.UTF8.GetString(record.Key.Span);
            versions[stream] = versions.GetValueOrDefault(stream) + 1;
        });
        return versions;
    }

    private async Task WriteTwiceAtTimesAsync(int writer)
    {
        var random = new Random(seed * 31 + writer);
        var producer = await engine.OpenProducerAsync($"writer-{writer}");
        for (long number = 0; ; number++)
        {
            var counts = DrawCounts(random);
            using var commit = Build(writer, number, counts, producer);
            using var repeated = Build(writer, number, counts, producer);
            var first = engine.CommitAsync(commit).AsTask();
            var again = random.Next(5) == 0 ? engine.CommitAsync(repeated).AsTask() : first;
            var (offsets, others) = ((await first).RequireCommitted(), (await again).RequireCommitted());
            if (!offsets.SequenceEqual(others))
                throw new InvalidDataException(
                    $"A commit sent twice was answered with {string.Join(',', offsets)} and {string.Join(',', others)}.");
            foreach (var batch in commit.Batches) producer.Advance(batch.Target, batch.Records.Count);
            Acknowledge(writer, commit, Take(writer, counts), offsets);
        }
    }

    private async Task WritePipelinedAsync(int writer)
    {
        var random = new Random(seed * 31 + writer);
        var underWay = new Queue<(Commit Commit, long[] Firsts, Task<CommitResult> Result)>();
        for (long number = 0; ; number++)
        {
            var counts = DrawCounts(random);
            var commit = Build(writer, number, counts, producer: null);
            underWay.Enqueue((commit, Take(writer, counts), engine.CommitAsync(commit).AsTask()));
            if (underWay.Count < CommitsUnderWayMax) continue;
            var oldest = underWay.Dequeue();
            Acknowledge(writer, oldest.Commit, oldest.Firsts, (await oldest.Result).RequireCommitted());
            oldest.Commit.Dispose();
        }
    }

    /// <summary>How many records go to each partition: one to three partitions, up to 24 records each.</summary>
    private static int[] DrawCounts(Random random)
    {
        var counts = new int[RawRecord.Partitions];
        for (var left = random.Next(1, 4); left > 0; left--) counts[random.Next(RawRecord.Partitions)] = random.Next(1, 25);
        return counts;
    }

    private Commit Build(int writer, long number, int[] counts, Producer? producer)
    {
        var commit = new Commit { Producer = producer };
        var id = ((long)(uint)seed << 32) | number;
        for (var partition = 0; partition < counts.Length; partition++)
        {
            for (var record = 0; record < counts[partition]; record++)
            {
                new RawRecord(writer, partition, _next[writer, partition] + record, id, counts.Sum())
                    .AddTo(commit.To(new TopicPartition(RawRecord.Topic, partition)));
            }
        }

        return commit;
    }

    private long[] Take(int writer, int[] counts)
    {
        var firsts = new long[counts.Length];
        for (var partition = 0; partition < counts.Length; partition++)
        {
            firsts[partition] = _next[writer, partition];
            _next[writer, partition] += counts[partition];
        }

        return firsts;
    }

    private void Acknowledge(int writer, Commit commit, long[] firsts, IReadOnlyList<long> offsets)
    {
        var line = new StringBuilder();
        for (var at = 0; at < commit.Batches.Count; at++)
        {
            var batch = commit.Batches[at];
            var first = firsts[batch.Target.Partition];
            line.Append(
                CultureInfo.InvariantCulture, $"A {writer} {batch.Target.Partition} {first} {batch.Records.Count} {offsets[at]} .\n");
        }

        Say(line.ToString().TrimEnd('\n'));
    }

    private async Task WriteStreamsAsync(Dictionary<string, long> versions)
    {
        var random = new Random(seed * 31 + 1_000);
        while (true)
        {
            var stream = $"stream-{random.Next(5)}";
            var version = versions.GetValueOrDefault(stream);
            var isStale = version > 0 && random.Next(10) == 0;
            using var commit = new Commit();
            commit.To(new TopicPartition(RawRecord.Streams, 0)).Add(0, Encoding.UTF8.GetBytes(stream), BitConverter.GetBytes(version));
            commit.Expect(RawRecord.Streams, stream, isStale ? version - 1 : version, 1);
            var result = await engine.CommitAsync(commit);
            if (isStale != result is CommitResult.Conflicted)
                throw new InvalidDataException($"{stream} at version {version}, {(isStale ? "one less" : "that")} expected: {result}.");
            if (isStale) continue;
            versions[stream] = version + 1;
            Say($"V {stream} {version + 1} .");
        }
    }

    private async Task CopyAsync()
    {
        await using var member = await engine.JoinAsync(new GroupSubscription { Group = RawRecord.Workers, Topics = [RawRecord.Topic] });
        var owned = new List<OwnedPartition>();
        while (owned.Count < RawRecord.Partitions)
        {
            if (await member.NextChangeAsync() is AssignmentChange.Assigned assigned) owned.AddRange(assigned.Partitions);
        }

        await await Task.WhenAny(owned.Select(CopyAsync));
    }

    private async Task CopyAsync(OwnedPartition owned)
    {
        await owned.RestoreAsync();
        var position = owned.Positions.Single().NextOffset;
        var count = RawRecord.CountOf(owned);
        using var reader = owned.OpenReader(RawRecord.Topic, position);
        var underWay = new Queue<(Commit Commit, long Position, Task<CommitResult> Result)>();
        while (true)
        {
            using var fetched = await reader.ReadAsync(4_096);
            var commit = new Commit();
            var copies = commit.To(new TopicPartition(RawRecord.Copies, owned.Partition));
            foreach (var record in fetched)
            {
                copies.Add(0, BitConverter.GetBytes(record.Offset), record.Value.Span);
                count++;
            }

            commit.Put(RawRecord.Counts, RawRecord.CountKey.ToArray(), BitConverter.GetBytes(count));
            commit.SetPosition(RawRecord.Topic, fetched.NextOffset);
            underWay.Enqueue((commit, fetched.NextOffset, owned.CommitAsync(commit).AsTask()));
            if (underWay.Count < CommitsUnderWayMax) continue;
            var oldest = underWay.Dequeue();
            (await oldest.Result).RequireCommitted();
            oldest.Commit.Dispose();
            Say($"P {owned.Partition} {oldest.Position} .");
        }
    }

    /// <summary>
    /// One write per line or group of lines: what was written to the pipe is there for the parent even if the kill comes next.
    /// </summary>
    private void Say(string line)
    {
        lock (_output) _standardOutput.Write(Encoding.ASCII.GetBytes(line + "\n"));
    }
}

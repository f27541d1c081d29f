using System.Globalization;
using System.Text;
using Millrace.Log;

namespace Millrace.Crash.Raw;

/// <summary>
/// What the child acknowledged, and what does not agree with it on disk. One ledger per folder. Lines come from one child at a time.
/// </summary>
internal sealed class RawLedger
{
    private readonly long[,] _acknowledged = new long[RawRecord.Writers, RawRecord.Partitions];
    private readonly List<(long Number, long Offset)>[,] _offsets = new List<(long, long)>[RawRecord.Writers, RawRecord.Partitions];
    private readonly long[] _positions = new long[RawRecord.Partitions];
    private readonly Dictionary<string, long> _versions = [];

    public RawLedger()
    {
        for (var writer = 0; writer < RawRecord.Writers; writer++)
        {
            for (var partition = 0; partition < RawRecord.Partitions; partition++) _offsets[writer, partition] = [];
        }
    }

    public long Acknowledged { get; private set; }

    public bool IsReady { get; set; }

    /// <summary>Takes a line of the child. A line without its dot was cut by the kill and counts for nothing.</summary>
    public void Take(string line)
    {
        var words = line.Split(' ');
        if (words[^1] != ".") return;
        long Number(int at) => long.Parse(words[at], CultureInfo.InvariantCulture);
        switch (words[0])
        {
            case "READY":
                IsReady = true;
                break;
            case "A":
                var (writer, partition, first, count) = ((int)Number(1), (int)Number(2), Number(3), Number(4));
                Acknowledged += count;
                _acknowledged[writer, partition] = Math.Max(_acknowledged[writer, partition], first + count);
                _offsets[writer, partition].Add((first, Number(5)));
                break;
            case "P":
                _positions[Number(1)] = Math.Max(_positions[Number(1)], Number(2));
                break;
            case "V":
                _versions[words[1]] = Math.Max(_versions.GetValueOrDefault(words[1]), Number(2));
                break;
            default:
                throw new InvalidDataException($"The child said '{line}'.");
        }
    }

    /// <summary>Opens the folder and compares all of it.</summary>
    public async Task<RawFindings> CheckAsync(string folder)
    {
        var findings = new RawFindings();
        await using var engine = await LogEngine.OpenAsync(folder);
        if (await engine.FindTopicAsync(RawRecord.Streams) is null)
        {
            findings.Lost += Acknowledged;
            return findings;
        }

        var commits = new Dictionary<(int Writer, long Commit), (int Expected, int Found)>();
        for (var partition = 0; partition < RawRecord.Partitions; partition++)
            await CheckPartitionAsync(engine, partition, commits, findings);
        findings.Torn += commits.Values.Count(commit => commit.Found != commit.Expected);
        await CheckStreamsAsync(engine, findings);
        await CheckCopiesAsync(engine, findings);
        return findings;
    }

    private async Task CheckPartitionAsync(
        LogEngine engine, int partition, Dictionary<(int, long), (int Expected, int Found)> commits, RawFindings findings)
    {
        var stored = new List<(long Number, long Offset)>[RawRecord.Writers];
        for (var writer = 0; writer < stored.Length; writer++) stored[writer] = [];
        await RawRecord.ForEachAsync(engine, new TopicPartition(RawRecord.Topic, partition), record =>
        {
            var read = RawRecord.Read(record);
            stored[read.Writer].Add((read.Number, record.Offset));
            if (read.Partition != partition) findings.Invented++;
            var found = commits.GetValueOrDefault((read.Writer, read.Commit)).Found;
            commits[(read.Writer, read.Commit)] = (read.CommitRecords, found + 1);
        });

        for (var writer = 0; writer < stored.Length; writer++)
        {
            var offsets = new Dictionary<long, long>();
            var last = -1L;
            foreach (var (number, offset) in stored[writer])
            {
                if (!offsets.TryAdd(number, offset)) findings.Duplicated++;
                else if (number < last) findings.Reordered++;
                last = Math.Max(last, number);
            }

            var acknowledged = _acknowledged[writer, partition];
            for (long number = 0; number <= Math.Max(last, acknowledged - 1); number++)
            {
                if (offsets.ContainsKey(number)) continue;
                if (number < acknowledged) findings.Lost++;
                else findings.Holes++;
            }

            findings.Moved += _offsets[writer, partition].Count(told => offsets.TryGetValue(told.Number, out var at) && at != told.Offset);
            findings.Records += offsets.Count;
        }
    }

    private async Task CheckStreamsAsync(LogEngine engine, RawFindings findings)
    {
        var versions = new Dictionary<string, long>();
        await RawRecord.ForEachAsync(engine, new TopicPartition(RawRecord.Streams, 0), record =>
        {
            var stream = Encoding.UTF8.GetString(record.Key.Span);
            var version = versions.GetValueOrDefault(stream);
            if (BitConverter.ToInt64(record.Value.Span) != version) findings.Versions++;
            versions[stream] = version + 1;
        });
        findings.Lost += _versions.Sum(told => Math.Max(0, told.Value - versions.GetValueOrDefault(told.Key)));

        foreach (var (stream, version) in versions)
        {
            using var probe = new Commit();
            probe.Expect(RawRecord.Streams, stream, version + 1, 1);
            probe.To(new TopicPartition(RawRecord.Streams, 0)).Add(0, Encoding.UTF8.GetBytes(stream), []);
            if (await engine.CommitAsync(probe) is not CommitResult.Conflicted conflict || conflict.ActualVersion != version)
                findings.Versions++;
        }
    }

    /// <summary>Position, count and copies were committed together: they must say the same.</summary>
    private async Task CheckCopiesAsync(LogEngine engine, RawFindings findings)
    {
        await using var member = await engine.JoinAsync(new GroupSubscription { Group = RawRecord.Workers, Topics = [RawRecord.Topic] });
        var checkedPartitions = 0;
        while (checkedPartitions < RawRecord.Partitions)
        {
            if (await member.NextChangeAsync() is not AssignmentChange.Assigned assigned) continue;
            foreach (var owned in assigned.Partitions)
            {
                checkedPartitions++;
                await owned.RestoreAsync();
                var position = owned.Positions.Single().NextOffset;
                var count = RawRecord.CountOf(owned);
                var copies = 0L;
                await RawRecord.ForEachAsync(engine, new TopicPartition(RawRecord.Copies, owned.Partition), record =>
                {
                    if (BitConverter.ToInt64(record.Key.Span) != copies++) findings.Mismatches++;
                });
                if (count != position || copies != position) findings.Mismatches++;
                if (position < _positions[owned.Partition]) findings.Lost++;
            }
        }
    }
}

/// <summary>What was found; all but the records should be 0.</summary>
internal sealed class RawFindings
{
    public long Records { get; set; }

    /// <summary>Acknowledged and not there.</summary>
    public long Lost { get; set; }

    /// <summary>There more than once.</summary>
    public long Duplicated { get; set; }

    /// <summary>After a later one of the same writer.</summary>
    public long Reordered { get; set; }

    /// <summary>Not there, though a later one of the same writer is: what is there is no prefix of what was sent.</summary>
    public long Holes { get; set; }

    /// <summary>In a partition that it was not sent to.</summary>
    public long Invented { get; set; }

    /// <summary>At another offset than the acknowledgement said.</summary>
    public long Moved { get; set; }

    /// <summary>Commits of which only some records are there.</summary>
    public long Torn { get; set; }

    /// <summary>Event streams whose version is not the number of their records.</summary>
    public long Versions { get; set; }

    /// <summary>Positions, counts and copies that do not agree.</summary>
    public long Mismatches { get; set; }

    public bool IsClean => Lost + Duplicated + Reordered + Holes + Invented + Moved + Torn + Versions + Mismatches == 0;

    public void Add(RawFindings other)
    {
        Records += other.Records;
        Lost += other.Lost;
        Duplicated += other.Duplicated;
        Reordered += other.Reordered;
        Holes += other.Holes;
        Invented += other.Invented;
        Moved += other.Moved;
        Torn += other.Torn;
        Versions += other.Versions;
        Mismatches += other.Mismatches;
    }
}

using System.Text;
using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>What global tables promise on a runtime, whatever the engine.</summary>
public abstract class GlobalTableContract
{
    /// <summary>An engine for a test.</summary>
    protected abstract EngineHost CreateHost();

    [Fact]
    public async Task What_lies_in_the_topic_at_the_start_is_there_before_the_first_record_in_every_partition()
    {
        await using var rig = await OpenAsync();
        await SetAsync(rig, ("a", "first"), ("b", "B"), ("c", "gone"), ("a", "A"), ("c", null), ("d", "D"), ("e", "E"));
        for (var partition = 0; partition < 3; partition++)
            await rig.AppendAsync("in", partition, ("a", partition, 1), ("b", partition, 2), ("c", partition, 3), ("d", partition, 4), ("e", partition, 5));

        await rig.RunAsync(Names(rig));

        var expected = Enumerable.Range(0, 3).SelectMany(i => new[] { $"A {i}", $"B {i}", $"D {i}", $"E {i}" }).Order(StringComparer.Ordinal);
        Assert.Equal(expected, await rig.ValuesAsync("out"));
    }

    [Fact]
    public async Task A_change_of_the_topic_reaches_every_partition_while_the_topology_runs()
    {
        await using var rig = await OpenAsync();
        await SetAsync(rig, ("a", "old"));
        using var running = new RunningTopology(Names(rig, isOuter: true));
        await using var runtime = await rig.StartAsync(running);
        await SayAsync(1);
        await SetAsync(rig, ("a", "new"), ("b", "B"));
        await SayAsync(2);
        await SetAsync(rig, ("a", null));
        await SayAsync(3);

        Assert.Equal(["? 3", "? 3", "? 3", "new 2", "new 2", "new 2", "old 1", "old 1", "old 1"], await rig.ValuesAsync("out"));
        var table = running.Explain().Stages[0].Tables[0];
        Assert.Equal((rig.Name("names"), 1, 4L, 0L), (table.Name, table.Entries, table.RecordsIn, table.RecordsRefused));

        async Task SayAsync(long value)
        {
            await runtime.WaitUntilIdleAsync(rig.Cancellation);
            for (var partition = 0; partition < 3; partition++) await rig.AppendAsync("in", partition, ("a", value, value));
            await runtime.WaitUntilIdleAsync(rig.Cancellation);
        }
    }

    [Fact]
    public async Task A_record_that_is_worked_on_again_meets_what_the_table_holds_then_and_is_said_once()
    {
        await using var rig = await OpenAsync();
        await SetAsync(rig, ("a", "before"));
        var isFirst = true;
        var topology = Names(rig, onJoined: () =>
        {
            if (!isFirst) return;
            isFirst = false;
            throw new OperationCanceledException("The process ends here.");
        });
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running, options => options with { RestartBackoffMin = TimeSpan.FromMinutes(1), RestartBackoffMax = TimeSpan.FromMinutes(1) });
        await rig.AppendAsync("in", 0, ("a", 1, 1));
        await runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, rig.Cancellation);

        await SetAsync(rig, ("a", "after"));
        await runtime.WaitUntilAsync(_ => running.Explain().Stages[0].Tables[0].RecordsIn == 2, rig.Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["after 1"], await rig.ValuesAsync("out"));
    }

    [Fact]
    public async Task A_restart_reads_the_table_anew_and_every_instance_has_it_whole()
    {
        await using var rig = await OpenAsync();
        await SetAsync(rig, ("a", "A"), ("b", "B"));
        await rig.AppendAsync("in", 0, ("a", 1, 1));
        await rig.RunAsync(Names(rig));
        await SetAsync(rig, ("b", null), ("a", "A2"));
        using var one = new RunningTopology(Names(rig));
        using var other = new RunningTopology(Names(rig));
        await using var first = await rig.StartAsync(one);
        await using var second = await rig.StartAsync(other, options => options with { Seed = 1 });
        for (var partition = 0; partition < 3; partition++) await rig.AppendAsync("in", partition, ("a", 2, 2), ("b", 2, 2));
        while ((await rig.Engine.DescribeLagAsync(rig.Name("topology"), rig.Cancellation)).Any(lag => lag.Lag > 0))
        {
            await first.WaitUntilIdleAsync(rig.Cancellation);
            await second.WaitUntilIdleAsync(rig.Cancellation);
        }

        Assert.Equal(["A 1", "A2 2", "A2 2", "A2 2"], await rig.ValuesAsync("out"));
        Assert.All([one, other], running => Assert.Equal(1, running.Explain().Stages[0].Tables[0].Entries));
    }

    [Fact]
    public async Task A_record_of_the_table_that_cannot_be_read_is_left_out_and_told_of()
    {
        await using var rig = await OpenAsync();
        await SetAsync(rig, ("a", "A"));
        await rig.Engine.AppendAsync(new TopicPartition(rig.Name("names"), 0), batch =>
        {
            batch.Add(1, "a"u8, "no json"u8);
            batch.Add(1, false, [], true, "\"no key\""u8, []);
            batch.Add(1, [0xC3, 0x28], "\"no text\""u8);
        }, null, rig.Cancellation);
        await rig.AppendAsync("in", 0, ("a", 1, 1));
        var topology = Names(rig, isJson: true);
        using var running = new RunningTopology(topology);
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilIdleAsync(rig.Cancellation);

        Assert.Equal(["\"A\" 1"], await rig.ValuesAsync("out"));
        var table = running.Explain().Stages[0].Tables[0];
        Assert.Equal((1, 3L), (table.Entries, table.RecordsRefused));
        Assert.Contains("global table", running.Explain().ToString(), StringComparison.Ordinal);
        Assert.Contains("3 refused", running.Explain().ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_is_too_large_or_missing_stops_what_needs_it_and_the_status_says_why()
    {
        await using var rig = await OpenAsync();
        var missing = rig.Topology();
        missing.From<Reading>(rig.Name("in")).JoinTable(missing.GlobalTable<string, string>(rig.Name("nowhere")), r => r.Key, (r, _) => r.Key).To(rig.Name("out"));
        using var without = new RunningTopology(missing);
        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await rig.StartAsync(without));
        await SetAsync(rig, ("a", "A"), ("b", "B"), ("c", "C"));
        await rig.AppendAsync("in", 0, ("a", 1, 1));

        using var running = new RunningTopology(Names(rig, entriesMax: 2));
        await using var runtime = await rig.StartAsync(running);
        await runtime.WaitUntilAsync(statuses => statuses[0].Failure is not null, rig.Cancellation);

        Assert.Equal(FailureCodes.TopicNotFound, failure.Code);
        Assert.Contains("more than 2 entries", runtime.Statuses[0].Failure, StringComparison.Ordinal);
        Assert.Empty(await rig.ValuesAsync("out"));
    }

    private static OutputOptions<string> ByText { get; } = new() { Key = text => text.Split(' ')[0] };

    private static StreamTopology Names(
        StreamsRig rig, bool isOuter = false, bool isJson = false, int entriesMax = 10, Action? onJoined = null)
    {
        var topology = rig.Topology();
        var readings = topology.From<Reading>(rig.Name("in"));
        var options = new GlobalTableOptions<string, string> { EntriesMax = entriesMax, Codec = isJson ? new Quoted() : null };
        var names = topology.GlobalTable(rig.Name("names"), options);
        var named = isOuter
            ? readings.LeftJoinTable(names, reading => reading.Key, (reading, name) => $"{name ?? "?"} {reading.Value}")
            : readings.JoinTable(names, reading => reading.Key, (reading, name) => $"{name} {reading.Value}");
        named.Where(_ =>
        {
            onJoined?.Invoke();
            return true;
        }).To(rig.Name("out"), ByText);
        return topology;
    }

    /// <summary>Text in quotation marks; other text is refused.</summary>
    private sealed class Quoted : RecordCodec<string>
    {
        public override bool TryRead(in Record record, out string value, out long timestamp, out string reason)
        {
            (value, timestamp, reason) = (Encoding.UTF8.GetString(record.Value.Span), record.Timestamp, "It is not in quotation marks.");
            if (value == "A") value = "\"A\"";
            return value.StartsWith('"');
        }

        public override void Write(string value, in OutgoingRecord record, RecordBatchBuilder target) => throw new NotSupportedException();
    }

    /// <summary>Sets keys of the table, which has two partitions where the stream has three; null removes.</summary>
    private static async Task SetAsync(StreamsRig rig, params (string Key, string? Value)[] entries)
    {
        foreach (var (key, value) in entries)
        {
            var keyBytes = Encoding.UTF8.GetBytes(key);
            await rig.Engine.AppendAsync(
                new TopicPartition(rig.Name("names"), Partitioner.PartitionOf(keyBytes, 2)),
                batch => batch.Add(1_000, true, keyBytes, value is not null, Encoding.UTF8.GetBytes(value ?? ""), []), null, rig.Cancellation);
        }
    }

    private async Task<StreamsRig> OpenAsync()
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(5));
        var rig = await StreamsRig.OpenAsync(CreateHost(), 3, ["in", "out"], deadline.Token);
        await rig.Engine.EnsureTopicAsync(new TopicSpecification { Name = rig.Name("names"), Partitions = 2 }, rig.Cancellation);
        return rig;
    }
}

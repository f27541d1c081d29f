using System.Buffers.Binary;

namespace Millrace.Messaging.Contract;

/// <summary>Idempotent by (source, id), over batches, restarts and a time.</summary>
public abstract class DeduplicationContract : HandlerContract
{
    private static readonly Placed Event = new("a", 1m);

    [Fact]
    public async Task The_same_event_twice_in_one_batch_has_one_effect()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("1", Event), ("2", Event), ("1", Event));

        await rig.HandleAllAsync(Pay(rig));

        Assert.Equal(["1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task The_same_event_twice_has_one_effect_while_the_first_is_still_under_way()
    {
        await using var rig = await OpenAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = 0;
        await rig.PublishAsync(("1", Event), ("1", Event), ("2", new Placed("b", 1m)));

        await rig.StartAsync(rig.Define(h => h.Handle(async Task<Paid> (Placed placed) =>
        {
            Interlocked.Increment(ref calls);
            if (placed.Order == "b") gate.SetResult();
            else await gate.Task;
            return new Paid(placed.Order, 1m);
        })));
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(2, calls);
        Assert.Equal(["1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task The_same_event_twice_has_one_effect_across_batches()
    {
        await using var rig = await OpenAsync();
        await rig.StartAsync(Pay(rig));

        for (var i = 0; i < 3; i++)
        {
            await rig.PublishAsync(("1", Event));
            await rig.Runtime.WaitUntilIdleAsync(Cancellation);
        }

        Assert.Single(await rig.RecordsOfAsync("payments"));
    }

    [Fact]
    public async Task The_same_event_twice_has_one_effect_across_a_restart()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(Pay(rig));

        await rig.ReopenEngineAsync();
        await rig.PublishAsync(("1", Event), ("2", Event));
        await rig.HandleAllAsync(Pay(rig));

        Assert.Equal(["1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task The_same_id_of_another_source_is_another_event_however_the_two_are_cut()
    {
        await using var rig = await OpenAsync();
        foreach (var (source, id) in new[] { ("/a", "1"), ("/b", "1"), ("/a1", "1"), ("/a", "11") })
        {
            await rig.AppendAsync(b => EventCodec.Write(
                new CloudEvent { Id = id, Source = source, Type = "test.placed", Data = """{"Order":"a","Amount":1}"""u8.ToArray() },
                EventMode.Structured, "a"u8, 0, b));
        }

        await rig.HandleAllAsync(Pay(rig));

        Assert.Equal(4, (await rig.RecordsOfAsync("payments")).Count);
    }

    [Fact]
    public async Task Each_group_handles_an_event_once()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("1", Event));

        await rig.HandleAllAsync(Pay(rig, "one"));
        await rig.HandleAllAsync(Pay(rig, "two"));

        Assert.Equal(["/test/one", "/test/two"], (await rig.EventsOfAsync("payments")).Select(e => e.Source));
    }

    [Fact]
    public async Task Retention_forgets_where_events_go_on()
    {
        await using var rig = await OpenAsync();
        var pay = rig.Define(h => h.WithDeduplication(TimeSpan.FromHours(1)).Handle((Placed placed) => new Paid(placed.Order, 1m)));
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(pay);

        rig.Time.Advance(TimeSpan.FromMinutes(59));
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(pay);
        Assert.Single(await rig.RecordsOfAsync("payments"));

        rig.Time.Advance(TimeSpan.FromMinutes(2));
        await rig.PublishAsync(("2", Event));
        await rig.HandleAllAsync(pay);
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(pay);
        Assert.Equal(["1", "2", "1"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task Retention_forgets_in_bounded_steps_by_a_durable_timer_where_no_event_comes_any_more()
    {
        await using var rig = await OpenAsync();
        var pay = rig.Define(h => h.WithDeduplication(TimeSpan.FromHours(1)).Handle((Placed placed) => { }));
        await rig.PublishAsync([.. Enumerable.Range(0, 5_000).Select(i => ($"{i}", (object)Event))]);
        await rig.HandleAllAsync(pay);
        Assert.Equal(5_000, (await SeenAsync(rig)).Count);

        await rig.ReopenEngineAsync();
        rig.Time.Advance(TimeSpan.FromHours(1) + TimeSpan.FromMilliseconds(1));
        await rig.HandleAllAsync(pay);

        Assert.Empty(await rig.ScanAsync("group", "seen"));
    }

    [Fact]
    public async Task Nothing_is_forgotten_early_where_events_go_on_for_longer_than_the_retention()
    {
        await using var rig = await OpenAsync();
        var pay = rig.Define(h => h.WithDeduplication(TimeSpan.FromMinutes(10)).Handle((Placed placed) => { }));
        await rig.StartAsync(pay);
        for (var minute = 0; minute < 30; minute++)
        {
            await rig.PublishAsync(($"{minute}", Event));
            await rig.Runtime.WaitUntilIdleAsync(Cancellation);
            rig.Time.Advance(TimeSpan.FromMinutes(1));
            await rig.Runtime.WaitUntilIdleAsync(Cancellation);
        }

        await rig.StopAsync();

        // One comes per minute; those of the last ten minutes are there, and at most a 64th of the retention more.
        var ages = (await SeenAsync(rig)).Select(time => time - rig.Time.Start).Order().ToList();
        Assert.Equal(Enumerable.Range(21, 9).Select(m => TimeSpan.FromMinutes(m)), ages.TakeLast(9));
        Assert.InRange(ages.Count, 9, 11);
    }

    [Fact]
    public async Task No_more_is_remembered_than_may_be_and_the_oldest_goes_first()
    {
        await using var rig = await OpenAsync();
        var pay = rig.Define(h => h.WithDeduplication(TimeSpan.FromDays(1), 3).Handle((Placed placed) => new Paid(placed.Order, 1m)));
        await rig.StartAsync(pay);
        foreach (var id in new[] { "1", "2", "3", "4", "4", "2", "1" })
        {
            await rig.PublishAsync((id, Event));
            await rig.Runtime.WaitUntilIdleAsync(Cancellation);
        }

        await rig.StopAsync();

        Assert.Equal(["1", "2", "3", "4", "1"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
        Assert.Equal(3, (await SeenAsync(rig)).Count);
    }

    [Fact]
    public async Task Damaged_memory_stops_the_partition_rather_than_handling_twice()
    {
        await using var rig = await OpenAsync();
        for (var i = 0; i < 3; i++)
        {
            await rig.PublishAsync(($"{i}", Event));
            await rig.HandleAllAsync(Pay(rig));
        }

        await rig.ChangeStateAsync("group", commit => commit.Delete("seen", [0, 0, 0, 0, 0, 0, 0, 1]));
        await rig.PublishAsync(("1", Event));
        await rig.StartAsync(Pay(rig));
        await rig.Runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, Cancellation);

        Assert.Contains("chunk 1 is missing", rig.Runtime.Statuses[0].Failure, StringComparison.Ordinal);
        Assert.Equal(3, (await rig.RecordsOfAsync("payments")).Count);
    }

    private static Processor Pay(HandlerRig rig, string name = "group") => rig.Define(h => h.Handle((Placed placed) => new Paid(placed.Order, 1m)), name: name);

    /// <summary>The times of all events that are remembered, read as FORMAT.md has it.</summary>
    private static async Task<IReadOnlyList<DateTimeOffset>> SeenAsync(HandlerRig rig)
    {
        var times = new List<DateTimeOffset>();
        foreach (var (_, chunk) in await rig.ScanAsync("group", "seen"))
        {
            Assert.Equal(1, chunk.Span[0]);
            var time = DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(chunk.Span[1..]));
            times.AddRange(Enumerable.Repeat(time, (chunk.Length - 9) / 16));
        }

        return times;
    }
}

namespace Millrace.Messaging.Contract;

/// <summary>Keyed state as a parameter, kept in the event's own commit.</summary>
public abstract class HandlerStateContract : HandlerContract
{
    [Fact]
    public async Task State_is_seen_by_the_next_event_of_the_key_in_a_batch_across_batches_and_across_a_restart()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)), ("2", new Placed("b", 10m)), ("3", new Placed("a", 2m)));
        await rig.StartAsync(Sum(rig));
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);
        await rig.PublishAsync(("4", new Placed("a", 3m)));
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        await rig.ReopenEngineAsync();
        await rig.PublishAsync(("5", new Placed("a", 4m)), ("6", new Placed("b", 10m)));
        await rig.HandleAllAsync(Sum(rig));

        Assert.Equal(
            [new Paid("a", 1m), new Paid("b", 10m), new Paid("a", 3m), new Paid("a", 6m), new Paid("a", 10m), new Paid("b", 20m)],
            await rig.DataOfAsync("payments"));
    }

    [Fact]
    public async Task State_that_is_removed_is_gone()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)), ("2", new Placed("b", 1m)));
        await rig.HandleAllAsync(Sum(rig));

        await rig.PublishAsync(("3", new Placed("a", -1m)), ("4", new Placed("c", 5m)), ("5", new Placed("c", -1m)));
        await rig.HandleAllAsync(Sum(rig));

        Assert.Equal(["b"], (await rig.ScanAsync("group", "totals")).Select(e => e.Key.ToText()));
    }

    [Fact]
    public async Task Handlers_of_a_group_share_a_keys_state_and_may_have_several()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent { Id = "2", Source = "/else", Type = "test.declined", Data = """{"Order":"a","Reason":"no"}"""u8.ToArray() },
            EventMode.Structured, "a"u8, 0, b));

        await rig.HandleAllAsync(rig.Define(h => h
            .WithState("totals", TestJson.Default.Total)
            .WithState("counts", TestJson.Default.Int32)
            .Handle((Placed placed, State<int> count, State<Total> total) =>
            {
                count.Value++;
                total.Value = new Total(placed.Amount, 7);
            })
            .Handle((Declined declined, State<Total> total, State<int> count) =>
            {
                count.Value++;
                return new Paid(declined.Order, (total.Value!.Count * 100) + count.Value);
            })));

        Assert.Equal([new Paid("a", 702m)], await rig.DataOfAsync("payments"));
    }

    [Fact]
    public async Task A_state_that_was_only_read_is_not_written()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));

        await rig.HandleAllAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(
            (Placed placed, State<Total> total) => new Paid(placed.Order, total.HasValue ? 1m : 0m))));

        Assert.Equal([new Paid("a", 0m)], await rig.DataOfAsync("payments"));
        Assert.Empty(await rig.ScanAsync("group", "totals"));
    }

    [Fact]
    public async Task An_event_without_a_key_has_nowhere_to_keep_state()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));
        var written = Assert.Single(await rig.RecordsOfAsync("orders"));
        await rig.AppendAsync(b => b.Add(0, false, default, true, written.Value));
        await rig.AppendAsync(b => b.Add(
            0, false, default, true, """{"specversion":"1.0","id":"9","source":"/x","type":"test.placed","data":{"Order":"a","Amount":1}}"""u8));

        await rig.HandleAllAsync(Sum(rig));

        var dead = Assert.Single(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Contains("no key", dead.Header(DeadLetters.Reason), StringComparison.Ordinal);
        Assert.Equal("0", dead.Header(DeadLetters.Attempts));
    }

    [Fact]
    public async Task A_state_that_its_type_does_not_fit_any_more_stops_the_partition_and_gives_no_event_up()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));
        await rig.HandleAllAsync(Sum(rig));
        await rig.PublishAsync(("2", new Placed("a", 1m)));

        await rig.StartAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Int32).Handle((Placed placed, State<int> total) => { })));
        await rig.Runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, Cancellation);

        var failure = rig.Runtime.Statuses[0].Failure;
        Assert.Contains("'totals'", failure, StringComparison.Ordinal);
        Assert.Contains("'a'", failure, StringComparison.Ordinal);
        Assert.Empty(await rig.RecordsOfAsync("orders.dlq"));
    }

    [Fact]
    public async Task A_state_changed_after_its_handler_ended_is_refused()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));
        State<Total>? escaped = null;

        await rig.HandleAllAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(
            (Placed placed, State<Total> total) => { escaped = total; })));

        Assert.Throws<InvalidOperationException>(() => escaped!.Value = new Total(1m, 1));
        Assert.Throws<InvalidOperationException>(() => escaped!.Remove());
    }

    private static Processor Sum(HandlerRig rig) => rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(
        (Placed placed, State<Total> total) =>
        {
            total.Value = placed.Amount < 0 ? null : new Total((total.Value?.Amount ?? 0) + placed.Amount, 0);
            return new Paid(placed.Order, total.Value?.Amount ?? 0);
        }));
}

using System.Diagnostics.Metrics;
using System.Globalization;

namespace Millrace.Messaging.Contract;

/// <summary>What fails is tried again, then put aside whole; what failed leaves nothing behind.</summary>
public abstract class DeadLetterContract : HandlerContract
{
    private static readonly Placed Event = new("a", 1m);

    [Fact]
    public async Task A_handler_that_throws_after_publishing_publishes_nothing()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", new Placed("b", 2m)));

        await rig.HandleAllAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(Handle)));

        Assert.Equal([new Paid("b", 2m)], await rig.DataOfAsync("payments"));
        Assert.Equal("b", Assert.Single(await rig.ScanAsync("group", "totals")).Key.ToText());

        static IEnumerable<Paid> Handle(Placed placed, State<Total> total)
        {
            total.Value = new Total(placed.Amount, 1);
            yield return new Paid(placed.Order, placed.Amount);
            if (placed.Order == "a") throw new InvalidOperationException("after publishing");
        }
    }

    [Fact]
    public async Task A_failed_attempt_says_nothing_though_a_later_one_succeeds()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));

        await rig.HandleAllAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(
            (Placed placed, State<Total> total, MessageContext context) =>
            {
                total.Value = new Total(placed.Amount, (total.Value?.Count ?? 0) + 1);
                return Says(placed, context.Attempt, total.Value.Count);
            })));

        Assert.Equal([new Paid("a", 31m), new Paid("a", 32m)], await rig.DataOfAsync("payments"));
        Assert.Empty(await rig.RecordsOfAsync("orders.dlq"));

        static IEnumerable<Paid> Says(Placed placed, int attempt, int count)
        {
            yield return new Paid(placed.Order, (attempt * 10) + count);
            if (attempt < 3) throw new InvalidOperationException();
            yield return new Paid(placed.Order, (attempt * 10) + count + 1);
        }
    }

    [Fact]
    public async Task A_state_changed_in_place_by_a_failed_attempt_is_what_it_was()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", Event), ("3", Event));
        var seen = new List<string>();

        await rig.HandleAllAsync(rig.Define(h => h.WithState("baskets", TestJson.Default.Basket).Handle(
            (Placed placed, State<Basket> state, MessageContext context) =>
            {
                var basket = state.Value ?? new Basket();
                seen.Add($"{context.EventId}.{context.Attempt}: {string.Join(' ', basket.Items)}");
                basket.Items.Add(context.EventId);
                if (context.EventId == "2") throw new InvalidOperationException();
                state.Value = basket;
            })));

        Assert.Equal(["1.1: ", "2.1: 1", "2.2: 1", "2.3: 1", "3.1: 1"], seen);
        Assert.Equal("""{"Items":["1","3"]}""", Assert.Single(await rig.ScanAsync("group", "baskets")).Value.ToText());
    }

    [Fact]
    public async Task After_three_attempts_the_original_bytes_are_in_the_dead_letter_topic()
    {
        await using var rig = await OpenAsync(8);
        await rig.PublishAsync(("1", Event));
        var original = Assert.Single(await rig.RecordsOfAsync("orders"));
        var partition = Partitioner.PartitionOf("a"u8, 8);
        var attempts = 0;

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) =>
        {
            attempts++;
            throw new InvalidOperationException("no such card");
        })));

        var dead = Assert.Single(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Equal(3, attempts);
        Assert.Equal((original.Key, original.Timestamp), (dead.Key, dead.Timestamp));
        Assert.Equal(original.Value, dead.Value);
        Assert.Equal(original.Headers, dead.Headers.Take(original.Headers.Count));
        Assert.Equal(
            new Dictionary<string, string?>
            {
                [DeadLetters.Reason] = "System.InvalidOperationException: no such card",
                [DeadLetters.Topic] = rig.Name("orders"),
                [DeadLetters.Partition] = partition.ToString(CultureInfo.InvariantCulture),
                [DeadLetters.Offset] = "0",
                [DeadLetters.Group] = rig.Name("group"),
                [DeadLetters.Attempts] = "3",
                [DeadLetters.Time] = "2026-01-25T10:30:00.0000000Z",
            },
            dead.Headers.Skip(original.Headers.Count));
        Assert.Equal(8, (await rig.Engine.FindTopicAsync(rig.Name("orders.dlq"), Cancellation))!.Partitions.Count);
        Assert.Equal(0, await LagAsync(rig));
    }

    [Fact]
    public async Task A_dead_letter_counts_as_handled_and_others_go_on()
    {
        await using var rig = await OpenAsync();
        var group = rig.Define(h => h.WithRetries(1, TimeSpan.Zero).Handle((Placed placed) =>
            placed.Order == "a" ? throw new InvalidOperationException() : new Paid(placed.Order, 1m)));
        await rig.PublishAsync(("1", Event), ("2", new Placed("b", 1m)), ("1", Event));

        await rig.HandleAllAsync(group);
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(group);

        Assert.Single(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Equal([new Paid("b", 1m)], await rig.DataOfAsync("payments"));
    }

    [Fact]
    public async Task Records_that_are_no_events_are_dead_letters_at_once_whatever_they_hold()
    {
        await using var rig = await OpenAsync();
        await rig.AppendAsync(b =>
        {
            b.Add(5, true, "a"u8, true, "not json"u8, new RecordHeader("h", "v"), new RecordHeader("null"u8.ToArray(), false, default));
            b.Add(6, false, default, true, "{}"u8);
            b.Add(7, true, "a"u8, false, default);
            b.Add(8, true, ""u8, true, ""u8);
        });

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) => { })));

        var original = await rig.RecordsOfAsync("orders");
        var dead = await rig.RecordsOfAsync("orders.dlq");
        Assert.Equal(original.Select(r => (r.Timestamp, r.Key)), dead.Select(r => (r.Timestamp, r.Key)));
        Assert.Equal(original.Select(r => r.Value), dead.Select(r => r.Value));
        Assert.Equal(original[0].Headers, dead[0].Headers.Take(2));
        Assert.Equal(["0", "1", "2", "3"], dead.Select(r => r.Header(DeadLetters.Offset)));
        Assert.All(dead, r => Assert.Equal("0", r.Header(DeadLetters.Attempts)));
        Assert.All(dead, r => Assert.StartsWith("Millrace.MillraceException: The record is not an event: ", r.Header(DeadLetters.Reason), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"Order":"a","Amount":"much"}""")]
    [InlineData("""{"Order":"a","Amount":""")]
    [InlineData("null")]
    [InlineData("[]")]
    public async Task Data_that_does_not_fit_its_type_is_a_dead_letter_at_once(string data)
    {
        await using var rig = await OpenAsync();
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent { Id = "1", Source = "/else", Type = "test.placed", Data = System.Text.Encoding.UTF8.GetBytes(data) }, EventMode.Binary, "a"u8, 0, b));
        var calls = 0;

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) => { calls++; })));

        var dead = Assert.Single(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Equal(0, calls);
        Assert.Equal("0", dead.Header(DeadLetters.Attempts));
        Assert.Contains("does not fit its type", dead.Header(DeadLetters.Reason), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_written_is_the_events_failure_and_leaves_nothing()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", Event), ("3", Event), ("4", Event), ("5", Event));

        await rig.HandleAllAsync(rig.Define(h => h.WithState("numbers", TestJson.Default.Double).Handle(
            IEnumerable<object> (Placed placed, MessageContext context, State<double> number) =>
            {
                number.Value = context.EventId == "4" ? double.NaN : number.Value + 1;
                return context.EventId switch
                {
                    "1" => [new Shipped("a", double.NaN)],
                    "2" => [new Paid("a", 2m), new Shipped("a", double.NaN)],
                    "3" => [new Paid("a", 3m), new Unregistered("a")],
                    _ => [new Paid("a", (decimal)number.Value)],
                };
            })));

        Assert.Equal(["0", "1", "2", "3"], (await rig.RecordsOfAsync("orders.dlq")).Select(r => r.Header(DeadLetters.Offset)));
        Assert.Equal([new Paid("a", 1m)], await rig.DataOfAsync("payments"));
        Assert.Empty(await rig.RecordsOfAsync("shipments"));
        Assert.Equal("1", Assert.Single(await rig.ScanAsync("group", "numbers")).Value.ToText());
    }

    [Fact]
    public async Task Attempts_wait_twice_as_long_each_time_while_other_keys_go_on()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", new Placed("b", 1m)), ("3", Event));
        var order = new List<string>();

        await rig.StartAsync(rig.Define(h => h.WithRetries(4, TimeSpan.FromMilliseconds(200)).Handle(
            (Placed placed, MessageContext context) =>
            {
                lock (order) order.Add($"{context.EventId}.{context.Attempt}");
                if (context.EventId == "1") throw new InvalidOperationException();
                return new Paid(placed.Order, 1m);
            })));
        foreach (var delay in new[] { 200, 400, 800 }) await rig.Time.PassAsync(TimeSpan.FromMilliseconds(delay), Cancellation);
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["1.1", "2.1", "1.2", "1.3", "1.4", "3.1"], order);
        Assert.Equal(["2", "3"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
        Assert.Single(await rig.RecordsOfAsync("orders.dlq"));
    }

    [Fact]
    public async Task A_pause_never_exceeds_its_limit()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));

        await rig.StartAsync(rig.Define(h => h.WithRetries(4, TimeSpan.FromMinutes(2)).Handle(void (Placed placed) => throw new InvalidOperationException())));
        foreach (var minutes in new[] { 2, 4, 5 }) await rig.Time.PassAsync(TimeSpan.FromMinutes(minutes), Cancellation);
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal("4", Assert.Single(await rig.RecordsOfAsync("orders.dlq")).Header(DeadLetters.Attempts));
    }

    [Fact]
    public async Task A_handler_that_a_stop_cancels_has_not_failed()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", new Placed("b", 1m)));
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var attempts = 0;

        await rig.StartAsync(
            rig.Define(h => h.Handle(async Task<Paid> (Placed placed, CancellationToken cancellation) =>
            {
                Interlocked.Increment(ref attempts);
                if (placed.Order == "b") return new Paid("b", 1m);
                entered.SetResult();
                await Task.Delay(Timeout.Infinite, cancellation);
                return new Paid("a", 1m);
            })),
            options => options with { StopDeadline = TimeSpan.Zero });
        await entered.Task;
        await rig.StopAsync();

        Assert.Empty(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Empty(await rig.RecordsOfAsync("payments"));
        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) => new Paid(placed.Order, placed.Amount))));
        Assert.Equal(["1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task A_handler_that_blocks_until_a_stop_cancels_it_is_not_counted_as_a_dead_letter()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var deadLetters = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == HandlerTelemetryNames.DeadLetters) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (Equals(tag.Value, rig.Name("stopped"))) Interlocked.Add(ref deadLetters, value);
            }
        });
        listener.Start();

        await rig.StartAsync(
            rig.Define(
                h => h.WithRetries(1, TimeSpan.Zero).Handle((Placed placed, CancellationToken cancellation) =>
                {
                    entered.SetResult();
                    cancellation.WaitHandle.WaitOne();
                    cancellation.ThrowIfCancellationRequested();
                }),
                name: "stopped"),
            options => options with { StopDeadline = TimeSpan.Zero });
        await entered.Task;
        await rig.StopAsync();

        Assert.Equal(0, deadLetters);
    }

    [Fact]
    public async Task A_call_that_fails_ends_only_when_its_handlers_have_ended_because_they_work_on_its_memory()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event), ("2", new Placed("b", 1m)));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hadEnded = new List<bool>();
        var failures = 0;
        var group = rig.Define(h => h.Handle(async Task<Paid> (Placed placed) =>
        {
            if (placed.Order == "b" && failures++ == 0) throw new MillraceException(FailureCodes.Throttled, "not now");
            if (placed.Order == "a") await gate.Task;
            return new Paid(placed.Order, 1m);
        }));

        await rig.StartAsync(group with
        {
            Create = scope => new Observed(group.Create(scope), call =>
            {
                hadEnded.Add(call.IsCompleted);
                gate.TrySetResult();
            }),
        });
        await rig.Runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.False(hadEnded[0]);
        Assert.Equal(["1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task A_cancellation_of_the_handlers_own_is_a_failure()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));

        await rig.HandleAllAsync(rig.Define(h => h.Handle(Task (Placed placed) => Task.FromCanceled(new CancellationToken(true)))));

        Assert.Equal("3", Assert.Single(await rig.RecordsOfAsync("orders.dlq")).Header(DeadLetters.Attempts));
    }

    [Theory]
    [InlineData(FailureCodes.Throttled)]
    [InlineData(FailureCodes.DiskFull)]
    [InlineData(FailureCodes.TopicNotFound)]
    public async Task A_failure_of_the_engine_restarts_the_partition_and_gives_no_event_up(string code)
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("0", new Placed("b", 1m)), ("1", Event), ("2", new Placed("c", 1m)));
        var failures = 0;

        await rig.StartAsync(rig.Define(h => h.Handle(async Task<Paid> (Placed placed, CancellationToken cancellation) =>
        {
            if (placed.Order == "b" && failures == 0) await Task.Delay(Timeout.Infinite, cancellation);
            if (placed.Order == "a" && failures++ == 0) throw new MillraceException(code, "not now");
            return new Paid(placed.Order, 1m);
        })));
        await rig.Runtime.WaitUntilAsync(statuses => statuses[0].State == ProcessorState.BackingOff, Cancellation);
        rig.Time.Advance(TimeSpan.FromMinutes(1));
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["0", "1", "2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
        Assert.Empty(await rig.RecordsOfAsync("orders.dlq"));
        Assert.Equal(2, failures);
    }

    [Fact]
    public async Task A_handler_that_never_ends_its_sequence_is_given_up()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));

        await rig.HandleAllAsync(rig.Define(h => h.WithRetries(1, TimeSpan.Zero).Handle((Placed placed) => Forever())));

        Assert.Contains("10000", Assert.Single(await rig.RecordsOfAsync("orders.dlq")).Header(DeadLetters.Reason), StringComparison.Ordinal);
        Assert.Empty(await rig.RecordsOfAsync("payments"));

        static IEnumerable<Paid> Forever()
        {
            while (true) yield return new Paid("a", 1m);
        }
    }

    [Fact]
    public async Task A_long_reason_is_cut()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));

        await rig.HandleAllAsync(rig.Define(h => h.Handle(void (Placed placed) => throw new InvalidOperationException(new string('x', 5_000)))));

        Assert.Equal(
            DeadLetters.ReasonCharactersMax, Assert.Single(await rig.RecordsOfAsync("orders.dlq")).Header(DeadLetters.Reason)!.Length);
    }

    [Fact]
    public async Task A_dead_letter_can_be_handled_from_its_topic()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", Event));
        await rig.HandleAllAsync(rig.Define(h => h.Handle(void (Placed placed) => throw new InvalidOperationException())));

        await rig.HandleAllAsync(rig.DefineBare("again", h => h
            .From(rig.Name("orders.dlq")).WithSource("/test/again").Handle((Placed placed) => new Paid(placed.Order, placed.Amount))));

        Assert.Equal([new Paid("a", 1m)], await rig.DataOfAsync("payments"));
    }

    /// <summary>Shows each call of a partition's processor at the moment when it gives the loop back.</summary>
    private sealed class Observed(IPartitionProcessor processor, Action<Task> observe) : IPartitionProcessor
    {
        public async ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
        {
            var call = processor.ProcessAsync(records, cancellation).AsTask();
            observe(call);
            await call;
        }

        public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) => processor.OnTimerAsync(timer, cancellation);

        public void BeforeCommit() => processor.BeforeCommit();
    }

    private static async Task<long> LagAsync(HandlerRig rig) => (await rig.Engine.DescribeLagAsync(rig.Name("group"), rig.Cancellation)).Sum(l => l.Lag);
}

internal static class Utf8
{
    public static string ToText(this ReadOnlyMemory<byte> bytes) => System.Text.Encoding.UTF8.GetString(bytes.Span);
}

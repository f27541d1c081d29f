using System.Collections.Concurrent;

namespace Millrace.Messaging.Contract;

/// <summary>In order per key, keys in parallel, bounded.</summary>
public abstract class HandlerOrderContract : HandlerContract
{
    [Fact]
    public async Task Keys_run_in_parallel_and_each_key_in_order()
    {
        await using var rig = await OpenAsync();
        var gates = new Gates(Cancellation);
        await rig.PublishAsync(
            ("a1", new Placed("a", 1m)), ("b1", new Placed("b", 1m)), ("a2", new Placed("a", 2m)), ("c1", new Placed("c", 1m)), ("b2", new Placed("b", 2m)));

        await rig.StartAsync(rig.Define(h => h.Handle(gates.PassAsync)));
        await gates.EnteredAsync("a1", "b1", "c1");
        Assert.Equal(["a1", "b1", "c1"], gates.Entered);
        gates.Open("b1");
        await gates.EnteredAsync("b2");
        Assert.Equal(["a1", "b1", "c1", "b2"], gates.Entered);
        gates.Open("c1");
        gates.Open("b2");
        gates.Open("a1");
        await gates.EnteredAsync("a2");
        gates.Open("a2");
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        // They ended as b1, c1, b2, a1, a2; they are said in the order of the records.
        Assert.Equal(["a1", "b1", "a2", "c1", "b2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task No_more_keys_than_asked_for_run_at_once()
    {
        await using var rig = await OpenAsync();
        var gates = new Gates(Cancellation);
        await rig.PublishAsync(("a1", new Placed("a", 1m)), ("b1", new Placed("b", 1m)), ("c1", new Placed("c", 1m)), ("d1", new Placed("d", 1m)));

        await rig.StartAsync(rig.Define(h => h.WithParallelism(2).Handle(gates.PassAsync)));
        await gates.EnteredAsync("a1", "b1");
        Assert.Equal(2, gates.Entered.Length);
        gates.Open("b1");
        await gates.EnteredAsync("c1");
        Assert.Equal(3, gates.Entered.Length);
        foreach (var id in new[] { "a1", "c1", "d1" }) gates.Open(id);
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["a1", "b1", "c1", "d1"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task Handlers_that_do_not_wait_pass_one_that_does_and_still_speak_in_order()
    {
        await using var rig = await OpenAsync();
        var gates = new Gates(Cancellation);
        gates.Open("b1");
        gates.Open("c1");
        await rig.PublishAsync(("a1", new Placed("a", 1m)), ("b1", new Placed("b", 1m)), ("c1", new Placed("c", 1m)), ("a2", new Placed("a", 1m)));

        await rig.StartAsync(rig.Define(h => h.Handle(gates.PassAsync)));
        await gates.EnteredAsync("a1", "b1", "c1");
        Assert.Equal(["a1", "b1", "c1"], gates.Entered);
        gates.Open("a2");
        gates.Open("a1");
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["a1", "b1", "c1", "a2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task Records_without_a_key_are_handled_one_after_the_other()
    {
        await using var rig = await OpenAsync();
        var gates = new Gates(Cancellation);
        await rig.AppendAsync(b =>
        {
            foreach (var id in Enumerable.Range(1, 2).Select(n => $"n{n}"))
            {
                using var one = new RecordBatchBuilder();
                EventCodec.Write(
                    new CloudEvent { Id = id, Source = "/else", Type = "test.placed", Data = """{"Order":"a","Amount":1}"""u8.ToArray() },
                    EventMode.Structured, "x"u8, 0, one);
                var written = new RecordEnumerator(one.Complete(), 0);
                Assert.True(written.MoveNext());
                b.Add(0, false, default, true, written.Current.Value.Span, written.Current.Headers);
            }
        });

        await rig.StartAsync(rig.Define(h => h.Handle(gates.PassAsync)));
        await gates.EnteredAsync("n1");
        Assert.Equal(["n1"], gates.Entered);
        gates.Open("n1");
        await gates.EnteredAsync("n2");
        gates.Open("n2");
        await rig.Runtime.WaitUntilIdleAsync(Cancellation);

        Assert.Equal(["n1", "n2"], (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    [Fact]
    public async Task A_key_sees_its_own_state_in_order_however_the_keys_interleave()
    {
        await using var rig = await OpenAsync();
        var random = new Random(20260125);
        var expected = new Dictionary<string, decimal>();
        var events = new List<(string, object)>();
        for (var i = 0; i < 2_000; i++)
        {
            var key = $"k{random.Next(37)}";
            events.Add(($"{i}", new Placed(key, i)));
            expected[key] = (expected.GetValueOrDefault(key) * 3) + i;
            if (expected[key] > 1_000_000) expected[key] = i;
        }

        await rig.PublishAsync([.. events]);
        await rig.HandleAllAsync(rig.Define(h => h.WithState("totals", TestJson.Default.Total).Handle(
            async Task<Paid> (Placed placed, State<Total> total) =>
            {
                if (placed.Amount % 3 == 0) await Task.Yield();
                var next = ((total.Value?.Amount ?? 0) * 3) + placed.Amount;
                if (next > 1_000_000) next = placed.Amount;
                total.Value = new Total(next, 0);
                return new Paid(placed.Order, next);
            })));

        var last = (await rig.DataOfAsync("payments")).Cast<Paid>().GroupBy(p => p.Order).ToDictionary(g => g.Key, g => g.Last().Amount);
        Assert.Equal(expected.OrderBy(e => e.Key), last.OrderBy(e => e.Key));
        Assert.Equal(
            Enumerable.Range(0, 2_000).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            (await rig.EventsOfAsync("payments")).Select(e => e.CausationId));
    }

    /// <summary>A handler that waits until its event's gate is open, and notes who came.</summary>
    private sealed class Gates(CancellationToken deadline)
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = new();
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _arrivals = new();
        private readonly ConcurrentQueue<string> _entered = new();

        public string[] Entered => [.. _entered];

        public async ValueTask<Paid> PassAsync(Placed placed, MessageContext context, CancellationToken cancellation)
        {
            _entered.Enqueue(context.EventId);
            Of(_arrivals, context.EventId).TrySetResult();
            await Of(_gates, context.EventId).Task.WaitAsync(cancellation);
            return new Paid(placed.Order, placed.Amount);
        }

        public void Open(string id) => Of(_gates, id).TrySetResult();

        public async Task EnteredAsync(params string[] ids)
        {
            foreach (var id in ids) await Of(_arrivals, id).Task.WaitAsync(deadline);
        }

        private static TaskCompletionSource Of(ConcurrentDictionary<string, TaskCompletionSource> all, string id) =>
            all.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}

using System.Collections.Immutable;

namespace Millrace.Messaging.Contract;

/// <summary>What a handler returns is what is said, whatever the shape.</summary>
public abstract class SayingContract : HandlerContract
{
    private static readonly Paid One = new("a", 1m);
    private static readonly Paid Two = new("a", 2m);

    public static TheoryData<string, Delegate, int> Shapes => new()
    {
        { "nothing", (Placed placed) => { }, 0 },
        { "null", Paid? (Placed placed) => null, 0 },
        { "one", (Placed placed) => One, 1 },
        { "one by its interface", (Placed placed) => (IPayment)One, 1 },
        { "one as an object", (Placed placed) => (object)One, 1 },
        { "a null sequence", IEnumerable<Paid>? (Placed placed) => null, 0 },
        { "an empty sequence", (Placed placed) => Array.Empty<Paid>(), 0 },
        { "a sequence", (Placed placed) => new[] { One, Two }, 2 },
        { "a sequence with a hole", (Placed placed) => new List<Paid?> { One, null, Two }, 2 },
        { "a sequence of value type", (Placed placed) => ImmutableArray.Create(One, Two), 2 },
        { "an iterator", Iterate, 2 },
        { "a finished task", (Placed placed) => Task.CompletedTask, 0 },
        { "a finished value task", (Placed placed) => ValueTask.CompletedTask, 0 },
        { "a finished task of one", (Placed placed) => Task.FromResult(One), 1 },
        { "a finished value task of one", (Placed placed) => ValueTask.FromResult(One), 1 },
        { "a finished task of many", (Placed placed) => Task.FromResult<IEnumerable<Paid>>([One, Two]), 2 },
        { "a finished value task of many", (Placed placed) => ValueTask.FromResult<IReadOnlyList<object>>([One, Two]), 2 },
        { "a task", async Task (Placed placed) => await Task.Yield(), 0 },
        { "a value task", async ValueTask (Placed placed) => await Task.Yield(), 0 },
        { "a task of one", async (Placed placed) => { await Task.Yield(); return One; }, 1 },
        { "a task of null", async Task<Paid?> (Placed placed) => { await Task.Yield(); return null; }, 0 },
        { "a value task of one", async ValueTask<Paid> (Placed placed) => { await Task.Yield(); return One; }, 1 },
        { "a task of many", async Task<IEnumerable<Paid>> (Placed placed) => { await Task.Yield(); return [One, Two]; }, 2 },
        { "a value task of an iterator", async ValueTask<IEnumerable<Paid>> (Placed placed) => { await Task.Yield(); return Iterate(placed); }, 2 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task What_a_handler_returns_is_said(string shape, Delegate handler, int count)
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));

        await rig.HandleAllAsync(rig.Define(h => h.Handle(handler)));

        Assert.Equal(new object[] { One, Two }.Take(count), await rig.DataOfAsync("payments"));
        Assert.True((await rig.RecordsOfAsync("orders.dlq")).Count == 0, shape);
    }

    [Fact]
    public async Task Events_of_types_without_a_handler_and_unknown_events_are_passed_over()
    {
        await using var rig = await OpenAsync();
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent { Id = "1", Source = "/else", Type = "unknown" }, EventMode.Binary, "a"u8, 0, b));
        await rig.AppendAsync(b => EventCodec.Write(
            new CloudEvent { Id = "2", Source = "/else", Type = "test.paid", Data = """{"Order":"a","Amount":1}"""u8.ToArray() },
            EventMode.Binary, "a"u8, 0, b));
        await rig.PublishAsync(("3", new Placed("a", 1m)));

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed) => new Paid(placed.Order, placed.Amount))));

        Assert.Equal([One], await rig.DataOfAsync("payments"));
        Assert.Empty(await rig.RecordsOfAsync("orders.dlq"));
    }

    [Fact]
    public async Task An_old_version_is_lifted_and_handled_in_either_mode()
    {
        await using var rig = await OpenAsync();
        foreach (var mode in new[] { EventMode.Binary, EventMode.Structured })
        {
            await rig.AppendAsync(b => EventCodec.Write(
                new CloudEvent { Id = mode.ToString(), Source = "/else", Type = "test.placed.v0", Data = """{"Order":"a"}"""u8.ToArray() },
                mode, "a"u8, 0, b));
        }

        await rig.HandleAllAsync(rig.Define(h => h.Handle((Placed placed, MessageContext context) =>
        {
            Assert.Equal("test.placed.v0", context.Type);
            return new Paid(placed.Order, placed.Amount);
        })));

        Assert.Equal([One, One], await rig.DataOfAsync("payments"));
    }

    [Fact]
    public async Task What_is_said_names_its_cause_and_transaction()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("cause", new Placed("a", 1m)));
        var payments = rig.Define(h => h.Handle((Placed placed) => new[] { One, Two }), name: "payments");
        var shipping = rig.DefineBare("shipping", h => h
            .From(rig.Name("payments")).WithSource("/test/shipping").Handle((Paid paid) => new Shipped(paid.Order, 1)));

        await rig.HandleAllAsync(payments);
        await rig.HandleAllAsync(shipping);

        var paid = await rig.EventsOfAsync("payments");
        var shipped = await rig.EventsOfAsync("shipments");
        Assert.All(paid, e => Assert.Equal(("cause", "cause", "/test/payments"), (e.CausationId, e.CorrelationId, e.Source)));
        Assert.Equal(paid.Select(e => e.Id), shipped.Select(e => e.CausationId));
        Assert.All(shipped, e => Assert.Equal("cause", e.CorrelationId));
        Assert.Equal(4, paid.Concat(shipped).Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task Ids_do_not_depend_on_how_an_event_was_run_or_how_often()
    {
        var ids = new List<string[]>();
        foreach (var handler in new Delegate[]
        {
            (Placed placed) => new[] { One, Two },
            async Task<Paid[]> (Placed placed) => { await Task.Yield(); return [One, Two]; },
            (Placed placed, MessageContext context) => context.Attempt < 3 ? throw new InvalidOperationException() : new[] { One, Two },
        })
        {
            await using var rig = await OpenAsync();
            await rig.PublishAsync(("1", new Placed("a", 1m)), ("2", new Placed("a", 1m)));
            await rig.HandleAllAsync(rig.Define(h => h.Handle(handler)));
            ids.Add([.. (await rig.EventsOfAsync("payments")).Select(e => e.Id)]);
        }

        Assert.Equal(4, ids[0].Length);
        Assert.Equal(ids[0], ids[1]);
        Assert.Equal(ids[0], ids[2]);
    }

    [Fact]
    public async Task Parameters_are_what_they_say()
    {
        await using var rig = await OpenAsync();
        await rig.PublishAsync(("1", new Placed("a", 1m)));
        MessageContext? seen = null;
        TimeProvider? clock = null;
        var clerk = new Clerk();
        var asked = 0;
        var services = new Services(type =>
        {
            if (type != typeof(Clerk)) return null;
            asked++;
            return clerk;
        });

        await rig.HandleAllAsync(rig.Define(
            h => h.Handle((Placed placed, TimeProvider time, Clerk given, MessageContext context, CancellationToken cancellation) =>
            {
                (seen, clock) = (context, time);
                Assert.Same(clerk, given);
                Assert.True(cancellation.CanBeCanceled);
                return new Paid(placed.Order, placed.Amount);
            }),
            services));

        Assert.Single(await rig.RecordsOfAsync("payments"));
        Assert.Same(rig.Time, clock);
        Assert.Equal(1, asked);
        Assert.Equal(
            new MessageContext
            {
                Group = rig.Name("group"),
                Source = "/test/outside",
                EventId = "1",
                Type = "test.placed",
                Topic = rig.Name("orders"),
                Partition = 0,
                Offset = 0,
                Key = "a",
                CorrelationId = "1",
                Time = rig.Time.Start,
                Attempt = 1,
            },
            seen);
    }

    private static IEnumerable<Paid> Iterate(Placed placed)
    {
        yield return One;
        yield return Two;
    }

    private sealed class Clerk;

    private sealed class Services(Func<Type, object?> find) : IServiceProvider
    {
        public object? GetService(Type serviceType) => find(serviceType);
    }
}

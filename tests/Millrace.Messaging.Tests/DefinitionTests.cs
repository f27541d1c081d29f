using System.Collections.Immutable;
using System.Linq.Expressions;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Messaging.Contract;

namespace Millrace.Messaging.Tests;

public sealed class DefinitionTests
{
    [Fact]
    public void A_parameter_that_is_no_event_is_refused_by_handler_parameter_and_type() =>
        Refused(h => h.Handle(Wrong.Unknown), "Wrong.Unknown", "'thing'", nameof(Unregistered), "not registered");

    [Fact]
    public void An_old_version_is_not_handled_but_its_current_one() =>
        Refused(h => h.Handle(Wrong.Old), "Wrong.Old", "'old'", nameof(PlacedV0));

    [Fact]
    public void Two_handlers_for_one_type_in_one_group_are_refused() =>
        Refused(h => h.Handle(Right.Nothing).Handle(Right.Again), "Right.Again", nameof(Placed), "Right.Nothing");

    [Fact]
    public void A_service_that_nobody_registered_is_refused()
    {
        Refused(h => h.Handle(Wrong.Service), "Wrong.Service", "'format'", nameof(IFormatProvider), "no services were given");
        Refused(
            h => h.Handle(Wrong.Service),
            new ServiceCollection().BuildServiceProvider(),
            "Wrong.Service", "'format'", nameof(IFormatProvider), "no such service");
    }

    [Fact]
    public void A_scoped_service_is_refused_because_handlers_resolve_once()
    {
        var services = new ServiceCollection().AddScoped<Clerk>().BuildServiceProvider(validateScopes: true);

        Refused(h => h.Handle((Placed placed, Clerk clerk) => { }), services, "'clerk'", nameof(Clerk), "scoped");
    }

    [Fact]
    public void By_reference_parameters_are_refused()
    {
        Refused(h => h.Handle(Wrong.Ref), "Wrong.Ref", "'count'", "ref");
        Refused(h => h.Handle(Wrong.Out), "Wrong.Out", "'count'", "out");
        Refused(h => h.Handle(Wrong.In), "Wrong.In", "'placed'", "in");
    }

    [Fact]
    public void A_generic_method_is_refused() => Refused(h => h.Handle(Wrong.Generic<int>), "Wrong.Generic", "generic");

    [Fact]
    public void An_async_void_method_is_refused() => Refused(h => h.Handle(Wrong.AsyncVoid), "Wrong.AsyncVoid", "async void");

    [Fact]
    public void A_method_without_parameters_is_refused() => Refused(h => h.Handle(() => { }), "no parameter");

    [Fact]
    public void A_delegate_of_several_methods_is_refused()
    {
        Action<Placed> both = Right.Nothing;
        both += Right.Again;

        Refused(h => h.Handle(both), "several methods");
    }

    [Fact]
    public void A_second_event_is_refused() =>
        Refused(h => h.Handle((Placed placed, Paid paid) => { }), "'paid'", nameof(Paid), "second event");

    [Fact]
    public void State_that_is_not_kept_is_refused() =>
        Refused(h => h.Handle((Placed placed, State<Total> total) => { }), "'total'", "State<Total>", "WithState");

    [Fact]
    public void The_same_state_twice_is_refused() => Refused(
        h => h.WithState("totals", TestJson.Default.Total).Handle((Placed placed, State<Total> one, State<Total> two) => { }),
        "'two'", "State<Total>", "twice");

    [Fact]
    public void Return_types_that_hold_no_events_are_refused()
    {
        Refused(h => h.Handle((Placed placed) => 3), "Int32", "neither");
        Refused(h => h.Handle((Placed placed) => "text"), "String", "neither");
        Refused(h => h.Handle((Placed placed) => new Unregistered("a")), nameof(Unregistered), "neither");
        Refused(h => h.Handle((Placed placed) => new List<Unregistered>()), nameof(Unregistered), "not registered");
        Refused(h => h.Handle((Placed placed) => Task.FromResult(3)), "Int32");
        Refused(h => h.Handle((Placed placed) => new PlacedV0("a")), nameof(PlacedV0));
        Refused(h => h.Handle((Placed placed) => Task.FromResult(Task.CompletedTask)), "Task");
        Refused(h => h.Handle((Placed placed) => (new Paid("a", 1), new Paid("a", 2))), "ValueTuple");
    }

    [Fact]
    public void Saying_without_a_source_is_refused()
    {
        var failure = Assert.Throws<ArgumentException>(() => Handlers.Define(
            "group", TestEvents.Registry, h => h.From("orders").Handle((Placed placed) => new Paid(placed.Order, 1))));

        Assert.Contains("WithSource", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_without_topics_or_handlers_is_refused()
    {
        Assert.Contains("From", Throws(h => h.Handle(Right.Nothing)).Message, StringComparison.Ordinal);
        Assert.Contains("Handle", Throws(h => h.From("orders")).Message, StringComparison.Ordinal);

        static ArgumentException Throws(Action<HandlersBuilder> define) =>
            Assert.Throws<ArgumentException>(() => Handlers.Define("group", TestEvents.Registry, define));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("seen")]
    [InlineData("seen.again")]
    [InlineData("$timers")]
    public void A_store_name_that_is_reserved_or_no_name_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => Define(h => h.WithState(name, TestJson.Default.Total)));

    [Fact]
    public void Two_stores_of_one_name_or_type_are_refused()
    {
        Refused(h => h.WithState("a", TestJson.Default.Total).WithState("a", TestJson.Default.Basket), "'a'", "twice");
        Refused(h => h.WithState("a", TestJson.Default.Total).WithState("b", TestJson.Default.Total), "'a'", "'b'", "State<Total>");
    }

    [Fact]
    public void Numbers_out_of_their_range_are_refused()
    {
        OutOfRange(h => h.WithParallelism(0));
        OutOfRange(h => h.WithParallelism(HandlersBuilder.ParallelismMax + 1));
        OutOfRange(h => h.WithRetries(0, TimeSpan.Zero));
        OutOfRange(h => h.WithRetries(HandlersBuilder.AttemptsMax + 1, TimeSpan.Zero));
        OutOfRange(h => h.WithRetries(3, TimeSpan.FromTicks(-1)));
        OutOfRange(h => h.WithRetries(3, HandlersBuilder.RetryDelayMax + TimeSpan.FromTicks(1)));
        OutOfRange(h => h.WithDeduplication(TimeSpan.Zero));
        OutOfRange(h => h.WithDeduplication(TimeSpan.FromDays(1), 0));
        OutOfRange(h => h.WithDeduplication(TimeSpan.FromDays(1), HandlersBuilder.RememberedEventsMax + 1));
        OutOfRange(h => h.WithDeduplication(HandlersBuilder.DeduplicationMax + TimeSpan.FromTicks(1)));

        static void OutOfRange(Action<HandlersBuilder> define) => Assert.Throws<ArgumentOutOfRangeException>(() => Define(define));
    }

    [Fact]
    public void A_topic_whose_dead_letter_topic_would_have_no_valid_name_is_refused() =>
        Refused(h => h.From(new string('a', 246)).Handle(Right.Nothing), "249");

    [Fact]
    public void A_topic_named_twice_is_refused() => Refused(h => h.From("orders"), "'orders'", "twice");

    [Fact]
    public void A_handlers_processor_has_a_dead_letter_topic_for_each_topic_that_it_reads()
    {
        var processor = Handlers.Define("group", TestEvents.Registry, h => h.From("orders", "payments").Handle(Right.Nothing));

        Assert.Equal("group", processor.Name);
        Assert.Equal(["orders", "payments"], processor.Topics);
        Assert.Equal([new("orders.dlq", "orders"), new CompanionTopic("payments.dlq", "payments")], processor.Companions);
    }

    [Fact]
    public void Every_shape_that_the_reference_names_is_accepted()
    {
        Accepted((Placed placed) => { });
        Accepted((Placed placed) => new Paid(placed.Order, 1));
        Accepted((Placed placed) => (IPayment)new Paid(placed.Order, 1));
        Accepted(object? (Placed placed) => null);
        Accepted((Placed placed) => Array.Empty<object>());
        Accepted((Placed placed) => new List<IPayment>());
        Accepted((Placed placed) => ImmutableArray.Create(new Paid("a", 1)));
        Accepted((Placed placed) => Enumerable.Empty<Paid>());
        Accepted((Placed placed) => Task.CompletedTask);
        Accepted((Placed placed) => ValueTask.CompletedTask);
        Accepted((Placed placed) => Task.FromResult(new Paid("a", 1)));
        Accepted((Placed placed) => ValueTask.FromResult<IReadOnlyList<Paid>>([]));
        Accepted(new Clerk().Pay);
        Expression<Func<Placed, Paid>> expression = placed => new Paid(placed.Order, placed.Amount);
        Accepted(expression.Compile());

        static void Accepted(Delegate handler) => Assert.Equal("group", Define(h => h.Handle(handler)).Name);
    }

    private static Processor Define(Action<HandlersBuilder> define, IServiceProvider? services = null) => Handlers.Define(
        "group", TestEvents.Registry, h => define(h.From("orders").WithSource("/test/group").WithRetries(3, TimeSpan.Zero)), services);

    private static void Refused(Action<HandlersBuilder> define, params string[] words) => Refused(define, null, words);

    private static void Refused(Action<HandlersBuilder> define, IServiceProvider? services, params string[] words)
    {
        var failure = Assert.Throws<ArgumentException>(() => Define(define, services));

        foreach (var word in words) Assert.Contains(word, failure.Message, StringComparison.Ordinal);
    }

    private static class Right
    {
        public static void Nothing(Placed placed)
        {
        }

        public static void Again(Placed placed)
        {
        }
    }

    private static class Wrong
    {
        public static void Unknown(Unregistered thing)
        {
        }

        public static void Old(PlacedV0 old)
        {
        }

        public static void Service(Placed placed, IFormatProvider format)
        {
        }

        public static void Ref(Placed placed, ref int count)
        {
        }

        public static void Out(Placed placed, out int count) => count = 0;

        public static void In(in Placed placed)
        {
        }

        public static void Generic<T>(Placed placed)
        {
        }

        public static async void AsyncVoid(Placed placed) => await Task.Yield();
    }

    private sealed class Clerk
    {
        private readonly decimal _fee = 1;

        public Paid Pay(Placed placed) => new(placed.Order, placed.Amount + _fee);
    }
}

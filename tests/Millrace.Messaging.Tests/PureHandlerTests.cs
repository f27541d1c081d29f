using Millrace.Messaging.Contract;

namespace Millrace.Messaging.Tests;

/// <summary>A user tests a handler by calling it: no engine, no runtime, nothing to stand in for them.</summary>
public sealed class PureHandlerTests
{
    [Fact]
    public void A_handler_is_a_function_of_event_and_state()
    {
        var state = new State<Total>(new Total(10m, 1));

        var paid = Pay.Handle(new Placed("a", 5m), state);

        Assert.Equal(new Paid("a", 5m), paid);
        Assert.Equal(new Total(15m, 2), state.Value);
        Assert.True(state.IsChanged);
    }

    [Fact]
    public void A_new_key_has_no_state()
    {
        var state = new State<Total>();

        Assert.False(state.HasValue);
        Assert.Null(state.Value);
        Assert.False(state.IsChanged);
    }

    [Fact]
    public void State_is_removed_by_null_or_by_name()
    {
        var byNull = new State<Total>(new Total(1m, 1)) { Value = null };
        var byName = new State<int>(3);
        byName.Remove();

        Assert.False(byNull.HasValue);
        Assert.True(byNull.IsChanged);
        Assert.False(byName.HasValue);
        Assert.Equal(0, byName.Value);
    }

    [Fact]
    public void A_context_is_made_of_what_the_test_says()
    {
        var context = new MessageContext { Group = "payments", Source = "/orders", EventId = "1" };

        Assert.Equal(1, context.Attempt);
        Assert.Equal(context.IdempotencyKey, (context with { Attempt = 2, Topic = "elsewhere", Offset = 7 }).IdempotencyKey);
    }

    [Fact]
    public void The_idempotency_key_differs_by_group_source_and_id_however_they_are_cut()
    {
        var contexts = new MessageContext[]
        {
            new() { Group = "payments", Source = "/orders", EventId = "1" },
            new() { Group = "payments", Source = "/orders", EventId = "2" },
            new() { Group = "payments", Source = "/orders1", EventId = "" },
            new() { Group = "payment", Source = "s/orders", EventId = "1" },
            new() { Group = "refunds", Source = "/orders", EventId = "1" },
        };

        Assert.Equal(contexts.Length, contexts.Select(c => c.IdempotencyKey).Distinct().Count());
        Assert.All(contexts, c => Assert.Matches("^[0-9a-f]{32}$", c.IdempotencyKey));
        // Stable over versions of the program: providers remember it for days.
        Assert.Equal("0188b15757bcf9d10b8adf3e0508745a", contexts[0].IdempotencyKey);
    }

    private static class Pay
    {
        public static Paid Handle(Placed placed, State<Total> total)
        {
            total.Value = new Total((total.Value?.Amount ?? 0) + placed.Amount, (total.Value?.Count ?? 0) + 1);
            return new Paid(placed.Order, placed.Amount);
        }
    }
}

using Shop.Api;
using Shop.Orders;
using Shop.View;

namespace Shop.Tests;

/// <summary>The view as a fold: whatever the order in which topics are read, the same is shown.</summary>
public sealed class ViewTests
{
    [Fact]
    public void Events_in_any_order_and_twice_show_the_same_order()
    {
        var created = Event(Created("ORD-1", 5m), "1", null, 1);
        var address = ((OrderCreated)created.Data).ShippingAddress;
        var confirmed = Event(
            new OrderConfirmed { OrderId = "ORD-1", CustomerId = "C", Items = [], TotalAmount = 5m, ShippingAddress = address },
            "2", "1", 1);
        foreach (var events in new[] { new[] { created, confirmed }, [confirmed, created], [confirmed, created, created, confirmed] })
        {
            var view = Open();
            view.Apply("orders.created", events, events.Length, null);

            var order = view.FindOrder("ORD-1")!;
            Assert.Equal(("CONFIRMED", 5m), (order.Status, view.Count().ConfirmedTotal));
            Assert.Equal(["1", "2"], order.Timeline.Select(entry => entry.Id));
            Assert.Equal((0, 1), (view.Count().Orders.Pending, view.Count().Orders.Confirmed));
        }
    }

    [Fact]
    public void A_rebuilt_view_lists_as_a_live_one_does()
    {
        var events = Enumerable.Range(0, 500)
            .Select(i => Event(Created($"ORD-{i * 7 % 500:000}", 1m), $"{i}", null, i * 7 % 500 / 3)).ToList();
        var (live, rebuilt) = (Open(), new ShopView());
        rebuilt.AddTopic("orders.created");

        live.Apply("orders.created", events, 500, null);
        rebuilt.Apply("orders.created", events, 500, null);
        rebuilt.Open();

        var expected = events.Select(viewed => ((OrderCreated)viewed.Data).OrderId).OrderDescending(StringComparer.Ordinal).Take(200);
        Assert.Equal(expected, live.ListOrders(null, null, 1, 200).Items.Select(order => order.OrderId));
        Assert.Equal(expected, rebuilt.ListOrders("C", "PENDING", 1, 200).Items.Select(order => order.OrderId));
    }

    [Fact]
    public async Task A_wait_that_is_given_up_leaves_and_one_that_is_met_ends()
    {
        var view = Open();
        using var impatience = new CancellationTokenSource();
        var givenUp = view.WaitForOrderAsync("ORD-1", impatience.Token);
        var met = view.WaitForOrderAsync("ORD-1", RunningShop.Patience);

        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => givenUp);
        view.Apply("orders.created", [Event(Created("ORD-1", 1m), "1", null, 0)], 1, null);

        Assert.Equal("ORD-1", (await met).OrderId);
    }

    [Fact]
    public void A_timeline_stands_in_causal_order_when_clocks_do_not()
    {
        TimelineEntry Entry(string id, string? causation, int second) =>
            new() { Id = id, Causation = causation, Time = DateTimeOffset.UnixEpoch.AddSeconds(second), Type = "t", Service = "s" };

        var ordered = Chronicle.Order(
            [Entry("c", "b", 0), Entry("b", "a", 0), Entry("a", "elsewhere", 5), Entry("x", "y", 9), Entry("y", "x", 8)]);

        Assert.Equal(["a", "b", "c", "y", "x"], ordered.Select(entry => entry.Id));
    }

    private static ShopView Open()
    {
        var view = new ShopView();
        view.AddTopic("orders.created");
        view.Open();
        return view;
    }

    private static ViewedEvent Event(object data, string id, string? causation, int second) => new(data, second, new TimelineEntry
    {
        Id = id,
        Causation = causation,
        Time = DateTimeOffset.UnixEpoch.AddSeconds(second),
        Type = "t",
        Service = "order-service",
    });

    private static OrderCreated Created(string orderId, decimal total) => new()
    {
        OrderId = orderId,
        CustomerId = "C",
        Items = [],
        TotalAmount = total,
        ShippingAddress = new Address { Street = "s", City = "c", Country = "x" },
    };
}

using Millrace.Messaging;
using Shop.Inventory;
using Shop.Orders;
using Shop.Payments;

namespace Shop.Tests;

/// <summary>The handlers as pure functions: what they remember and what they say.</summary>
public sealed class HandlerTests
{
    private static readonly OrderCreated Order = new()
    {
        OrderId = "ORD-2026-001",
        CustomerId = "CUST-789",
        Items =
        [
            new OrderLine { Sku = "PROD-001", Quantity = 2, Price = 29.99m },
            new OrderLine { Sku = "PROD-002", Quantity = 1, Price = 49.99m },
        ],
        TotalAmount = 109.97m,
        ShippingAddress = new Address { Street = "123 Main St", City = "Seattle", Country = "US" },
    };

    private static readonly PaymentProcessed Payment = new()
    {
        PaymentId = "PAY-2026-001",
        OrderId = Order.OrderId,
        Amount = 109.97m,
        Currency = "USD",
        Method = "CREDIT_CARD",
        TransactionRef = "TXN-1",
    };

    private static readonly PaymentFailed Declined = new()
    {
        PaymentId = "PAY-2026-001",
        OrderId = Order.OrderId,
        Amount = 109.97m,
        Currency = "USD",
        Method = "CREDIT_CARD",
        Reason = "The card was declined.",
    };

    private static readonly InventoryReserved Reserved = new() { OrderId = Order.OrderId, Items = [] };

    [Fact]
    public void A_reserved_order_is_confirmed_with_all_that_its_mail_needs()
    {
        var state = new State<OrderState>();

        Assert.Null(SettleOrder.OnCreated(Order, state));
        var said = Assert.IsType<OrderConfirmed>(SettleOrder.OnReserved(Reserved, state));

        Assert.Equal(
            (Order.OrderId, Order.CustomerId, Order.TotalAmount, Order.Items),
            (said.OrderId, said.CustomerId, said.TotalAmount, said.Items));
        Assert.Equal(new OrderState { Status = OrderState.Confirmed }, state.Value);
    }

    [Fact]
    public void An_outcome_that_is_read_before_its_order_waits_for_it()
    {
        var state = new State<OrderState>();

        Assert.Null(SettleOrder.OnPaymentFailed(Declined, state));
        var said = Assert.IsType<OrderCancelled>(SettleOrder.OnCreated(Order, state));

        Assert.Equal("The card was declined.", said.Reason);
    }

    [Fact]
    public void An_order_ends_once()
    {
        var state = new State<OrderState>();
        SettleOrder.OnCreated(Order, state);
        SettleOrder.OnReserved(Reserved, state);

        Assert.Null(SettleOrder.OnPaymentFailed(Declined, state));
        Assert.Null(SettleOrder.OnReserved(Reserved, state));
        Assert.Null(SettleOrder.OnCreated(Order, state));
        Assert.Equal(OrderState.Confirmed, state.Value?.Status);
    }

    [Fact]
    public void A_reservation_is_asked_for_once_whichever_half_is_read_first()
    {
        foreach (var isOrderFirst in new[] { true, false })
        {
            var state = new State<ReservationState>();
            Func<ReservationRequested?>[] halves =
                [() => RequestReservation.OnOrderCreated(Order, state), () => RequestReservation.OnPaymentProcessed(Payment, state)];
            if (!isOrderFirst) Array.Reverse(halves);

            Assert.Null(halves[0]());
            Assert.Null(halves[0]());
            var said = halves[1]();
            Assert.Null(halves[1]());
            Assert.Null(halves[0]());

            Assert.Equal(["PROD-001 2", "PROD-002 1"], said!.Items.Select(line => $"{line.Sku} {line.Quantity}"));
        }
    }

    [Fact]
    public void An_order_of_someone_else_with_one_sku_twice_is_reserved_as_one_line_and_one_without_quantity_is_refused()
    {
        var twice = Order with { Items = [Order.Items[0], Order.Items[0]] };
        var none = Order with { Items = [Order.Items[0] with { Quantity = -1 }] };

        var (state, _) = RequestReservation.Learn(null, twice);

        Assert.Equal(4, Assert.Single(state.Items).Quantity);
        Assert.Throws<ArgumentException>(() => RequestReservation.Learn(null, none));
    }

    [Fact]
    public void A_charge_and_a_decline_say_what_the_provider_answered()
    {
        var (captured, processed) = TakePayment.Conclude(Order, "USD", new ChargeAnswer.Charged("TXN-1"));
        var (failed, refused) = TakePayment.Conclude(Order, "USD", new ChargeAnswer.Declined("No."));

        Assert.Equal(Payment, processed);
        Assert.Equal((PaymentState.Captured, "TXN-1"), (captured.Status, captured.TransactionRef));
        Assert.Equal((PaymentState.Failed, null), (failed.Status, failed.TransactionRef));
        Assert.Equal("No.", Assert.IsType<PaymentFailed>(refused).Reason);
    }
}

using System.Runtime.InteropServices;
using Shop.Api;
using Shop.Orders;

namespace Shop.View;

/// <summary>One order as the view knows it. Its events come by separate topics in any order, so each part may be there first.</summary>
internal sealed class OrderEntry(string orderId)
{
    public string OrderId { get; } = orderId;

    /// <summary>Null until the order itself was read.</summary>
    public OrderCreated? Order { get; set; }

    /// <summary>Where the order's record is in its partition: the first of the order's id.</summary>
    public long Offset { get; set; }

    public DateTimeOffset PlacedAt { get; set; }

    public string Status { get; set; } = OrderState.Pending;

    public string? Reason { get; set; }

    public List<TimelineEntry> Timeline { get; } = new(5);

    public OrderSummary Summarise()
    {
        var order = Order ?? throw new InvalidOperationException($"Order '{OrderId}' was not read yet.");
        return new OrderSummary
        {
            OrderId = OrderId,
            CustomerId = order.CustomerId,
            Status = Status,
            Reason = Reason,
            Items = order.Items,
            Total = order.TotalAmount,
            PlacedAt = PlacedAt,
        };
    }
}

/// <summary>
/// All orders in memory with what queries need: by id, and oldest to newest in all, per status and per customer, so that a page costs its
/// own length. Not thread safe: the view's lock guards it.
/// </summary>
internal sealed class OrderBook
{
    /// <summary>Oldest first; the id decides between two of the same millisecond, so that the order is the same after a restart.</summary>
    public static readonly Comparer<OrderEntry> Age = Comparer<OrderEntry>.Create(static (a, b) =>
    {
        var byTime = a.PlacedAt.CompareTo(b.PlacedAt);
        return byTime != 0 ? byTime : string.CompareOrdinal(a.OrderId, b.OrderId);
    });

    private readonly Dictionary<string, OrderEntry> _orders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<OrderEntry>> _byCustomer = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<OrderEntry>> _byStatus = new(StringComparer.Ordinal)
    {
        [OrderState.Pending] = [],
        [OrderState.Confirmed] = [],
        [OrderState.Cancelled] = [],
    };

    private readonly List<OrderEntry> _all = [];
    private bool _isOpen;

    public OrderCounts Counts => new()
    {
        Pending = _byStatus[OrderState.Pending].Count,
        Confirmed = _byStatus[OrderState.Confirmed].Count,
        Cancelled = _byStatus[OrderState.Cancelled].Count,
    };

    /// <summary>The sum of all confirmed orders.</summary>
    public decimal ConfirmedTotal { get; private set; } = 0.00m;

    /// <summary>The order, if it was read.</summary>
    public OrderEntry? Find(string orderId) => _orders.TryGetValue(orderId, out var entry) && entry.Order is not null ? entry : null;

    /// <summary>The entry of an order that some event was read of; made when there is none.</summary>
    public OrderEntry Open(string orderId)
    {
        ref var entry = ref CollectionsMarshal.GetValueRefOrAddDefault(_orders, orderId, out _);
        return entry ??= new OrderEntry(orderId);
    }

    /// <summary>Takes an order in; false when it is there already: the first record of an id is the order.</summary>
    public bool Place(OrderEntry entry, OrderCreated order, long offset, DateTimeOffset placedAt)
    {
        if (entry.Order is not null) return false;
        (entry.Order, entry.Offset, entry.PlacedAt) = (order, offset, placedAt);
        if (entry.Status == OrderState.Confirmed) ConfirmedTotal += order.TotalAmount;
        if (!_isOpen)
        {
            _all.Add(entry);
            return true;
        }

        Insert(_all, entry);
        Insert(OfCustomer(order.CustomerId), entry);
        Insert(_byStatus[entry.Status], entry);
        return true;
    }

    /// <summary>Ends an order; false when it has ended already.</summary>
    public bool Settle(OrderEntry entry, string status, string? reason)
    {
        if (entry.Status != OrderState.Pending) return false;
        (entry.Status, entry.Reason) = (status, reason);
        if (entry.Order is null) return true;
        if (status == OrderState.Confirmed) ConfirmedTotal += entry.Order.TotalAmount;
        if (!_isOpen) return true;
        var pending = _byStatus[OrderState.Pending];
        pending.RemoveAt(pending.BinarySearch(entry, Age));
        Insert(_byStatus[status], entry);
        return true;
    }

    /// <summary>
    /// Makes the lists after a rebuild, which reads partition after partition and so in no order of time: sorting once is cheaper than
    /// keeping order.
    /// </summary>
    public void Open()
    {
        _all.Sort(Age);
        foreach (var entry in _all)
        {
            OfCustomer(entry.Order!.CustomerId).Add(entry);
            _byStatus[entry.Status].Add(entry);
        }

        _isOpen = true;
    }

    /// <summary>A page, newest first.</summary>
    public (List<OrderSummary> Items, int Total) List(string? customerId, string? status, int page, int pageSize)
    {
        var orders = _all;
        if (customerId is not null) orders = _byCustomer.GetValueOrDefault(customerId, []);
        else if (status is not null) orders = _byStatus[status];
        if (customerId is not null && status is not null) orders = orders.FindAll(entry => entry.Status == status);

        var skipped = (page - 1L) * pageSize;
        var items = new List<OrderSummary>(pageSize);
        for (var i = orders.Count - 1 - skipped; i >= 0 && items.Count < pageSize; i--) items.Add(orders[(int)i].Summarise());
        return (items, orders.Count);
    }

    private List<OrderEntry> OfCustomer(string customerId)
    {
        ref var orders = ref CollectionsMarshal.GetValueRefOrAddDefault(_byCustomer, customerId, out _);
        return orders ??= new List<OrderEntry>(1);
    }

    /// <summary>Live orders come almost in order of time, so the place is found from the end.</summary>
    private static void Insert(List<OrderEntry> orders, OrderEntry entry)
    {
        var place = orders.Count;
        while (place > 0 && Age.Compare(orders[place - 1], entry) > 0) place--;
        orders.Insert(place, entry);
    }
}

using Shop.Api;
using Shop.Inventory;
using Shop.Notifications;
using Shop.Orders;
using Shop.Payments;

namespace Shop.View;

/// <summary>An event as the view takes it in, with its record's offset.</summary>
internal readonly record struct ViewedEvent(object Data, long Offset, TimelineEntry Entry);

/// <summary>What the view adds to the shop's numbers.</summary>
internal sealed record ViewCounts(
    OrderCounts Orders, decimal ConfirmedTotal, long Mails, IReadOnlyDictionary<string, long> Events);

/// <summary>
/// What queries see: a fold over the topics, in memory, rebuilt at each start. Queries may be asked once it is open. Thread safe.
/// </summary>
internal sealed class ShopView
{
    /// <summary>Guards everything below.</summary>
    private readonly Lock _lock = new();
    private readonly OrderBook _orders = new();
    private readonly Dictionary<string, StockView> _stock = new(StringComparer.Ordinal);
    private readonly List<string> _skus = [];
    private readonly Dictionary<string, long> _events = new(StringComparer.Ordinal);
    private readonly Waiters<OrderCreated> _orderWaiters = new();
    private readonly Waiters<StockView> _skuWaiters = new();
    private readonly Waiters<StockView> _levelWaiters = new();
    private readonly List<(Func<OrderCounts, bool> Condition, TaskCompletionSource Met)> _countWaiters = [];
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _mails;

    /// <summary>Completes when the view has caught up with what was in the topics at the start.</summary>
    public Task Opened => _opened.Task;

    /// <summary>Takes a topic into the counts, so that one without events is shown with 0.</summary>
    public void AddTopic(string topic)
    {
        lock (_lock) _events.TryAdd(topic, 0);
    }

    /// <summary>
    /// Takes in events of one partition in their order, and tells <paramref name="changes"/> what they changed, if someone wants to know.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="events">The events; those of unknown types are left out of them.</param>
    /// <param name="records">How many records were read, unknown ones included.</param>
    /// <param name="changes">Where changes go, or null.</param>
    public void Apply(string topic, IReadOnlyList<ViewedEvent> events, int records, ViewChanges? changes)
    {
        lock (_lock)
        {
            _events[topic] += records;
            foreach (var viewed in events) Apply(viewed, changes);
            MeetConditions();
        }
    }

    /// <summary>Opens the view: it has caught up.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _orders.Open();
            MeetConditions();
        }

        _opened.TrySetResult();
    }

    /// <summary>The order with its events, or null.</summary>
    public OrderDetails? FindOrder(string orderId)
    {
        lock (_lock)
        {
            if (_orders.Find(orderId) is not { Order: { } order } entry) return null;
            return new OrderDetails
            {
                OrderId = orderId,
                CustomerId = order.CustomerId,
                Status = entry.Status,
                Reason = entry.Reason,
                Items = order.Items,
                Total = order.TotalAmount,
                PlacedAt = entry.PlacedAt,
                ShippingAddress = order.ShippingAddress,
                Timeline = Chronicle.Order(entry.Timeline),
            };
        }
    }

    /// <summary>The offset of the record that began an order, the first of its id; null when none was read.</summary>
    public long? FindOrderOffset(string orderId)
    {
        lock (_lock) return _orders.Find(orderId)?.Offset;
    }

    /// <summary>The order as it was placed, once the view has it.</summary>
    public Task<OrderCreated> WaitForOrderAsync(string orderId, CancellationToken cancellation)
    {
        TaskCompletionSource<OrderCreated> waiter;
        lock (_lock)
        {
            if (_orders.Find(orderId) is { Order: { } order }) return Task.FromResult(order);
            waiter = _orderWaiters.Add(orderId);
        }

        return AwaitAsync(_orderWaiters, orderId, waiter, cancellation);
    }

    /// <summary>The first level that the view has of a sku.</summary>
    public Task<StockView> WaitForSkuAsync(string sku, CancellationToken cancellation)
    {
        TaskCompletionSource<StockView> waiter;
        lock (_lock)
        {
            if (_stock.TryGetValue(sku, out var level)) return Task.FromResult(level);
            waiter = _skuWaiters.Add(sku);
        }

        return AwaitAsync(_skuWaiters, sku, waiter, cancellation);
    }

    /// <summary>The level that follows from the event of that id, which is not published yet: ask first, publish, then await.</summary>
    public Task<StockView> WaitForLevelAsync(string causationId, CancellationToken cancellation)
    {
        TaskCompletionSource<StockView> waiter;
        lock (_lock) waiter = _levelWaiters.Add(causationId);
        return AwaitAsync(_levelWaiters, causationId, waiter, cancellation);
    }

    /// <summary>Completes when a condition on the counts of orders holds; it is looked at after every change.</summary>
    public async Task WaitForCountsAsync(Func<OrderCounts, bool> condition, CancellationToken cancellation)
    {
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (condition(_orders.Counts)) return;
            _countWaiters.Add((condition, met));
        }

        await met.Task.WaitAsync(cancellation);
    }

    /// <summary>What those orders are now, oldest first.</summary>
    public List<OrderSummary> Summarise(IReadOnlyCollection<string> orderIds)
    {
        lock (_lock)
        {
            var orders = orderIds.Select(_orders.Find).OfType<OrderEntry>().ToList();
            orders.Sort(OrderBook.Age);
            return orders.ConvertAll(order => order.Summarise());
        }
    }

    /// <summary>A page of orders, newest first.</summary>
    public (List<OrderSummary> Items, int Total) ListOrders(string? customerId, string? status, int page, int pageSize)
    {
        lock (_lock) return _orders.List(customerId, status, page, pageSize);
    }

    /// <summary>A page of the stock, by sku.</summary>
    public (List<StockView> Items, int Total) ListStock(int page, int pageSize)
    {
        lock (_lock)
        {
            var items = new List<StockView>(pageSize);
            for (var i = (page - 1L) * pageSize; i < _skus.Count && items.Count < pageSize; i++) items.Add(_stock[_skus[(int)i]]);
            return (items, _skus.Count);
        }
    }

    /// <summary>The level of a sku, or null when it is not in the catalogue.</summary>
    public StockView? FindStock(string sku)
    {
        lock (_lock) return _stock.GetValueOrDefault(sku);
    }

    /// <summary>What the view adds to the shop's numbers.</summary>
    public ViewCounts Count()
    {
        lock (_lock)
        {
            return new ViewCounts(
                _orders.Counts, _orders.ConfirmedTotal, _mails, new SortedDictionary<string, long>(_events, StringComparer.Ordinal));
        }
    }

    private void Apply(in ViewedEvent viewed, ViewChanges? changes)
    {
        if (viewed.Data is StockChanged level)
        {
            Apply(level, viewed.Entry.Causation, changes);
            return;
        }

        if (OrderIdOf(viewed.Data) is not { } orderId) return;
        var entry = _orders.Open(orderId);
        if (!Chronicle.Add(entry.Timeline, viewed.Entry)) return;
        changes?.Add(orderId, viewed.Entry);
        if (viewed.Data is MailSent mail) Apply(mail, viewed.Entry.Time, changes);
        var isChanged = viewed.Data switch
        {
            OrderCreated order => Place(entry, order, viewed),
            OrderConfirmed => _orders.Settle(entry, OrderState.Confirmed, null),
            OrderCancelled cancelled => _orders.Settle(entry, OrderState.Cancelled, cancelled.Reason),
            _ => false,
        };
        if (isChanged && entry.Order is not null) changes?.Add(entry);
    }

    private bool Place(OrderEntry entry, OrderCreated order, in ViewedEvent viewed)
    {
        if (!_orders.Place(entry, order, viewed.Offset, viewed.Entry.Time)) return false;
        _orderWaiters.Complete(entry.OrderId, order);
        return true;
    }

    private void Apply(StockChanged changed, string? causationId, ViewChanges? changes)
    {
        var level = new StockView { Sku = changed.Sku, Available = changed.Available, Reserved = changed.Reserved, Price = changed.Price };
        if (!_stock.ContainsKey(level.Sku)) _skus.Insert(~_skus.BinarySearch(level.Sku, StringComparer.Ordinal), level.Sku);
        _stock[level.Sku] = level;
        changes?.Add(level);
        _skuWaiters.Complete(level.Sku, level);
        if (causationId is not null) _levelWaiters.Complete(causationId, level);
    }

    private void Apply(MailSent mail, DateTimeOffset time, ViewChanges? changes)
    {
        _mails++;
        changes?.Add(new LiveMail { OrderId = mail.OrderId, File = $"mail/{mail.File}", Time = time });
    }

    private async Task<T> AwaitAsync<T>(Waiters<T> waiters, string key, TaskCompletionSource<T> waiter, CancellationToken cancellation)
    {
        try
        {
            return await waiter.Task.WaitAsync(cancellation);
        }
        finally
        {
            // Leave nothing behind when the wait was given up.
            if (!waiter.Task.IsCompleted)
            {
                lock (_lock) waiters.Remove(key, waiter);
            }
        }
    }

    private void MeetConditions()
    {
        if (_countWaiters.Count == 0) return;
        var counts = _orders.Counts;
        _countWaiters.RemoveAll(waiter => waiter.Condition(counts) && waiter.Met.TrySetResult());
    }

    private static string? OrderIdOf(object data) => data switch
    {
        OrderCreated order => order.OrderId,
        OrderConfirmed order => order.OrderId,
        OrderCancelled order => order.OrderId,
        PaymentProcessed payment => payment.OrderId,
        PaymentFailed payment => payment.OrderId,
        PaymentRefunded payment => payment.OrderId,
        ReservationRequested request => request.OrderId,
        InventoryReserved reserved => reserved.OrderId,
        InventoryInsufficient shortage => shortage.OrderId,
        MailSent mail => mail.OrderId,
        _ => null,
    };
}

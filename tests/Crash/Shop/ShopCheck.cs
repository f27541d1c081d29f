using System.Diagnostics;
using System.Text.Json;

namespace Millrace.Crash.Shop;

/// <summary>
/// Waits until the Shop is settled and then compares its orders, money, stock and mails with each other and with what was acknowledged.
/// </summary>
internal sealed class ShopCheck(ShopClient shop, ShopLoad load, string data, TimeSpan settleMax)
{
    private const string Created = "com.ecommerce.orders.order.created", Confirmed = "com.ecommerce.orders.order.confirmed",
        Cancelled = "com.ecommerce.orders.order.cancelled", Processed = "com.ecommerce.payments.payment.processed",
        Failed = "com.ecommerce.payments.payment.failed", Refunded = "com.ecommerce.payments.payment.refunded",
        Requested = "com.ecommerce.inventory.reservation.requested", Reserved = "com.ecommerce.inventory.inventory.reserved",
        Insufficient = "com.ecommerce.inventory.inventory.insufficient", Sent = "com.ecommerce.notifications.mail.sent";

    private static readonly string[][] Paths =
    [
        [Created, Processed, Requested, Reserved, Confirmed, Sent],
        [Created, Failed, Cancelled],
        [Created, Processed, Requested, Insufficient, Refunded, Cancelled],
    ];

    private readonly ShopFindings _findings = new();
    private readonly Dictionary<string, long> _confirmedQuantities = [];
    private decimal _confirmedTotal;
    private int _charges, _refunds;

    public async Task<ShopFindings> RunAsync()
    {
        foreach (var contradiction in load.Contradictions) Complain(contradiction, doubled: 1);
        var stats = await SettleAsync();
        await CheckOrdersAsync();
        CheckMoney(stats);
        await CheckStockAsync();
        CheckMails(stats);
        return _findings;
    }

    private async Task<JsonElement> SettleAsync()
    {
        var since = Stopwatch.GetTimestamp();
        while (true)
        {
            var stats = await shop.GetAsync("/api/stats");
            if (IsSettled(stats)) return stats;
            if (Stopwatch.GetElapsedTime(since) > settleMax)
            {
                Complain($"Not settled within {settleMax.TotalSeconds} s: {stats}");
                return stats;
            }

            await Task.Delay(50);
        }
    }

    private bool IsSettled(JsonElement stats)
    {
        var orders = stats.GetProperty("orders");
        var ended = orders.GetProperty("confirmed").GetInt64() + orders.GetProperty("cancelled").GetInt64();
        return orders.GetProperty("pending").GetInt64() == 0 && ended >= load.Orders.Count
            && stats.GetProperty("lag").EnumerateObject().All(lag => lag.Value.GetInt64() == 0);
    }

    private async Task CheckOrdersAsync()
    {
        var listed = (await shop.GetAllAsync("/api/orders")).Select(order => order.GetProperty("orderId").GetString()!).ToList();
        var acknowledged = load.Orders.Values.ToHashSet();
        if (acknowledged.Count != load.Orders.Count)
            Complain("Two keys were answered with the same order.", lost: load.Orders.Count - acknowledged.Count);
        if (listed.Count != listed.Distinct().Count()) Complain("An order is listed twice.");
        foreach (var id in acknowledged.Except(listed)) Complain($"Order {id} was acknowledged and is not there.", lost: 1);
        foreach (var id in listed.Except(acknowledged)) Complain($"Order {id} is there, but no key was answered with it.", doubled: 1);
        foreach (var id in listed) CheckOrder(await shop.GetAsync($"/api/orders/{id}"));
    }

    private void CheckOrder(JsonElement order)
    {
        var id = order.GetProperty("orderId").GetString();
        var status = order.GetProperty("status").GetString();
        var types = order.GetProperty("timeline").EnumerateArray().Select(happened => happened.GetProperty("type").GetString()).ToArray();
        var path = Array.Find(Paths, path => path.SequenceEqual(types));
        if (path is null)
            Complain($"Order {id} is {status} after {string.Join(", ", types)}.", doubled: types.Length - types.Distinct().Count());
        if (status is not ("CONFIRMED" or "CANCELLED")) Complain($"Order {id} is {status}.", lost: 1);
        else if (path is not null && status == "CONFIRMED" != (path == Paths[0]))
            Complain($"Order {id} is {status} after {string.Join(", ", types)}.");
        _charges += types.Count(type => type == Processed);
        _refunds += types.Count(type => type == Refunded);
        if (status == "CANCELLED") _findings.Cancelled++;
        if (status != "CONFIRMED") return;

        _findings.ConfirmedIds.Add(id!);
        var total = order.GetProperty("total").GetDecimal();
        var sum = 0m;
        foreach (var item in order.GetProperty("items").EnumerateArray())
        {
            var (sku, quantity) = (item.GetProperty("sku").GetString()!, item.GetProperty("quantity").GetInt32());
            sum += quantity * item.GetProperty("price").GetDecimal();
            _confirmedQuantities[sku] = _confirmedQuantities.GetValueOrDefault(sku) + quantity;
        }

        if (sum != total) Complain($"Order {id} has a total of {total}; its items sum up to {sum}.");
        _confirmedTotal += total;
    }

    private void CheckMoney(JsonElement stats)
    {
        _findings.Captured = stats.GetProperty("captured").GetDecimal();
        _findings.Refunded = stats.GetProperty("refunded").GetDecimal();
        Compare("captured less refunded", _confirmedTotal, _findings.Captured - _findings.Refunded);
        Compare("confirmedTotal", _confirmedTotal, stats.GetProperty("confirmedTotal").GetDecimal());
        Compare("charges", _charges, stats.GetProperty("charges").GetInt64());
        Compare("refunds", _refunds, stats.GetProperty("refunds").GetInt64());
        Compare("confirmed", _findings.Confirmed, stats.GetProperty("orders").GetProperty("confirmed").GetInt64());
        Compare("cancelled", _findings.Cancelled, stats.GetProperty("orders").GetProperty("cancelled").GetInt64());
    }

    private async Task CheckStockAsync()
    {
        foreach (var article in await shop.GetAllAsync("/api/inventory"))
        {
            var sku = article.GetProperty("sku").GetString()!;
            var (available, reserved) = (article.GetProperty("available").GetInt64(), article.GetProperty("reserved").GetInt64());
            if (available < 0) Complain($"{sku} has {available} available.");
            Compare($"{sku} reserved", _confirmedQuantities.GetValueOrDefault(sku), reserved);
            if (load.Stock.FirstOrDefault(stock => stock.Sku == sku) is { Sku: not null } set)
                Compare($"{sku} available", set.Available - reserved, available);
        }
    }

    private void CheckMails(JsonElement stats)
    {
        var folder = Path.Combine(data, "mail");
        var mails = Directory.Exists(folder)
            ? Directory.GetFiles(folder, "*.eml").Select(Path.GetFileNameWithoutExtension).ToHashSet()
            : [];
        foreach (var id in _findings.ConfirmedIds.Where(id => !mails.Contains(id)))
            Complain($"Order {id} is confirmed and has no mail.", lost: 1);
        foreach (var id in mails.Where(id => !_findings.ConfirmedIds.Contains(id!)))
            Complain($"There is a mail {id}.eml, but no such confirmed order.", doubled: 1);
        Compare("mails", _findings.Confirmed, stats.GetProperty("mails").GetInt64());
    }

    private void Compare(string what, decimal expected, decimal actual)
    {
        if (expected != actual) Complain($"{what}: expected {expected}, found {actual}.");
    }

    private void Complain(string complaint, int lost = 0, int doubled = 0)
    {
        _findings.Complaints.Add(complaint);
        _findings.Lost += lost;
        _findings.Doubled += doubled;
    }
}

/// <summary>What the check found.</summary>
internal sealed class ShopFindings
{
    public List<string> Complaints { get; } = [];

    public HashSet<string> ConfirmedIds { get; } = [];

    public int Confirmed => ConfirmedIds.Count;

    public int Cancelled { get; set; }

    public int Lost { get; set; }

    public int Doubled { get; set; }

    public decimal Captured { get; set; }

    public decimal Refunded { get; set; }
}

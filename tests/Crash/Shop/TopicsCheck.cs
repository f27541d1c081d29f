using System.Text.Json;
using Confluent.Kafka;
using Millrace.Crash.Accounts;

namespace Millrace.Crash.Shop;

/// <summary>
/// Reads the Shop's topics as any program would, knowing nothing of its code, and checks them by event id and by order id.
/// </summary>
internal sealed class TopicsCheck(string bootstrap, ShopLoad load)
{
    private const string Created = "order.created", Confirmed = "order.confirmed", Cancelled = "order.cancelled",
        Processed = "payment.processed", Failed = "payment.failed", Refunded = "payment.refunded", Requested = "reservation.requested",
        Reserved = "inventory.reserved", Insufficient = "inventory.insufficient", Sent = "mail.sent";

    private static readonly TimeSpan ReadMax = TimeSpan.FromSeconds(60);

    private static readonly string[] Topics =
        ["orders.created", "orders.updated", "payments.done", "inventory.requests", "inventory.rsrvd", "notifications.sent"];

    private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _created = new(StringComparer.Ordinal); // the data of each order's first record
    private readonly Dictionary<string, Dictionary<string, int>> _orders = new(StringComparer.Ordinal); // how often each type, by order
    private int _events, _repeated;
    private decimal _captured, _refunded, _confirmedTotal;

    public List<string> Complaints { get; } = [];

    public int Lost { get; private set; }

    public int Doubled { get; private set; }

    /// <summary>What was there, in words.</summary>
    public string Account =>
        $"{_orders.Count} orders, {_events} events, {_repeated} orders appended again and passed over, " +
        $"captured {_captured}, refunded {_refunded}, confirmed {_confirmedTotal}";

    public Task RunAsync(CancellationToken cancellation)
    {
        var partitions = PartitionsOf();
        foreach (var topic in Topics)
        {
            using var tail = new TopicTail(bootstrap, topic, partitions[topic]);
            tail.ReadToEnd(ReadMax, cancellation);
            foreach (var record in tail.Records.SelectMany(records => records)) Take(topic, record);
        }

        foreach (var (topic, count) in partitions.Where(topic => topic.Key.EndsWith(".dlq", StringComparison.Ordinal)))
        {
            using var tail = new TopicTail(bootstrap, topic, count);
            tail.ReadToEnd(ReadMax, cancellation);
            if (tail.Records.Sum(records => records.Count) is var dead and > 0) Complain($"{topic} holds {dead} records.", lost: dead);
        }

        foreach (var (id, types) in _orders) CheckOrder(id, types);
        foreach (var id in load.Orders.Values.Where(id => !_created.ContainsKey(id)))
            Complain($"Order {id} was acknowledged and is not in orders.created.", lost: 1);
        if (_captured - _refunded != _confirmedTotal)
            Complain($"By the topics, captured {_captured} less refunded {_refunded} is not confirmed {_confirmedTotal}.");
        return Task.CompletedTask;
    }

    private Dictionary<string, int> PartitionsOf()
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap }).Build();
        return admin.GetMetadata(ReadMax).Topics.ToDictionary(topic => topic.Topic, topic => topic.Partitions.Count, StringComparer.Ordinal);
    }

    private void Take(string topic, TextRecord record)
    {
        using var json = JsonDocument.Parse(record.Value);
        var (envelope, data) = (json.RootElement, json.RootElement.GetProperty("data"));
        var type = envelope.GetProperty("type").GetString()!;
        if (!data.TryGetProperty("orderId", out var orderId)) return; // of a sku, not of an order
        var id = orderId.GetString()!;
        type = type[(type.IndexOf('.', "com.ecommerce.".Length) + 1)..];
        if (record.Key != id) Complain($"{topic} {record.Partition}:{record.Offset} of order {id} has the key {record.Key}.");
        _events++;
        if (!_ids.Add($"{envelope.GetProperty("source").GetString()} {envelope.GetProperty("id").GetString()}"))
        {
            // Only an order's first event may be appended again: Kafka has no condition, so the first in the log is the order.
            if (type == Created) _repeated++;
            else Complain($"{topic} {record.Partition}:{record.Offset} is event {envelope.GetProperty("id")}, which was there before.", doubled: 1);
            return;
        }

        if (!_orders.TryGetValue(id, out var types)) _orders[id] = types = new Dictionary<string, int>(StringComparer.Ordinal);
        types[type] = types.GetValueOrDefault(type) + 1;
        if (type == Created) _created[id] = data.GetProperty("totalAmount").GetRawText();
        if (type == Processed) _captured += data.GetProperty("amount").GetDecimal();
        if (type == Refunded) _refunded += data.GetProperty("amount").GetDecimal();
        if (type == Confirmed) _confirmedTotal += data.GetProperty("totalAmount").GetDecimal();
    }

    /// <summary>An order has one of three histories, each event of it once.</summary>
    private void CheckOrder(string id, Dictionary<string, int> types)
    {
        foreach (var (type, count) in types.Where(type => type.Value > 1)) Complain($"Order {id} has {count} events {type}.", doubled: count - 1);
        string[][] histories =
        [
            [Created, Processed, Requested, Reserved, Confirmed, Sent],
            [Created, Failed, Cancelled],
            [Created, Processed, Requested, Insufficient, Refunded, Cancelled],
        ];
        if (histories.Any(history => history.ToHashSet(StringComparer.Ordinal).SetEquals(types.Keys))) return;
        Complain($"Order {id} has {string.Join(", ", types.Keys)}.", lost: types.ContainsKey(Confirmed) || types.ContainsKey(Cancelled) ? 0 : 1);
    }

    private void Complain(string complaint, int lost = 0, int doubled = 0)
    {
        Complaints.Add(complaint);
        Lost += lost;
        Doubled += doubled;
    }
}

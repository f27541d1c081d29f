using System.Text.Json.Serialization;

namespace Millrace.Messaging.Contract;

public interface IPayment;

public sealed record Placed(string Order, decimal Amount);

public sealed record PlacedV0(string Order);

public sealed record Paid(string Order, decimal Amount) : IPayment;

public sealed record Declined(string Order, string Reason) : IPayment;

public sealed record Shipped(string Order, double Weight);

public sealed record Unregistered(string Order);

public sealed record Total(decimal Amount, int Count);

/// <summary>A state that invites to be changed in place.</summary>
public sealed class Basket
{
    public List<string> Items { get; set; } = [];
}

[JsonSerializable(typeof(Placed))]
[JsonSerializable(typeof(PlacedV0))]
[JsonSerializable(typeof(Paid))]
[JsonSerializable(typeof(Declined))]
[JsonSerializable(typeof(Shipped))]
[JsonSerializable(typeof(Total))]
[JsonSerializable(typeof(Basket))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(double))]
public sealed partial class TestJson : JsonSerializerContext;

/// <summary>The registry of these events.</summary>
public static class TestEvents
{
    /// <summary>With the topics' names as they are.</summary>
    public static EventRegistry Registry { get; } = Create(topic => topic);

    /// <summary>With topics called otherwise.</summary>
    public static EventRegistry Create(Func<string, string> name) => EventRegistry.Create(events => events
        .Add("test.placed", name("orders"), TestJson.Default.Placed, e => e.Order)
        .AddOld("test.placed.v0", TestJson.Default.PlacedV0, (PlacedV0 old) => new Placed(old.Order, 1m))
        .Add("test.paid", name("payments"), TestJson.Default.Paid, e => e.Order)
        .Add("test.declined", name("payments"), TestJson.Default.Declined, e => e.Order)
        .Add("test.shipped", name("shipments"), TestJson.Default.Shipped, e => e.Order));
}

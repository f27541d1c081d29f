using System.Text.Json.Serialization;

namespace Millrace.Messaging.Tests;

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
internal sealed partial class TestJson : JsonSerializerContext;

internal static class TestEvents
{
    public static readonly EventRegistry Registry = EventRegistry.Create(events => events
        .Add("test.placed", "orders", TestJson.Default.Placed, e => e.Order)
        .AddOld("test.placed.v0", TestJson.Default.PlacedV0, (PlacedV0 old) => new Placed(old.Order, 1m))
        .Add("test.paid", "payments", TestJson.Default.Paid, e => e.Order)
        .Add("test.declined", "payments", TestJson.Default.Declined, e => e.Order)
        .Add("test.shipped", "shipments", TestJson.Default.Shipped, e => e.Order));
}

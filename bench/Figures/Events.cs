using System.Text.Json.Serialization;

namespace Millrace.Figures;

/// <summary>An event that is handled.</summary>
public sealed record OrderPlaced(string OrderId, string CustomerId, decimal Amount);

/// <summary>The event that is said for it.</summary>
public sealed record OrderPaid(string OrderId, decimal Amount, string Method);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderPaid))]
public sealed partial class BenchJson : JsonSerializerContext;

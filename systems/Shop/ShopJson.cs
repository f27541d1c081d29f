using System.Text.Json.Serialization;
using Shop.Api;
using Shop.Inventory;
using Shop.Notifications;
using Shop.Orders;
using Shop.Payments;

namespace Shop;

/// <summary>
/// How events, kept state and the provider's books are written as JSON: camelCase, decimals as numbers, nothing by reflection.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OrderCreated))]
[JsonSerializable(typeof(OrderConfirmed))]
[JsonSerializable(typeof(OrderCancelled))]
[JsonSerializable(typeof(OrderState))]
[JsonSerializable(typeof(PaymentProcessed))]
[JsonSerializable(typeof(PaymentFailed))]
[JsonSerializable(typeof(PaymentRefunded))]
[JsonSerializable(typeof(PaymentState))]
[JsonSerializable(typeof(LedgerEntry))]
[JsonSerializable(typeof(ReservationRequested))]
[JsonSerializable(typeof(ReservationState))]
[JsonSerializable(typeof(StockSet))]
[JsonSerializable(typeof(StockChanged))]
[JsonSerializable(typeof(InventoryReserved))]
[JsonSerializable(typeof(InventoryInsufficient))]
[JsonSerializable(typeof(StockLevel))]
[JsonSerializable(typeof(MailSent))]
internal sealed partial class ShopJson : JsonSerializerContext;

/// <summary>
/// How the HTTP interface and the live feed are written as JSON: the same, but with nulls, so that a field is always there.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(UtcTimeConverter)])]
[JsonSerializable(typeof(OrderRequest))]
[JsonSerializable(typeof(StockRequest))]
[JsonSerializable(typeof(OrderAccepted))]
[JsonSerializable(typeof(OrderSummary))]
[JsonSerializable(typeof(OrderDetails))]
[JsonSerializable(typeof(OrderPage))]
[JsonSerializable(typeof(StockView))]
[JsonSerializable(typeof(StockPage))]
[JsonSerializable(typeof(ShopStats))]
[JsonSerializable(typeof(LiveSnapshot))]
[JsonSerializable(typeof(LiveTimelineEntry))]
[JsonSerializable(typeof(LiveMail))]
internal sealed partial class ApiJson : JsonSerializerContext;

/// <summary><see cref="ApiJson"/> as answers are written.</summary>
internal static class PlainJson
{
    public static ApiJson Api { get; } = new(PlainAnswers.Of(ApiJson.Default.Options));
}

using System.Globalization;
using System.Text;
using Shop.Orders;

namespace Shop.Notifications;

/// <summary>
/// The mail that confirms an order, as RFC 5322 text with CRLF. The same event gives the same bytes, so writing it again changes nothing.
/// </summary>
internal static class Mail
{
    public static byte[] Compose(OrderConfirmed order, string currency, DateTimeOffset time)
    {
        var text = new StringBuilder();
        Line(text, "From: The Shop <orders@shop.example>");
        Line(text, $"To: <{LocalPart(order.CustomerId)}@customers.shop.example>");
        Line(text, $"Subject: Your order {order.OrderId} is confirmed");
        Line(text, $"Date: {time.ToUniversalTime().ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture)} +0000");
        Line(text, $"Message-ID: <{order.OrderId}@shop.example>");
        Line(text, "MIME-Version: 1.0");
        Line(text, "Content-Type: text/plain; charset=utf-8");
        Line(text, "Content-Transfer-Encoding: 8bit");
        Line(text, "");
        Line(text, $"Dear customer {OneLine(order.CustomerId)},");
        Line(text, "");
        Line(text, $"your order {order.OrderId} is paid and its goods are reserved:");
        Line(text, "");
        foreach (var item in order.Items)
            Line(
                text, $"  {item.Quantity} x {OneLine(item.Sku)} at {Amount(item.Price)} = {Amount(item.Quantity * item.Price)} {currency}");
        Line(text, "");
        Line(text, $"Total: {Amount(order.TotalAmount)} {currency}");
        Line(text, "");
        var address = order.ShippingAddress;
        Line(text, $"It goes to {OneLine(address.Street)}, {OneLine(address.City)}, {OneLine(address.Country)}.");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Line(StringBuilder text, string line) => text.Append(line).Append("\r\n");

    private static string Amount(decimal amount) => amount.ToString("0.00##", CultureInfo.InvariantCulture);

    /// <summary>A text as it may stand in a body's line: a line break in it would make lines of its own.</summary>
    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));

    /// <summary>
    /// The part of an address before the @. What RFC 5322 does not allow there becomes its hexadecimal code, so that two customers never
    /// share one.
    /// </summary>
    private static string LocalPart(string customerId)
    {
        var part = new StringBuilder();
        foreach (var c in customerId)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '_') part.Append(c);
            else part.Append(CultureInfo.InvariantCulture, $"={(int)c:X4}");
        }

        return part.ToString();
    }
}

using Millrace.Messaging;
using Shop.Orders;

namespace Shop.Notifications;

/// <summary>Writes one mail per confirmed order, and says so once it is written.</summary>
internal static class SendConfirmation
{
    public static async Task<MailSent> OnConfirmed(
        OrderConfirmed order, MessageContext context, NotificationDesk desk, CancellationToken cancellation)
    {
        // The id becomes a file's name, and an event may come from anywhere.
        if (!IsFileName(order.OrderId))
            throw new ArgumentException($"The order id '{FieldErrors.Show(order.OrderId)}' is not 1 to 100 of [A-Za-z0-9_-].");
        var file = await desk.Room.WriteAsync(order.OrderId, Mail.Compose(order, desk.Currency, context.Time), cancellation);
        return new MailSent { OrderId = order.OrderId, File = file };
    }

    public static bool IsFileName(string orderId) =>
        orderId.Length is > 0 and <= 100 && orderId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}

/// <summary>What the handler of notifications works with.</summary>
internal sealed record NotificationDesk(MailRoom Room, string Currency);

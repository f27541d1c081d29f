using Millrace;
using Millrace.Messaging;
using Shop.Orders;

namespace Shop.Notifications;

/// <summary>Writes one mail per confirmed order and tells the browsers.</summary>
internal static class SendConfirmation
{
    public const string Group = "notifications";

    /// <summary>A mail waits for the disk, and one sync serves all that wait: the more at once the better.</summary>
    private const int Parallelism = 64;

    /// <summary>
    /// A disk may be full for a while; with the pauses below it has about 25 seconds before a mail becomes a dead letter.
    /// </summary>
    private const int Attempts = 8;

    public static Task OnConfirmed(OrderConfirmed order, MessageContext context, NotificationDesk desk, CancellationToken cancellation)
    {
        // The id becomes a file's name, and an event may come from anywhere.
        if (!IsFileName(order.OrderId))
            throw new ArgumentException($"The order id '{FieldErrors.Show(order.OrderId)}' is not 1 to 100 of [A-Za-z0-9_-].");
        return desk.Room.WriteAsync(order.OrderId, Mail.Compose(order, desk.Currency, context.Time), context.Time, cancellation);
    }

    public static bool IsFileName(string orderId) =>
        orderId.Length is > 0 and <= 100 && orderId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    public static MillraceBuilder AddNotifications(this MillraceBuilder millrace) => millrace.AddHandlers(Group, handlers => handlers
        .From(OrderTopics.Updated)
        .WithParallelism(Parallelism)
        .WithRetries(Attempts, TimeSpan.FromMilliseconds(200))
        .Handle(OnConfirmed));
}

/// <summary>What the handler of notifications works with.</summary>
internal sealed record NotificationDesk(MailRoom Room, string Currency);

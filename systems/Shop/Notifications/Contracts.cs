namespace Shop.Notifications;

/// <summary>The names that everyone needs to read what Notifications says.</summary>
internal static class NotificationTopics
{
    public const string Sent = "notifications.sent";
    public const string Source = "/services/notification-service";
    public const string Group = "notifications";
}

/// <summary>The mail that confirms an order was written. Written again, it is the same mail and the same event.</summary>
internal sealed record MailSent
{
    public const string Type = "com.ecommerce.notifications.mail.sent";

    public required string OrderId { get; init; }

    /// <summary>The file's name in the folder of the mails.</summary>
    public required string File { get; init; }
}

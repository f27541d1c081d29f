using System.Security.Cryptography;
using System.Text;
using Millrace;
using Millrace.Log;
using Millrace.Messaging;
using Shop.Orders;

namespace Shop.Notifications;

/// <summary>The notification service: what it reads and says, and where its mails go.</summary>
internal static class NotificationsModule
{
    /// <summary>The topics that it reads.</summary>
    public static readonly string[] Topics = [OrderTopics.Updated];

    /// <summary>A mail waits for the disk, and one sync serves all that wait: the more at once the better.</summary>
    private const int Parallelism = 64;

    /// <summary>
    /// A disk may be full for a while; with the pauses below it has about 25 seconds before a mail becomes a dead letter.
    /// </summary>
    private const int Attempts = 8;

    public static MillraceBuilder AddNotifications(this MillraceBuilder millrace) =>
        millrace.AddHandlers(NotificationTopics.Group, handlers => handlers
        .From(Topics)
        .WithSource(NotificationTopics.Source)
        .WithParallelism(Parallelism)
        .WithRetries(Attempts, TimeSpan.FromMilliseconds(200))
        .Handle(SendConfirmation.OnConfirmed));

    public static EventRegistryBuilder AddNotificationEvents(this EventRegistryBuilder events) => events
        .Add(MailSent.Type, NotificationTopics.Sent, ShopJson.Default.MailSent, mail => mail.OrderId);

    /// <summary>Where the mails go.</summary>
    public static IServiceCollection AddMailRoom(this IServiceCollection services, ShopOptions options)
    {
        services.AddSingleton(_ => new MailRoom(
            new MailRoomOptions { Directory = options.MailFolder, Writer = WriterOf(options), IsSynced = options.SyncsMail },
            new FileStorage()));
        services.AddSingleton(provider => new NotificationDesk(provider.GetRequiredService<MailRoom>(), options.Currency));
        services.AddHostedService(provider => provider.GetRequiredService<MailRoom>());
        return services;
    }

    /// <summary>
    /// A data folder has one process at a time, so what was left half-written under its name is nobody's: it may be removed.
    /// </summary>
    private static string WriterOf(ShopOptions options) => Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.MachineName}:{options.DataDirectory}")).AsSpan(0, 6));
}

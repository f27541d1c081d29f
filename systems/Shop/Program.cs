using System.Security.Cryptography;
using Millrace;
using Millrace.Log;
using Shop.Api;
using Shop.Inventory;
using Shop.Live;
using Shop.Notifications;
using Shop.Orders;
using Shop.Payments;

namespace Shop;

/// <summary>The composition root: which engine, which services, which doors.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args) => await ShopRun.RunAsync(args, ShopConsole.Standard);

    /// <summary>The shop, ready to start.</summary>
    public static WebApplication Build(ShopOptions options, ShopConsole console)
    {
        var builder = ShopRun.CreateBuilder(options);
        var services = builder.Services;
        services.AddSingleton(options);
        services.AddSingleton(console);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(Topology.Events());

        // Outside effects: the provider's books are a log of their own, the mails are files.
        services.AddSingleton(provider => new SimulatedProvider(
            new SimulatedProviderOptions
            {
                DeclineRate = options.PaymentFailureRate,
                AnswerDelayMax = options.PaymentDelayMax,
                OpenBooks = async cancellation =>
                    await LogEngine.OpenAsync(Path.Combine(options.DataDirectory, "payment-provider"), cancellation: cancellation),
            },
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IPaymentProvider>(provider => provider.GetRequiredService<SimulatedProvider>());
        services.AddSingleton(provider => new PaymentDesk(provider.GetRequiredService<IPaymentProvider>(), options.Currency));
        services.AddSingleton<LiveFeed>();
        services.AddSingleton(provider => new MailRoom(
            new MailRoomOptions { Directory = Path.Combine(options.DataDirectory, "mail"), IsSynced = options.SyncsMail },
            new FileStorage(),
            provider.GetRequiredService<LiveFeed>().Post));
        services.AddSingleton(provider => new NotificationDesk(provider.GetRequiredService<MailRoom>(), options.Currency));
        services.AddHostedService(provider => provider.GetRequiredService<SimulatedProvider>());
        services.AddHostedService(provider => provider.GetRequiredService<MailRoom>());

        // POST -> orders.created -> Payments -> payments.done -> Inventory -> inventory.requests -> Stock -> inventory.rsrvd
        //      -> Orders -> orders.updated -> Notifications; and Stock -> inventory.rsrvd -> Payments (refund) -> payments.done -> Orders.
        services.AddMillrace(millrace => millrace
            .UseEmbeddedLog(Path.Combine(options.DataDirectory, "log"))
            .ConfigureRuntime(
                runtime => runtime with { StopDeadline = TimeSpan.FromMilliseconds(700), CancelGrace = TimeSpan.FromMilliseconds(200) })
            .AddShopTopics()
            .AddOrders()
            .AddPayments()
            .AddInventory()
            .AddStock()
            .AddNotifications());

        services.AddShopView();
        services.AddCustomers(new Random(RandomNumberGenerator.GetInt32(int.MaxValue)));

        var app = builder.Build();
        app.UseProblemDetails();
        app.UseOpeningHours();
        app.UseDefaultFiles();
        app.UseStaticFiles();
        app.MapOpenApi();
        app.MapOrders();
        app.MapInventory();
        app.MapShop();
        return app;
    }
}

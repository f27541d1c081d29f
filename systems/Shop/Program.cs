using Millrace;
using Shop.Api;
using Shop.Customers;
using Shop.Inventory;
using Shop.Notifications;
using Shop.Orders;
using Shop.Payments;
using Shop.View;

namespace Shop;

/// <summary>The composition root: which engine, which services, which doors.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args) => await ShopRun.RunAsync(args, ShopConsole.Standard);

    /// <summary>The shop, or the services of it that the options name, ready to start.</summary>
    public static WebApplication Build(ShopOptions options, ShopConsole console)
    {
        var builder = SystemRun.CreateBuilder(options.Urls, ShopRun.BodyBytesMax, ShopRun.Farewell, PlainJson.Api);
        var services = builder.Services;
        services.AddApiDescription();
        services.AddSingleton(options);
        services.AddSingleton(console);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(Topology.Events());

        // Outside effects: the provider moves money and keeps books of its own, the mails are files.
        if (options.Runs(ShopServices.Orders | ShopServices.Payments)) services.AddLedger(options);
        if (options.Runs(ShopServices.Payments)) services.AddPaymentProvider(options);
        if (options.Runs(ShopServices.Notifications)) services.AddMailRoom(options);

        // POST -> orders.created -> Payments -> payments.done -> Inventory -> inventory.requests -> Stock -> inventory.rsrvd -> Orders
        //      -> orders.updated -> Notifications -> notifications.sent;
        // and where the stock does not suffice: Stock -> inventory.rsrvd -> Payments (refund) -> payments.done -> Orders.
        services.AddMillrace(millrace =>
        {
            millrace.UseEngine(options).AddShopTopics();
            if (options.Runs(ShopServices.Orders)) millrace.AddOrders();
            if (options.Runs(ShopServices.Payments)) millrace.AddPayments();
            if (options.Runs(ShopServices.Inventory)) millrace.AddInventory().AddStock();
            if (options.Runs(ShopServices.Notifications)) millrace.AddNotifications();
        });

        // The orders service has the doors: HTTP, the page, the live feed, and the customers who come without HTTP.
        if (options.Runs(ShopServices.Orders)) services.AddShopView().AddCustomers();
        services.AddReadiness();

        var app = builder.Build();
        app.UseProblemDetails("The shop");
        app.MapHealth(
            "Shop", "Whether the view has caught up and the services run", provider => provider.GetRequiredService<Readiness>().Look());
        if (!options.Runs(ShopServices.Orders)) return app;
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

using System.Security.Cryptography;
using Millrace;
using Shop.Inventory;
using Shop.Orders;
using Shop.View;

namespace Shop.Customers;

/// <summary>What places orders: the use cases, and those who use them without HTTP.</summary>
internal static class CustomersModule
{
    public static IServiceCollection AddCustomers(this IServiceCollection services)
    {
        services.AddSingleton(provider => new OrderIds(Chance(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new StockCommandIds(Chance(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(OpenJournal);
        services.AddSingleton(provider =>
        {
            var view = provider.GetRequiredService<ShopView>();
            return new PlaceOrder(
                provider.GetRequiredService<IOrderJournal>(),
                provider.GetRequiredService<OrderIds>(),
                sku => view.FindStock(sku)?.Price,
                provider.GetRequiredService<ShopOptions>().Currency);
        });
        services.AddSingleton(provider => new SetStock(provider.GetRequiredService<Engine>(), Publisher(provider, InventoryTopics.Source)));
        services.AddSingleton<Catalogue>();
        services.AddSingleton<Replay>();
        services.AddSingleton<Shelves>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<SimulatedCustomers>(provider, Chance()));
        services.AddSingleton<CustomersHost>();
        services.AddHostedService(provider => provider.GetRequiredService<CustomersHost>());
        return services;
    }

    /// <summary>One id is one order: by a condition where the engine takes one, else by the log's order.</summary>
    private static IOrderJournal OpenJournal(IServiceProvider provider)
    {
        var (engine, publisher) = (provider.GetRequiredService<Engine>(), Publisher(provider, OrderTopics.Source));
        if (engine.Capabilities.HasConditionalAppend) return new ConditionalOrderJournal(engine, publisher);
        var (view, reader) = (provider.GetRequiredService<ShopView>(), provider.GetRequiredService<ViewReader>());
        return new FirstWinsOrderJournal(
            engine, publisher, view.FindOrderOffset, (source, offset, cancellation) => reader.WaitAsync(source, offset + 1, cancellation));
    }

    private static EventPublisher Publisher(IServiceProvider provider, string source) =>
        new(provider.GetRequiredService<EventRegistry>(), source, provider.GetRequiredService<TimeProvider>());

    private static Random Chance() => new(RandomNumberGenerator.GetInt32(int.MaxValue));
}

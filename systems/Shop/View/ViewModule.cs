using Millrace;
using Shop.Customers;
using Shop.Live;

namespace Shop.View;

/// <summary>What queries and pages need.</summary>
internal static class ViewModule
{
    public static IServiceCollection AddShopView(this IServiceCollection services)
    {
        services.AddSingleton<ShopView>();
        services.AddSingleton<StatsSource>();
        services.AddSingleton<LiveFeed>();
        services.AddSingleton<LiveContent>();
        services.AddSingleton<LiveEndpoint>();
        services.AddSingleton<ReplayProgress>();
        services.AddSingleton(provider => new ViewReader(
            provider.GetRequiredService<Engine>,
            provider.GetRequiredService<EventRegistry>(),
            provider.GetRequiredService<ShopView>(),
            provider.GetRequiredService<LiveFeed>(),
            provider.GetRequiredService<ILogger<ViewReader>>()));
        services.AddHostedService(provider => provider.GetRequiredService<ViewReader>());
        return services;
    }
}

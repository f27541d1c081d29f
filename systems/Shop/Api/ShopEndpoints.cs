using Shop.Live;
using Shop.View;

namespace Shop.Api;

/// <summary>Numbers and the live feed over HTTP; and the gate that keeps requests out until the shop is open.</summary>
internal static class ShopEndpoints
{
    /// <summary>How long an answer waits for the brokers and for the view.</summary>
    private static readonly TimeSpan StatsPatience = TimeSpan.FromSeconds(10);

    public static void MapShop(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Shop");
        routes.MapGet("/api/stats", ReadStatsAsync)
            .WithName("GetStats")
            .WithSummary("The shop in numbers")
            .Produces<ShopStats>();
        routes.MapGet("/api/live", (HttpContext http, LiveEndpoint live) => live.ServeAsync(http))
            .WithName("FollowLive")
            .WithSummary("Everything that happens, as Server-Sent Events")
            .WithDescription("Events: snapshot (first, and again after falling behind), stats, order, timeline, stock, mail.")
            .Produces<LiveSnapshot>(StatusCodes.Status200OK, "text/event-stream");
    }

    private static async Task<IResult> ReadStatsAsync(StatsSource stats, TimeProvider time, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(StatsPatience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        return Results.Json(await stats.ReadAsync(ending.Token), PlainJson.Api.ShopStats);
    }

    /// <summary>Answers 503 to the interface until the view has caught up: an empty answer would be a wrong one.</summary>
    public static void UseOpeningHours(this WebApplication app) => app.Use(async (http, next) =>
    {
        var readiness = http.RequestServices.GetRequiredService<Readiness>();
        if (readiness.IsStarting && http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal))
        {
            http.Response.Headers.RetryAfter = "1";
            await Problems.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, "The shop is opening; it reads its events first.");
            return;
        }

        await next(http);
    });
}

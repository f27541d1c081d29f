using Millrace;
using Shop.Customers;
using Shop.Live;
using Shop.View;

namespace Shop.Api;

/// <summary>Numbers, the live feed and health over HTTP; and the gate that keeps requests out until the shop is open.</summary>
internal static class ShopEndpoints
{
    public static void MapShop(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Shop");
        routes.MapGet("/api/stats", async (StatsSource stats, CancellationToken cancellation) =>
                Results.Json(await stats.ReadAsync(cancellation), PlainJson.Api.ShopStats))
            .WithName("GetStats")
            .WithSummary("The shop in numbers")
            .Produces<ShopStats>();
        routes.MapGet("/api/live", (HttpContext http, LiveEndpoint live) => live.ServeAsync(http))
            .WithName("FollowLive")
            .WithSummary("Everything that happens, as Server-Sent Events")
            .WithDescription("Events: snapshot (first, and again after falling behind), stats, order, timeline, stock, mail.")
            .Produces<LiveSnapshot>(StatusCodes.Status200OK, "text/event-stream");
        routes.MapGet("/health/live", () => Results.Json(new HealthAnswer { Status = "ok" }, PlainJson.Api.HealthAnswer))
            .WithName("GetLiveness")
            .WithSummary("Whether the process answers")
            .Produces<HealthAnswer>();
        routes.MapGet("/health/ready", (Readiness readiness) => readiness.Reason is { } reason
                ? Results.Json(
                    new HealthAnswer { Status = readiness.IsStarting ? "starting" : "failing", Reason = reason },
                    PlainJson.Api.HealthAnswer, statusCode: StatusCodes.Status503ServiceUnavailable)
                : Results.Json(new HealthAnswer { Status = "ok" }, PlainJson.Api.HealthAnswer))
            .WithName("GetReadiness")
            .WithSummary("Whether the view has caught up and the services run")
            .Produces<HealthAnswer>()
            .Produces<HealthAnswer>(StatusCodes.Status503ServiceUnavailable);
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

/// <summary>Whether the shop can serve. Thread safe.</summary>
internal sealed class Readiness(CustomersHost customers, ViewReader reader, ProcessorRuntime runtime)
{
    /// <summary>True until the view has caught up with what was there at the start, and there is something to sell.</summary>
    public bool IsStarting => !customers.Opened.IsCompleted;

    /// <summary>Why it cannot serve, or null when it can.</summary>
    public string? Reason
    {
        get
        {
            if (reader.Failure is { } failure) return $"The view stopped: {failure}";
            if (IsStarting) return "The view reads the events of earlier runs.";
            foreach (var status in runtime.Statuses)
            {
                if (status.State != ProcessorState.Running)
                    return $"The service '{status.Processor}' is {status.State}: {status.Failure ?? "it begins"}";
            }

            return null;
        }
    }
}

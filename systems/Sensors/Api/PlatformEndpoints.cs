using Millrace;
using Millrace.Streams;
using Sensors.Live;
using Sensors.View;

namespace Sensors.Api;

/// <summary>Numbers, "why is there no output?" and the live feed over HTTP.</summary>
internal static class PlatformEndpoints
{
    public static void MapPlatform(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Platform");
        routes.MapGet("/api/stats", async (StatsSource stats, CancellationToken cancellation) =>
                Results.Json(await stats.ReadAsync(cancellation), PlainJson.Api.SensorsStats))
            .WithName("GetStats").WithSummary("The platform in numbers").Produces<SensorsStats>();
        routes.MapGet("/api/streams", (IEnumerable<RunningTopology> topologies) => Results.Json(
                [.. topologies.Select(topology => Explanation.Of(topology.Explain()))], PlainJson.Api.IReadOnlyListTopologyAnswer))
            .WithName("ExplainStreams")
            .WithSummary("Why is there no output? Per operator: records, watermark, what holds it back, what it waits for")
            .Produces<IReadOnlyList<TopologyAnswer>>();
        routes.MapGet("/api/streams/explain", (IEnumerable<RunningTopology> topologies) =>
                Results.Text(string.Concat(topologies.Select(topology => topology.Explain().ToString()))))
            .WithName("ExplainStreamsAsText").WithSummary("The same as text").Produces<string>(StatusCodes.Status200OK, "text/plain");
        routes.MapGet("/api/live", (HttpContext http, LiveSocket live) => live.ServeAsync(http))
            .WithName("FollowLive").WithSummary("Everything that changes, over a WebSocket; the README says how").ExcludeFromDescription();
    }
}

/// <summary>Whether this process can serve. Thread safe.</summary>
/// <param name="runtime">Its processors.</param>
/// <param name="reader">What feeds the view.</param>
internal sealed class Readiness(ProcessorRuntime runtime, ViewReader reader)
{
    /// <summary>ok, or what is wrong: what fails comes before what begins.</summary>
    public HealthAnswer Look()
    {
        if (reader.Failure is { } failure) return new HealthAnswer { Status = "failing", Reason = $"The view stopped: {failure}" };
        if (!reader.Opened.IsCompletedSuccessfully)
            return new HealthAnswer { Status = "starting", Reason = "The view reads the events of earlier runs." };
        foreach (var status in runtime.Statuses)
        {
            if (status.State == ProcessorState.Running) continue;
            return new HealthAnswer
            {
                Status = status.State == ProcessorState.Starting ? "starting" : "failing",
                Reason = $"'{status.Processor}' is {status.State}: {status.Failure ?? "no failure is known"}",
            };
        }

        return new HealthAnswer { Status = "ok" };
    }
}

using Sensors.Alerts;
using Sensors.View;

namespace Sensors.Api;

/// <summary>Alerts over HTTP.</summary>
internal static class AlertEndpoints
{
    private const int PageSizeMax = 1_000;

    /// <summary>How long an answer waits until the acknowledgement has had its effect.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static void MapAlerts(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Alerts");
        routes.MapGet("/api/alerts", List).WithName("ListAlerts")
            .WithSummary("Alerts, newest first: all that are not over, and the latest 10,000 that are")
            .WithDescription("Query: state, kind, device, page, pageSize (1 to 1000; 50).")
            .Produces<AlertPage>().Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, Problems.ContentType);
        routes.MapGet("/api/alerts/{id}", (string id, SensorsView view) => view.FindAlert(id) is { } alert
                ? Results.Json(alert, PlainJson.Api.AlertAnswer)
                : NotFound(id))
            .WithName("GetAlert").WithSummary("One alert")
            .Produces<AlertAnswer>().Produces<ProblemAnswer>(StatusCodes.Status404NotFound, Problems.ContentType);
        routes.MapPost("/api/alerts/{id}/acknowledge", AcknowledgeAsync).WithName("AcknowledgeAlert")
            .WithSummary("Takes an alert on")
            .Accepts<AcknowledgeRequest>("application/json")
            .Produces<AlertAnswer>()
            .Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, Problems.ContentType)
            .Produces<ProblemAnswer>(StatusCodes.Status404NotFound, Problems.ContentType)
            .Produces<ProblemAnswer>(StatusCodes.Status409Conflict, Problems.ContentType);
    }

    private static IResult List(HttpRequest request, SensorsView view)
    {
        var errors = new FieldErrors();
        var (page, pageSize) = Paging.Read(request.Query, PageSizeMax, errors);
        var state = Queries.Choice(request.Query, "state", AlertStates.All, errors);
        var kind = Queries.Choice(request.Query, "kind", AlertKinds.All, errors);
        if (!errors.IsEmpty) return Problems.Of(errors);
        var device = request.Query["device"].ToString();
        var (items, total) = view.ListAlerts(
            alert => (state is null || alert.State == state) && (kind is null || alert.Kind == kind)
                && (device.Length == 0 || alert.DeviceId == device),
            page, pageSize);
        return Results.Json(new AlertPage { Items = items, Page = page, PageSize = pageSize, Total = total }, PlainJson.Api.AlertPage);
    }

    private static async Task<IResult> AcknowledgeAsync(string id, HttpRequest request, TakeOnAlert takeOn, TimeProvider time)
    {
        var (body, problem) = await Problems.ReadBodyAsync(request, PlainJson.Api.AcknowledgeRequest, request.HttpContext.RequestAborted);
        if (problem is not null) return problem;
        var errors = TakeOnAlert.Check(body!);
        if (!errors.IsEmpty) return Problems.Of(errors);
        using var patience = new CancellationTokenSource(Patience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, request.HttpContext.RequestAborted);
        return await takeOn.ExecuteAsync(id, body!, ending.Token) switch
        {
            TakeOnResult.Done done => Results.Json(done.Alert, PlainJson.Api.AlertAnswer),
            TakeOnResult.Over over => Problems.Of(
                StatusCodes.Status409Conflict,
                $"The alert '{FieldErrors.Show(id)}' was over at {over.Alert.End:O}; there is nothing to take on."),
            TakeOnResult.Unknown => NotFound(id),
            var other => throw new InvalidOperationException($"Unknown result {other.GetType().Name}."),
        };
    }

    private static IResult NotFound(string id) =>
        Problems.Of(StatusCodes.Status404NotFound, $"There is no alert '{FieldErrors.Show(id)}'.");
}

using Shop.Inventory;
using Shop.View;

namespace Shop.Api;

/// <summary>The stock over HTTP.</summary>
internal static class InventoryEndpoints
{
    /// <summary>How long an answer waits for the stock to take a command in.</summary>
    private static readonly TimeSpan StockPatience = TimeSpan.FromSeconds(10);

    public static void MapInventory(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Inventory");
        routes.MapGet("/api/inventory", List)
            .WithName("ListInventory")
            .WithSummary("The stock, by sku")
            .WithPaging()
            .Produces<StockPage>()
            .Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, "application/problem+json");
        routes.MapGet("/api/inventory/{sku}", Find)
            .WithName("GetInventory")
            .WithSummary("The stock of one sku")
            .Produces<StockView>()
            .Produces<ProblemAnswer>(StatusCodes.Status404NotFound, "application/problem+json");
        routes.MapPut("/api/inventory/{sku}", SetAsync)
            .WithName("SetInventory")
            .WithSummary("Sets what can be sold of a sku, and its price")
            .WithDescription(
                "Answers when the stock has taken it in. A new sku enters the catalogue (201). What is reserved stays reserved.")
            .Accepts<StockRequest>("application/json")
            .Produces<StockView>()
            .Produces<StockView>(StatusCodes.Status201Created)
            .Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, "application/problem+json")
            .Produces<ProblemAnswer>(StatusCodes.Status415UnsupportedMediaType, "application/problem+json");
    }

    private static IResult List(HttpRequest request, ShopView view)
    {
        var errors = new FieldErrors();
        var paging = Paging.Read(request.Query, ApiDescription.PageSizeMax, errors);
        if (!errors.IsEmpty) return Problems.Of(errors);
        var (items, total) = view.ListStock(paging.Page, paging.PageSize);
        return Results.Json(
            new StockPage { Items = items, Page = paging.Page, PageSize = paging.PageSize, Total = total }, PlainJson.Api.StockPage);
    }

    private static IResult Find(string sku, ShopView view) => view.FindStock(sku) is { } level
        ? Results.Json(level, PlainJson.Api.StockView)
        : Problems.Of(StatusCodes.Status404NotFound, $"There is no sku '{FieldErrors.Show(sku)}'.");

    private static async Task<IResult> SetAsync(
        string sku, HttpContext http, SetStock setStock, ShopView view, StockCommandIds ids, TimeProvider time)
    {
        var cancellation = http.RequestAborted;
        var (body, problem) = await Problems.ReadBodyAsync(http.Request, cancellation);
        if (problem is not null) return problem;
        var errors = new FieldErrors();
        StockSet? command;
        using (body) command = SetStock.Read(sku, body!.RootElement, errors);
        if (command is null) return Problems.Of(errors);

        var isNew = view.FindStock(sku) is null;
        var id = ids.Next(sku);
        using var patience = new CancellationTokenSource(StockPatience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var applied = view.WaitForLevelAsync(id, ending.Token);
        await setStock.ExecuteAsync([(id, command)], cancellation);
        try
        {
            return Results.Json(
                await applied, PlainJson.Api.StockView, statusCode: isNew ? StatusCodes.Status201Created : StatusCodes.Status200OK);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            return Problems.Of(
                StatusCodes.Status503ServiceUnavailable, "The level is stored and will be set, but the stock has not taken it in yet.");
        }
    }
}

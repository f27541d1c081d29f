using Microsoft.OpenApi;
using Shop.Orders;
using Shop.View;

namespace Shop.Api;

/// <summary>Orders over HTTP.</summary>
internal static class OrderEndpoints
{
    private const int KeyLengthMax = 255;

    /// <summary>How long an answer waits for the order to be durable, and for the view to show it.</summary>
    private static readonly TimeSpan OrderPatience = TimeSpan.FromSeconds(10);

    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Orders");
        routes.MapPost("/api/orders", PlaceAsync)
            .WithName("PlaceOrder")
            .WithSummary("Places an order")
            .WithDescription(
                "Answers when the order is durable. " +
                "With the header Idempotency-Key the same request gives the same order, however often it is sent.")
            .WithParameter(
                ParameterLocation.Header, "Idempotency-Key", JsonSchemaType.String,
                "Makes a repeated request the same order; 1 to 255 characters.")
            .Accepts<OrderRequest>("application/json")
            .Produces<OrderAccepted>(StatusCodes.Status202Accepted)
            .Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, "application/problem+json")
            .Produces<ProblemAnswer>(StatusCodes.Status413PayloadTooLarge, "application/problem+json")
            .Produces<ProblemAnswer>(StatusCodes.Status415UnsupportedMediaType, "application/problem+json")
            .Produces<ProblemAnswer>(StatusCodes.Status422UnprocessableEntity, "application/problem+json");
        routes.MapGet("/api/orders/{id}", Find)
            .WithName("GetOrder")
            .WithSummary("One order with its events")
            .Produces<OrderDetails>()
            .Produces<ProblemAnswer>(StatusCodes.Status404NotFound, "application/problem+json");
        routes.MapGet("/api/orders", List)
            .WithName("ListOrders")
            .WithSummary("Orders, newest first")
            .WithParameter(ParameterLocation.Query, "customerId", JsonSchemaType.String, "Only the orders of this customer.")
            .WithParameter(ParameterLocation.Query, "status", JsonSchemaType.String, "Only PENDING, CONFIRMED or CANCELLED ones.")
            .WithPaging()
            .Produces<OrderPage>()
            .Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, "application/problem+json");
    }

    private static async Task<IResult> PlaceAsync(HttpContext http, PlaceOrder placeOrder, ShopView view, TimeProvider time)
    {
        var cancellation = http.RequestAborted;
        var errors = new FieldErrors();
        var key = ReadKey(http.Request, errors);
        if (!errors.IsEmpty) return Problems.Of(errors);
        var (body, problem) = await Problems.ReadBodyAsync(http.Request, cancellation);
        if (problem is not null) return problem;
        OrderDraft? draft;
        using (body) draft = OrderRequestReader.Read(body!.RootElement, errors);
        if (draft is null) return Problems.Of(errors);

        using var patience = new CancellationTokenSource(OrderPatience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        var result = key is null
            ? await placeOrder.ExecuteAsync(draft, ending.Token)
            : await placeOrder.ExecuteAsync(OrderIds.OfKey(draft.CustomerId, key), draft, ending.Token);
        if (result is PlaceOrderResult.Rejected rejected) return Problems.Of(rejected.Errors);
        var orderId = result switch
        {
            PlaceOrderResult.Placed placed => placed.OrderId,
            PlaceOrderResult.AlreadyPlaced already => already.OrderId,
            _ => throw new InvalidOperationException($"Unknown result {result.GetType().Name}."),
        };

        var order = await view.WaitForOrderAsync(orderId, ending.Token);
        if (result is PlaceOrderResult.AlreadyPlaced && !PlaceOrder.IsSame(draft, order))
        {
            var different = new FieldErrors();
            different.Add(
                "Idempotency-Key",
                $"is '{FieldErrors.Show(key!)}', which belongs to order {orderId} with another body; use a new key for a new order");
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, "The Idempotency-Key was used for another order.", different);
        }

        http.Response.Headers.Location = $"/api/orders/{orderId}";
        var accepted = new OrderAccepted { OrderId = orderId, Status = OrderState.Pending };
        return Results.Json(accepted, PlainJson.Api.OrderAccepted, statusCode: StatusCodes.Status202Accepted);
    }

    private static IResult Find(string id, ShopView view) => view.FindOrder(id) is { } order
        ? Results.Json(order, PlainJson.Api.OrderDetails)
        : Problems.Of(StatusCodes.Status404NotFound, $"There is no order '{FieldErrors.Show(id)}'.");

    private static IResult List(HttpRequest request, ShopView view)
    {
        var errors = new FieldErrors();
        var paging = Paging.Read(request.Query, ApiDescription.PageSizeMax, errors);
        var customerId = request.Query.TryGetValue("customerId", out var customers) ? customers.ToString() : null;
        var status = request.Query.TryGetValue("status", out var statuses) ? statuses.ToString().ToUpperInvariant() : null;
        if (status is not null and not (OrderState.Pending or OrderState.Confirmed or OrderState.Cancelled))
            errors.Add("status", $"is '{FieldErrors.Show(statuses.ToString())}'; it must be PENDING, CONFIRMED or CANCELLED");
        if (!errors.IsEmpty) return Problems.Of(errors);

        var (items, total) = view.ListOrders(customerId, status, paging.Page, paging.PageSize);
        return Results.Json(
            new OrderPage { Items = items, Page = paging.Page, PageSize = paging.PageSize, Total = total }, PlainJson.Api.OrderPage);
    }

    private static string? ReadKey(HttpRequest request, FieldErrors errors)
    {
        if (!request.Headers.TryGetValue("Idempotency-Key", out var values)) return null;
        var key = values.ToString();
        if (values.Count != 1 || key.Length is 0 or > KeyLengthMax || !key.All(c => c is >= ' ' and <= '~'))
            errors.Add(
                "Idempotency-Key", $"is '{FieldErrors.Show(key)}'; it must be 1 to {KeyLengthMax} visible ASCII characters, given once");
        return key;
    }
}

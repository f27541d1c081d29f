using System.Globalization;
using Millrace.Relational;
using Sensors.Devices;
using Sensors.View;

namespace Sensors.Api;

/// <summary>Devices and their series over HTTP.</summary>
internal static class DeviceEndpoints
{
    private const int PageSizeMax = 1_000;
    private const int PointsDefault = 500;
    private const int PointsMax = 10_000;

    /// <summary>How long an answer waits for durability.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly string[] Statuses = [.. Enum.GetNames<DeviceStatus>().Select(name => name.ToUpperInvariant())];

    public static void MapDevices(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("").WithTags("Devices");
        routes.MapGet("/api/devices", List).WithName("ListDevices")
            .WithSummary("Devices by id, with their latest values")
            .WithDescription("Query: zone, type, status, q (part of an id or name), page, pageSize (1 to 1000; 50).")
            .Produces<DevicePage>().Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, Problems.ContentType);
        routes.MapGet("/api/devices/{id}", (string id, SensorsView view) => view.FindDevice(id) is { } device
                ? Results.Json(device, PlainJson.Api.DeviceAnswer)
                : NotFound(id))
            .WithName("GetDevice").WithSummary("One device")
            .Produces<DeviceAnswer>().Produces<ProblemAnswer>(StatusCodes.Status404NotFound, Problems.ContentType);
        routes.MapPut("/api/devices/{id}", DescribeAsync).WithName("DescribeDevice")
            .WithSummary("Says what is known of a device: name, place, limits")
            .WithDescription("Replaces what was said before; a field that is left out is as the type or the readings have it.")
            .Accepts<DeviceRequest>("application/json")
            .Produces<DeviceAnswer>().Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, Problems.ContentType);
        routes.MapGet("/api/devices/{id}/series", SeriesAsync).WithName("GetSeries")
            .WithSummary("A device's series from the time-series store")
            .WithDescription(
                "Query: from, to (ISO 8601; the hour before the latest reading), step (such as 10s, 1m, 1h; by default one that gives "
                + "at most 500 points).")
            .Produces<SeriesAnswer>().Produces<ProblemAnswer>(StatusCodes.Status400BadRequest, Problems.ContentType)
            .Produces<ProblemAnswer>(StatusCodes.Status404NotFound, Problems.ContentType);
    }

    private static IResult List(HttpRequest request, SensorsView view)
    {
        var errors = new FieldErrors();
        var (page, pageSize) = Paging.Read(request.Query, PageSizeMax, errors);
        var status = Queries.Choice(request.Query, "status", Statuses, errors);
        if (!errors.IsEmpty) return Problems.Of(errors);
        var filter = new DeviceFilter(
            Text(request, "zone"), Text(request, "type"), status is null ? null : Enum.Parse<DeviceStatus>(status, ignoreCase: true),
            Text(request, "q"));
        var (items, total) = view.ListDevices(filter, page, pageSize);
        return Results.Json(
            new DevicePage { Items = items, Page = page, PageSize = pageSize, Total = total }, PlainJson.Api.DevicePage);
    }

    private static async Task<IResult> DescribeAsync(
        string id, HttpRequest request, DescribeDevice describe, SensorsView view, TimeProvider time)
    {
        var (body, problem) = await Problems.ReadBodyAsync(request, PlainJson.Api.DeviceRequest, request.HttpContext.RequestAborted);
        if (problem is not null) return problem;
        var errors = DescribeDevice.Check(id, body!);
        if (!errors.IsEmpty) return Problems.Of(errors);
        using var patience = new CancellationTokenSource(Patience, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, request.HttpContext.RequestAborted);
        await describe.ExecuteAsync(id, body!, ending.Token);
        return Results.Json(view.FindDevice(id)!, PlainJson.Api.DeviceAnswer);
    }

    private static async Task<IResult> SeriesAsync(
        string id, HttpRequest request, SensorsView view, IServiceProvider services, TimeProvider time, CancellationToken cancellation)
    {
        if (services.GetService<SeriesReader>() is not { } reader)
            return Problems.Of(StatusCodes.Status404NotFound, "There is no store for series: the platform runs with --store none.");
        if (view.FindDevice(id) is not { } device) return NotFound(id);
        var errors = new FieldErrors();
        var to = Time(request, "to", (device.Time ?? time.GetUtcNow()).AddMilliseconds(1), errors);
        var from = Time(request, "from", to.AddHours(-1), errors);
        if (errors.IsEmpty && from >= to) errors.Add("from", $"is {from:O}; it must be before to, which is {to:O}");
        var step = Step(request, to - from, errors);
        if (errors.IsEmpty && (to - from) / step > PointsMax)
            errors.Add("step", $"is {step}; from {from:O} to {to:O} that is more than {PointsMax} points");
        if (!errors.IsEmpty) return Problems.Of(errors);
        var buckets = await reader.ReadAsync(
            new SeriesQuery { Value = "value", Key = [id], From = from, To = to, Step = step, BucketsMax = PointsMax + 1 }, cancellation);
        return Results.Json(
            new SeriesAnswer
            {
                DeviceId = id,
                Unit = device.Unit,
                From = from,
                To = to,
                StepSeconds = step.TotalSeconds,
                Points = [.. buckets.Select(one => new PointAnswer(one.Start, one.Minimum, one.Maximum, one.Mean, one.Last, one.Count))],
            },
            PlainJson.Api.SeriesAnswer);
    }

    private static IResult NotFound(string id) =>
        Problems.Of(StatusCodes.Status404NotFound, $"There is no device '{FieldErrors.Show(id)}'.");

    private static string? Text(HttpRequest request, string name) => request.Query[name].ToString() is { Length: > 0 } text ? text : null;

    private static DateTimeOffset Time(HttpRequest request, string name, DateTimeOffset fallback, FieldErrors errors)
    {
        if (Text(request, name) is not { } text) return fallback;
        if (DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            return time;
        errors.Add(name, $"is '{FieldErrors.Show(text)}'; it must be a time such as 2026-01-25T10:30:00Z");
        return fallback;
    }

    /// <summary>The step that is asked for, or the least of usual ones that gives no more points than are looked at.</summary>
    private static TimeSpan Step(HttpRequest request, TimeSpan range, FieldErrors errors)
    {
        if (Text(request, "step") is { } text)
        {
            var unit = text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3_600, 'd' => 86_400, _ => 0 };
            var number = text.AsSpan(0, text.Length - 1);
            if (unit > 0 && double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count)
                && count * unit is >= 0.001 and <= 31_536_000)
                return TimeSpan.FromMilliseconds(Math.Round(count * unit * 1_000));
            errors.Add("step", $"is '{FieldErrors.Show(text)}'; it must be a number with s, m, h or d, from 0.001s to 365d");
            return TimeSpan.FromMinutes(1);
        }

        foreach (var seconds in (ReadOnlySpan<double>)[1, 5, 10, 15, 30, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400])
        {
            if (range.TotalSeconds / seconds <= PointsDefault) return TimeSpan.FromSeconds(seconds);
        }

        return TimeSpan.FromDays(Math.Ceiling(range.TotalDays / PointsDefault));
    }
}

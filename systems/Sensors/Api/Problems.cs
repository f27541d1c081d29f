using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;
using Millrace;

namespace Sensors.Api;

/// <summary>Answers that say what is wrong, as RFC 9457 problem details, and the reading of what is asked.</summary>
internal static class Problems
{
    /// <summary>How the answers' media type is called.</summary>
    public const string ContentType = "application/problem+json";

    private const int ShownMax = 80;

    /// <summary>An answer with a status and what is wrong.</summary>
    public static IResult Of(int status, string detail, Dictionary<string, string[]>? errors = null) => Results.Json(
        new ProblemAnswer { Title = ReasonPhrases.GetReasonPhrase(status), Status = status, Detail = detail, Errors = errors },
        PlainJson.Api.ProblemAnswer, ContentType, status);

    /// <summary>400: fields are wrong.</summary>
    public static IResult Of(Dictionary<string, string[]> errors)
    {
        var (field, messages) = errors.First();
        return Of(StatusCodes.Status400BadRequest, $"{field} {messages[0]}.", errors);
    }

    /// <summary>Adds what is wrong with a field.</summary>
    public static void Say(this Dictionary<string, string[]> errors, string field, string message) => errors.TryAdd(field, [message]);

    /// <summary>A value as it may stand in a message: short, and on one line.</summary>
    public static string Show(string value)
    {
        var line = string.Concat(value.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return line.Length <= ShownMax ? line : line[..ShownMax] + "...";
    }

    /// <summary>A query's whole number.</summary>
    public static int Whole(IQueryCollection query, string name, int fallback, int max, Dictionary<string, string[]> errors)
    {
        if (query[name].ToString() is not { Length: > 0 } text) return fallback;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max)
            return number;
        errors.Say(name, $"is '{Show(text)}'; it must be a whole number from 1 to {max}");
        return fallback;
    }

    /// <summary>A query's choice; null when it is not given.</summary>
    public static string? Choice(IQueryCollection query, string name, IReadOnlyList<string> choices, Dictionary<string, string[]> errors)
    {
        if (query[name].ToString() is not { Length: > 0 } text) return null;
        var chosen = text.ToUpperInvariant();
        if (choices.Contains(chosen, StringComparer.Ordinal)) return chosen;
        errors.Say(name, $"is '{Show(text)}'; it must be one of {string.Join(", ", choices)}");
        return null;
    }

    /// <summary>Reads a body of JSON; the answer when that is not what came.</summary>
    public static async ValueTask<(T? Body, IResult? Problem)> ReadBodyAsync<T>(HttpRequest request, JsonTypeInfo<T> type)
        where T : class
    {
        if (!request.HasJsonContentType())
        {
            return (null, Of(StatusCodes.Status415UnsupportedMediaType,
                $"The content type is '{Show(request.ContentType ?? "")}'; send application/json."));
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(request.Body, type, request.HttpContext.RequestAborted) is { } body
                ? (body, null)
                : (null, Of(StatusCodes.Status400BadRequest, "The body is null; it must be an object."));
        }
        catch (JsonException failure)
        {
            var field = failure.Path is { Length: > 2 } path ? path[2..] : null;
            return (null, field is null
                ? Of(StatusCodes.Status400BadRequest, $"The body is not JSON: {failure.Message}")
                : Of(new Dictionary<string, string[]> { [field] = ["is not of the type that is expected"] }));
        }
    }

    /// <summary>Turns bare statuses (no such path, wrong method) and failures into problem details.</summary>
    public static void UseProblemDetails(this WebApplication app)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = AnswerFailureAsync,
            SuppressDiagnosticsCallback = context =>
                context.Exception is BadHttpRequestException or MillraceException { IsTransient: true },
        });
        app.UseStatusCodePages(async context =>
        {
            var http = context.HttpContext;
            await Of(http.Response.StatusCode, $"{http.Request.Method} {http.Request.Path} ended with {http.Response.StatusCode}.")
                .ExecuteAsync(http);
        });
    }

    private static async Task AnswerFailureAsync(HttpContext http)
    {
        var (status, detail) = http.Features.Get<IExceptionHandlerFeature>()?.Error switch
        {
            BadHttpRequestException bad => (bad.StatusCode, bad.Message),
            MillraceException { IsTransient: true } refused => (StatusCodes.Status503ServiceUnavailable, refused.Message),
            MillraceException { Code: FailureCodes.Stopped } => (StatusCodes.Status503ServiceUnavailable, "The platform is closing."),
            OperationCanceledException => (
                StatusCodes.Status503ServiceUnavailable,
                "It took too long, or the platform is closing. Whether it was done is to be asked again."),
            _ => (StatusCodes.Status500InternalServerError, "The platform failed; its log says why."),
        };
        await Of(status, detail).ExecuteAsync(http);
    }
}

using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;
using Millrace;

namespace Shop.Api;

/// <summary>Answers that say what is wrong, as RFC 9457 problem details.</summary>
internal static class Problems
{
    private const string ContentType = "application/problem+json";

    /// <summary>An answer with a status and what is wrong.</summary>
    public static IResult Of(int status, string detail, FieldErrors? errors = null) =>
        Results.Json(Describe(status, detail, errors), PlainJson.Api.ProblemAnswer, ContentType, status);

    /// <summary>400: fields are wrong.</summary>
    public static IResult Of(FieldErrors errors)
    {
        var (field, messages) = errors.Errors.First();
        var others = errors.Errors.Count == 1 ? "" : $" (and {errors.Errors.Count - 1} more)";
        return Of(StatusCodes.Status400BadRequest, $"{field} {messages[0]}{others}.", errors);
    }

    /// <summary>Writes an answer where no endpoint returns one.</summary>
    public static async Task WriteAsync(HttpContext http, int status, string detail) => await Of(status, detail).ExecuteAsync(http);

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
            await WriteAsync(
                http, http.Response.StatusCode, $"{http.Request.Method} {http.Request.Path} {ReasonOf(http.Response.StatusCode)}.");
        });
    }

    /// <summary>Reads a body of JSON; the answer when that is not what came.</summary>
    public static async ValueTask<(JsonDocument? Body, IResult? Problem)> ReadBodyAsync(HttpRequest request, CancellationToken cancellation)
    {
        if (!request.HasJsonContentType())
        {
            return (null, Of(StatusCodes.Status415UnsupportedMediaType,
                $"The content type is '{FieldErrors.Show(request.ContentType ?? "")}'; send application/json."));
        }

        try
        {
            return (await JsonDocument.ParseAsync(request.Body, new JsonDocumentOptions { MaxDepth = 32 }, cancellation), null);
        }
        catch (JsonException failure)
        {
            return (null, Of(StatusCodes.Status400BadRequest, $"The body is not JSON: {failure.Message}"));
        }
    }

    private static async Task AnswerFailureAsync(HttpContext http)
    {
        var failure = http.Features.Get<IExceptionHandlerFeature>()?.Error;
        var (status, detail) = failure switch
        {
            BadHttpRequestException bad => (bad.StatusCode, bad.Message),
            MillraceException { IsTransient: true } refused => (StatusCodes.Status503ServiceUnavailable, refused.Message),
            MillraceException { Code: FailureCodes.Stopped } => (StatusCodes.Status503ServiceUnavailable, "The shop is closing."),
            OperationCanceledException or MillraceException { Code: FailureCodes.UnknownResult } => (
                StatusCodes.Status503ServiceUnavailable,
                "It took too long, or the shop is closing. Whether it was done is to be asked again."),
            _ => (StatusCodes.Status500InternalServerError, "The shop failed; its log says why."),
        };
        await WriteAsync(http, status, detail);
    }

    private static ProblemAnswer Describe(int status, string detail, FieldErrors? errors) => new()
    {
        Title = ReasonPhrases.GetReasonPhrase(status),
        Status = status,
        Detail = detail,
        Errors = errors?.Errors,
    };

    private static string ReasonOf(int status) => status switch
    {
        StatusCodes.Status404NotFound => "is not there",
        StatusCodes.Status405MethodNotAllowed => "is not possible",
        _ => $"ended with {status}",
    };
}

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;
using Millrace;

namespace Front;

/// <summary>Answers that say what is wrong, as RFC 9457 problem details.</summary>
public static class Problems
{
    // A field that comes twice is refused: readers do not agree on which of the two counts.
    private static readonly JsonDocumentOptions s_strict = new() { MaxDepth = 32, AllowDuplicateProperties = false };

    /// <summary>How their media type is called.</summary>
    public const string ContentType = "application/problem+json";

    /// <summary>An answer with a status and what is wrong.</summary>
    public static IResult Of(int status, string detail, FieldErrors? errors = null) =>
        Results.Json(Describe(status, detail, errors), PlainAnswers.Json.ProblemAnswer, ContentType, status);

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
    /// <param name="app">The application.</param>
    /// <param name="name">What it is called at the start of a sentence: "The shop".</param>
    public static void UseProblemDetails(this WebApplication app, string name)
    {
        app.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = http => AnswerFailureAsync(http, name),
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
        if (ContentTypeProblem(request) is { } problem) return (null, problem);
        try
        {
            return (await JsonDocument.ParseAsync(request.Body, s_strict, cancellation), null);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            // The second: a name holds an escape of half a surrogate pair.
            return (null, NotJson(failure));
        }
    }

    /// <summary>Reads a body of JSON as an object of a type; the answer names the field to blame when that is not what came.</summary>
    public static async ValueTask<(T? Body, IResult? Problem)> ReadBodyAsync<T>(
        HttpRequest request, JsonTypeInfo<T> type, CancellationToken cancellation)
        where T : class
    {
        var (read, problem) = await ReadBodyAsync(request, cancellation);
        using var json = read;
        if (json is null) return (null, problem);
        if (json.RootElement.ValueKind != JsonValueKind.Object)
            return (null, Of(StatusCodes.Status400BadRequest, $"The body is {Show(json.RootElement)}; it must be an object."));
        try
        {
            return (json.RootElement.Deserialize(type), null);
        }
        catch (JsonException failure)
        {
            if (failure.Path is not { Length: > 2 } path) return (null, NotJson(failure));
            var field = path[2..];
            var errors = new FieldErrors();
            errors.Add(field, json.RootElement.TryGetProperty(field, out var value)
                ? $"is {Show(value)}, which is not of the type that is expected"
                : "is not of the type that is expected");
            return (null, Of(errors));
        }
    }

    private static string Show(JsonElement value) => FieldErrors.Show(value.GetRawText());

    private static IResult? ContentTypeProblem(HttpRequest request) => request.HasJsonContentType()
        ? null
        : Of(StatusCodes.Status415UnsupportedMediaType,
            $"The content type is '{FieldErrors.Show(request.ContentType ?? "")}'; send application/json.");

    private static IResult NotJson(Exception failure) =>
        Of(StatusCodes.Status400BadRequest, $"The body is not JSON: {failure.Message}");

    private static async Task AnswerFailureAsync(HttpContext http, string name)
    {
        var failure = http.Features.Get<IExceptionHandlerFeature>()?.Error;
        var (status, detail) = failure switch
        {
            BadHttpRequestException bad => (bad.StatusCode, bad.Message),
            MillraceException { IsTransient: true } refused => (StatusCodes.Status503ServiceUnavailable, refused.Message),
            MillraceException { Code: FailureCodes.Stopped } => (StatusCodes.Status503ServiceUnavailable, $"{name} is closing."),
            OperationCanceledException or MillraceException { Code: FailureCodes.UnknownResult } => (
                StatusCodes.Status503ServiceUnavailable,
                $"It took too long, or {name.ToLowerInvariant()} is closing. Whether it was done is to be asked again."),
            _ => (StatusCodes.Status500InternalServerError, $"{name} failed; its log says why."),
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

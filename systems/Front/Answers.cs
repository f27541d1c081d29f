using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Front;

/// <summary>Whether a system is well.</summary>
public sealed record HealthAnswer
{
    /// <summary>ok, starting or failing.</summary>
    public required string Status { get; init; }

    /// <summary>Why it is not ok; null when it is.</summary>
    public string? Reason { get; init; }
}

/// <summary>Problem details (RFC 9457) with the errors per field.</summary>
public sealed record ProblemAnswer
{
    /// <summary>A URI for the kind of problem; about:blank when the status says all.</summary>
    public string Type { get; init; } = "about:blank";

    /// <summary>The kind of problem in words.</summary>
    public required string Title { get; init; }

    /// <summary>The HTTP status.</summary>
    public required int Status { get; init; }

    /// <summary>What is wrong this time.</summary>
    public required string Detail { get; init; }

    /// <summary>What is wrong per field, named by its JSON path; absent when no field is to blame.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string[]>? Errors { get; init; }
}

/// <summary>How these answers are written as JSON: camelCase, nothing by reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ProblemAnswer))]
internal sealed partial class AnswerJson : JsonSerializerContext;

/// <summary>
/// Answers with letters and quotes as they are: they are JSON by their content type and never part of HTML, so that nothing but JSON's own
/// rules asks for escapes.
/// </summary>
public static class PlainAnswers
{
    internal static AnswerJson Json { get; } = new(Of(AnswerJson.Default.Options));

    /// <summary>The same options, for such answers.</summary>
    public static JsonSerializerOptions Of(JsonSerializerOptions options) => new(options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}

/// <summary>Health over HTTP, which every process tells.</summary>
public static class HealthEndpoints
{
    /// <summary>Adds <c>/health/live</c> and <c>/health/ready</c>.</summary>
    /// <param name="app">The application.</param>
    /// <param name="tag">What the description of the interface files them under.</param>
    /// <param name="readiness">What being ready means.</param>
    /// <param name="look">ok, or what is wrong.</param>
    public static void MapHealth(this IEndpointRouteBuilder app, string tag, string readiness, Func<IServiceProvider, HealthAnswer> look)
    {
        var routes = app.MapGroup("").WithTags(tag);
        routes.MapGet("/health/live", () => Answer(new HealthAnswer { Status = "ok" }))
            .WithName("GetLiveness")
            .WithSummary("Whether the process answers")
            .Produces<HealthAnswer>();
        routes.MapGet("/health/ready", (HttpContext http) => Answer(look(http.RequestServices)))
            .WithName("GetReadiness")
            .WithSummary(readiness)
            .Produces<HealthAnswer>()
            .Produces<HealthAnswer>(StatusCodes.Status503ServiceUnavailable);
    }

    private static IResult Answer(HealthAnswer answer) => Results.Json(
        answer, PlainAnswers.Json.HealthAnswer,
        statusCode: answer.Status == "ok" ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
}

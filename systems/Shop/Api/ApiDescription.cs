using Microsoft.OpenApi;

namespace Shop.Api;

/// <summary>What the description of the interface (OpenAPI) says beyond what the types do.</summary>
internal static class ApiDescription
{
    /// <summary>The most that a page of a list holds.</summary>
    public const int PageSizeMax = 200;

    public static void AddApiDescription(this IServiceCollection services) => services.AddOpenApi(options =>
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "The Shop", Version = "1", Description = "E-commerce orders by choreography." };
            return Task.CompletedTask;
        });

        // Amounts are decimals: a reader that takes them for binary floating point would lose cents.
        options.AddSchemaTransformer((schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(decimal)) schema.Format = "decimal";
            return Task.CompletedTask;
        });
    });

    /// <summary>Describes a parameter that the endpoint reads by itself, so that a wrong one is answered with its name.</summary>
    public static RouteHandlerBuilder WithParameter(
        this RouteHandlerBuilder endpoint, ParameterLocation place, string name, JsonSchemaType type, string description) =>
        endpoint.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = name,
                In = place,
                Description = description,
                Schema = new OpenApiSchema { Type = type },
            });
            return Task.CompletedTask;
        });

    /// <summary>Describes the parameters of <see cref="Paging"/>.</summary>
    public static RouteHandlerBuilder WithPaging(this RouteHandlerBuilder endpoint) => endpoint
        .WithParameter(ParameterLocation.Query, "page", JsonSchemaType.Integer, "The page, from 1.")
        .WithParameter(
            ParameterLocation.Query, "pageSize", JsonSchemaType.Integer,
            $"How many a page holds: 1 to {PageSizeMax}, 50 by default.");
}

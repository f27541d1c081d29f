using System.Globalization;

namespace Shop.Api;

/// <summary>Which page of a list is wanted.</summary>
/// <param name="Page">From 1.</param>
/// <param name="PageSize">1 to 200.</param>
internal readonly record struct Paging(int Page, int PageSize)
{
    public const int PageSizeMax = 200;
    private const int PageSizeDefault = 50;

    /// <summary>Reads <c>page</c> and <c>pageSize</c> of a query; errors say what is wrong.</summary>
    public static Paging Read(IQueryCollection query, FieldErrors errors) => new(
        Number(query, "page", 1, int.MaxValue, errors),
        Number(query, "pageSize", PageSizeDefault, PageSizeMax, errors));

    private static int Number(IQueryCollection query, string name, int fallback, int max, FieldErrors errors)
    {
        if (!query.TryGetValue(name, out var values)) return fallback;
        var text = values.ToString();
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max)
            return number;
        errors.Add(name, $"is '{FieldErrors.Show(text)}'; it must be a whole number from 1 to {max}");
        return fallback;
    }
}

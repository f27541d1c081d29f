using System.Globalization;

namespace Front;

/// <summary>Which page of a list is wanted.</summary>
/// <param name="Page">From 1.</param>
/// <param name="PageSize">From 1.</param>
public readonly record struct Paging(int Page, int PageSize)
{
    private const int PageSizeDefault = 50;

    /// <summary>Reads <c>page</c> and <c>pageSize</c> of a query; errors say what is wrong.</summary>
    /// <param name="query">The query.</param>
    /// <param name="pageSizeMax">The most that a page holds; it holds 50 when nothing is said.</param>
    /// <param name="errors">What is wrong.</param>
    public static Paging Read(IQueryCollection query, int pageSizeMax, FieldErrors errors) => new(
        Number(query, "page", 1, int.MaxValue, errors),
        Number(query, "pageSize", PageSizeDefault, pageSizeMax, errors));

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

namespace Sensors.Api;

/// <summary>Reads what a query asks for.</summary>
internal static class Queries
{
    /// <summary>One of several words, in any case; null when it is not given.</summary>
    public static string? Choice(IQueryCollection query, string name, IReadOnlyList<string> choices, FieldErrors errors)
    {
        if (query[name].ToString() is not { Length: > 0 } text) return null;
        var chosen = text.ToUpperInvariant();
        if (choices.Contains(chosen, StringComparer.Ordinal)) return chosen;
        errors.Add(name, $"is '{FieldErrors.Show(text)}'; it must be one of {string.Join(", ", choices)}");
        return null;
    }
}

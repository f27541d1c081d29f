namespace Front;

/// <summary>
/// What is wrong with an input, per field; a field is named by its JSON path, such as <c>items[0].quantity</c>. Not thread safe.
/// </summary>
public sealed class FieldErrors
{
    /// <summary>More errors than this are not collected: the answer to a hostile input stays small.</summary>
    public const int Max = 100;

    private readonly Dictionary<string, string[]> _errors = [];

    /// <summary>True when nothing is wrong.</summary>
    public bool IsEmpty => _errors.Count == 0;

    /// <summary>The errors, in the order of their finding.</summary>
    public IReadOnlyDictionary<string, string[]> Errors => _errors;

    /// <summary>Adds what is wrong with a field.</summary>
    public void Add(string field, string message)
    {
        if (_errors.TryGetValue(field, out var known)) _errors[field] = [.. known, message];
        else if (_errors.Count < Max) _errors[field] = [message];
    }

    /// <summary>Checks a text's length and refuses control characters, which have no place in names, mails or logs.</summary>
    public void DemandText(string field, string value, int lengthMax)
    {
        if (string.IsNullOrWhiteSpace(value)) Add(field, "must not be empty");
        else if (value.Length > lengthMax) Add(field, $"has {value.Length} characters; at most {lengthMax} are possible");
        else if (value.Any(char.IsControl)) Add(field, "holds a control character");
        else if (!IsWellFormed(value)) Add(field, "is not well-formed Unicode");
    }

    /// <summary>A value as it may stand in a message: short, and on one line.</summary>
    public static string Show(string value)
    {
        var line = string.Concat(value.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return line.Length <= 80 ? line : string.Concat(line.AsSpan(0, 80), "...");
    }

    private static bool IsWellFormed(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (!char.IsSurrogate(value[i])) continue;
            if (i + 1 == value.Length || !char.IsSurrogatePair(value[i], value[i + 1])) return false;
            i++;
        }

        return true;
    }
}

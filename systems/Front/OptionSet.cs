using System.Globalization;

namespace Front;

/// <summary>An option of a command line.</summary>
/// <typeparam name="T">The options that it changes.</typeparam>
/// <param name="Name">Its name, with the dashes.</param>
/// <param name="Value">What its value is called; null when it takes none.</param>
/// <param name="Description">One line for --help, with the default in brackets.</param>
/// <param name="Apply">Takes the value in, or throws a <see cref="FormatException"/> that says what is possible.</param>
public sealed record Option<T>(string Name, string? Value, string Description, Func<T, string, T> Apply)
{
    /// <summary>Its name and what its value is called.</summary>
    public string Usage => Value is null ? Name : $"{Name} {Value}";
}

/// <summary>What a command line asks for. Closed: one of the nested records.</summary>
/// <typeparam name="T">The options.</typeparam>
public abstract record ParsedOptions<T>
{
    private ParsedOptions()
    {
    }

    /// <summary>Run with options.</summary>
    /// <param name="Options">The options.</param>
    /// <param name="Given">The names of those that were given, in order.</param>
    public sealed record Run(T Options, IReadOnlyList<string> Given) : ParsedOptions<T>;

    /// <summary>Show the options and end.</summary>
    public sealed record Help : ParsedOptions<T>;

    /// <summary>The command line is wrong.</summary>
    public sealed record Wrong(string Message) : ParsedOptions<T>;
}

/// <summary>The options that a program knows. Immutable.</summary>
/// <typeparam name="T">What they make.</typeparam>
/// <param name="known">The options, in the order of --help.</param>
public sealed class OptionSet<T>(params Option<T>[] known)
{
    /// <summary>Reads a command line: <c>--option value</c> or <c>--option=value</c>.</summary>
    public ParsedOptions<T> Parse(IReadOnlyList<string> arguments, T options)
    {
        var given = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var (name, value) = Split(arguments[i]);
            if (name is "--help" or "-h" or "-?") return new ParsedOptions<T>.Help();
            if (Array.Find(known, one => one.Name == name) is not { } option)
                return new ParsedOptions<T>.Wrong($"Unknown option '{arguments[i]}'. Try --help.");
            if (option.Value is null && value is not null)
                return new ParsedOptions<T>.Wrong($"{name} takes no value, but got '{value}'.");
            if (option.Value is not null && value is null)
            {
                if (i + 1 == arguments.Count || arguments[i + 1].StartsWith("--", StringComparison.Ordinal))
                    return new ParsedOptions<T>.Wrong($"{name} needs a value: {name} {option.Value}.");
                value = arguments[++i];
            }

            try
            {
                options = option.Apply(options, value ?? "");
            }
            catch (FormatException failure)
            {
                return new ParsedOptions<T>.Wrong($"{name} is '{value}': {failure.Message}.");
            }

            given.Add(name);
        }

        return new ParsedOptions<T>.Run(options, given);
    }

    /// <summary>A line per option, and one for --help.</summary>
    public string Describe()
    {
        var width = Math.Max(28, known.Max(option => option.Usage.Length));
        var lines = known.Select(option => (option.Usage, option.Description)).Append(("--help", "shows this"));
        return string.Join('\n', lines.Select(line => $"  {line.Item1.PadRight(width)} {line.Item2}"));
    }

    private static (string Name, string? Value) Split(string argument)
    {
        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (argument, null) : (argument[..equals], argument[(equals + 1)..]);
    }
}

/// <summary>Reads values of options; what is not possible is a <see cref="FormatException"/> that says what is.</summary>
public static class OptionValues
{
    /// <summary>Text that is not empty.</summary>
    public static string NotEmpty(string value) =>
        string.IsNullOrWhiteSpace(value) ? throw new FormatException("it must not be empty") : value;

    /// <summary>A file that is there, as an absolute path.</summary>
    public static string ExistingFile(string value) => File.Exists(NotEmpty(value))
        ? Path.GetFullPath(value)
        : throw new FormatException("there is no such file");

    /// <summary>Addresses to listen at, separated by ';'.</summary>
    /// <param name="value">The addresses.</param>
    /// <param name="example">One that is possible.</param>
    public static IReadOnlyList<string> Urls(string value, string example)
    {
        var urls = value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (urls.Length == 0) throw new FormatException($"at least one address is needed, such as {example}");
        foreach (var url in urls)
        {
            // Kestrel's wildcards are no host names; a real one stands in for them in the check.
            var shape = url.Replace("://*", "://any", StringComparison.Ordinal).Replace("://+", "://any", StringComparison.Ordinal);
            if (!Uri.TryCreate(shape, UriKind.Absolute, out var uri) || uri.Scheme is not "http" || uri.PathAndQuery != "/")
                throw new FormatException($"an address looks like {example}");
        }

        return urls;
    }

    /// <summary>A number within limits.</summary>
    public static double Number(string value, double from, double to) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
        && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a number from {from} to {to}"));

    /// <summary>A whole number within limits.</summary>
    public static long Whole(string value, long from, long to) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a whole number from {from} to {to}"));
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Millrace.Figures;

/// <summary>Reads <c>[what] [--option value]...</c>.</summary>
public static class CommandLine
{
    /// <param name="args">What the program was given.</param>
    /// <param name="names">What can be measured; none of them leaves the options' own.</param>
    /// <param name="options">The options as they are by default.</param>
    /// <param name="measuring">The options with what to measure.</param>
    /// <param name="with">The options with an option's value; null when it is not known or the value is not one.</param>
    /// <param name="read">The options as they were read.</param>
    /// <param name="complaint">What cannot be read.</param>
    public static bool TryRead<T>(
        string[] args, string[] names, T options, Func<T, string, T> measuring, Func<T, string, string, T?> with,
        [NotNullWhen(true)] out T? read, [NotNullWhen(false)] out string? complaint)
        where T : class
    {
        (read, complaint) = (null, null);
        var at = 0;
        if (args.Length > 0 && names.Contains(args[0])) options = measuring(options, args[at++]);
        for (; at < args.Length; at += 2)
        {
            var value = at + 1 < args.Length ? args[at + 1] : null;
            if (value is null || with(options, args[at], value) is not { } next)
            {
                complaint = $"'{args[at]} {value}' is not an option that is known here, or its value is not one.";
                return false;
            }

            options = next;
        }

        read = options;
        return true;
    }

    public static bool TryCount(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Millrace.Whole;

/// <summary>What the command line says.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        usage: Whole [append|read|handler|shop|all] [--rounds N] [--data DIR] [--shop PATH-TO-Shop.dll]
        Measures whole paths and prints ratios: the two sides of a ratio take turns within one run, and each figure is the
        median of the rounds.
        """;

    private static readonly string[] Names = ["append", "read", "handler", "shop", "all"];

    /// <summary>What to measure.</summary>
    public string What { get; init; } = "all";

    /// <summary>How often; 5 by default.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>Where the data goes; a folder that is removed at the end. It decides which disk is measured.</summary>
    public string Data { get; init; } = Path.Combine(Path.GetTempPath(), $"millrace-whole-{Guid.NewGuid():N}");

    /// <summary>The Shop's assembly; by default the one that was built beside this program.</summary>
    public string Shop { get; init; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Shop",
        Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "Shop.dll"));

    public bool Runs(string name) => What == name || What == "all";

    public static bool TryRead(string[] args, [NotNullWhen(true)] out BenchOptions? options, [NotNullWhen(false)] out string? complaint)
    {
        (options, complaint) = (null, null);
        var read = new BenchOptions();
        var at = 0;
        if (args.Length > 0 && Names.Contains(args[0])) read = read with { What = args[at++] };
        for (; at < args.Length; at += 2)
        {
            var value = at + 1 < args.Length ? args[at + 1] : null;
            var next = (args[at], value) switch
            {
                ("--rounds", not null) when TryCount(value, out var rounds) => read with { Rounds = rounds },
                ("--data", not null) => read with { Data = Path.GetFullPath(value) },
                ("--shop", not null) => read with { Shop = Path.GetFullPath(value) },
                _ => null,
            };
            if (next is null)
            {
                complaint = $"'{args[at]} {value}' is not an option that is known here, or its value is not one.";
                return false;
            }

            read = next;
        }

        options = read;
        return true;
    }

    private static bool TryCount(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}

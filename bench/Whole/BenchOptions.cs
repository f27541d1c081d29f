using System.Diagnostics.CodeAnalysis;
using Millrace.Figures;

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

    public static bool TryRead(string[] args, [NotNullWhen(true)] out BenchOptions? options, [NotNullWhen(false)] out string? complaint) =>
        CommandLine.TryRead(
            args, Names, new BenchOptions(), (read, what) => read with { What = what }, With, out options, out complaint);

    private static BenchOptions? With(BenchOptions options, string name, string value) => (name, value) switch
    {
        ("--rounds", var text) when CommandLine.TryCount(text, out var rounds) => options with { Rounds = rounds },
        ("--data", var text) => options with { Data = Path.GetFullPath(text) },
        ("--shop", var text) => options with { Shop = Path.GetFullPath(text) },
        _ => null,
    };
}

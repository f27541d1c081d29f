using System.Diagnostics.CodeAnalysis;
using Millrace.Figures;

namespace KafkaFigures;

/// <summary>What the command line says.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        usage: Kafka [pipeline|restore|engines|all] [--rounds N] [--records N] [--only WORD] [--data DIR]
        Measures the Kafka engine on a broker that it starts (MILLRACE_SHARED names the folder that holds kafka/start) and prints ratios:
        the sides of a ratio take turns within one run, and each figure is the median of the rounds.
        """;

    private static readonly string[] Names = ["pipeline", "restore", "engines", "all"];

    /// <summary>What to measure.</summary>
    public string What { get; init; } = "all";

    /// <summary>How often; 5 by default.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>How many records a pipeline maps and a restore reads; 1,000,000 by default.</summary>
    public int Records { get; init; } = 1_000_000;

    /// <summary>Only the sides whose name holds this, for profiling; all by default.</summary>
    public string Only { get; init; } = "";

    /// <summary>Where the embedded engine and local copies of state are kept; a folder that is removed at the end.</summary>
    public string Data { get; init; } = Path.Combine(Path.GetTempPath(), $"millrace-figures-{Guid.NewGuid():N}");

    public bool Runs(string name) => What == name || What == "all";

    public bool Has(string side) => side.Contains(Only, StringComparison.Ordinal);

    public static bool TryRead(string[] args, [NotNullWhen(true)] out BenchOptions? options, [NotNullWhen(false)] out string? complaint) =>
        CommandLine.TryRead(
            args, Names, new BenchOptions(), (read, what) => read with { What = what }, With, out options, out complaint);

    private static BenchOptions? With(BenchOptions options, string name, string value) => (name, value) switch
    {
        ("--rounds", var text) when CommandLine.TryCount(text, out var rounds) => options with { Rounds = rounds },
        ("--records", var text) when CommandLine.TryCount(text, out var records) => options with { Records = records },
        ("--only", var text) => options with { Only = text },
        ("--data", var text) => options with { Data = Path.GetFullPath(text) },
        _ => null,
    };
}

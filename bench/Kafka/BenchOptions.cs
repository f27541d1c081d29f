using System.Diagnostics.CodeAnalysis;
using System.Globalization;

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
                ("--records", not null) when TryCount(value, out var records) => read with { Records = records },
                ("--only", not null) => read with { Only = value },
                ("--data", not null) => read with { Data = Path.GetFullPath(value) },
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

using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Millrace.Crash;

/// <summary>What the command line says.</summary>
internal sealed record CrashOptions
{
    public const string Usage =
        """
        usage: Crash raw   [--cycles N] [--seed S] [--data DIR]
               Crash state [--cycles N] [--seed S] [--data DIR]
               Crash shop  [--cycles N] [--seed S] [--data DIR] [--shop PATH-TO-Shop.dll]
        Starts a child process that writes, kills it with SIGKILL at random moments, starts it again and checks what is there.
        Exit code 0: all held. 1: something did not. The seed is printed; with it the load and the moments are drawn alike.
        """;

    /// <summary>raw, state, shop, or the child of raw or state.</summary>
    public required string Mode { get; init; }

    /// <summary>How often to kill; 50 by default.</summary>
    public int Cycles { get; init; } = 50;

    /// <summary>Where chance begins.</summary>
    public int Seed { get; init; } = Random.Shared.Next();

    /// <summary>Where the data goes; a folder below the system's temporary one by default, removed when all held.</summary>
    public string? Data { get; init; }

    /// <summary>The Shop's assembly; by default the one that was built beside this program.</summary>
    public string Shop { get; init; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Shop",
        Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "Shop.dll"));

    public static bool TryRead(string[] args, [NotNullWhen(true)] out CrashOptions? options, [NotNullWhen(false)] out string? complaint)
    {
        (options, complaint) = (null, null);
        if (args.Length == 0 || args[0] is not ("raw" or "raw-child" or "state" or "state-child" or "shop"))
        {
            complaint = args.Length == 0 ? "Say raw, state or shop." : $"'{args[0]}' is neither raw nor state nor shop.";
            return false;
        }

        var read = new CrashOptions { Mode = args[0] };
        for (var at = 1; at < args.Length; at += 2)
        {
            var value = at + 1 < args.Length ? args[at + 1] : null;
            var next = (args[at], value) switch
            {
                ("--cycles", not null) when TryNumber(value, out var cycles) && cycles > 0 => read with { Cycles = cycles },
                ("--seed", not null) when TryNumber(value, out var seed) => read with { Seed = seed },
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

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}

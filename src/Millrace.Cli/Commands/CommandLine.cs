namespace Millrace.Cli.Commands;

/// <summary>What the command line asks for, and how it ends: 0 done, 1 it could not be done, 2 a wrong command line.</summary>
internal static class CommandLine
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Wrong = 2;

    private const string Help = """
        millrace: looks at event-driven systems that run.

          millrace streams explain [--url URL] [--json] [--watch SECONDS]

            Why is there no output? Per operator of the topologies that run at URL (http://localhost:5100): records in and out, late ones,
            state, the watermark and the partition that holds it back, and what the operator waits for.

            --json            as JSON
            --watch SECONDS   again and again, 0.1 to 3600, until Ctrl-C

          millrace --help     shows this
        """;

    /// <summary>Runs a command.</summary>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TextWriter output, TextWriter messages, TimeProvider time, CancellationToken cancellation)
    {
        if (arguments.Count == 0 || arguments.Any(argument => argument is "--help" or "-h" or "-?"))
        {
            await output.WriteLineAsync(Help);
            return arguments.Count == 0 ? Wrong : Done;
        }

        if (arguments is not ["streams", "explain", ..])
        {
            await messages.WriteLineAsync($"There is no command '{string.Join(' ', arguments)}'. Try millrace --help.");
            return Wrong;
        }

        if (ExplainStreams.Read([.. arguments.Skip(2)], out var complaint) is { } explain) return await explain.RunAsync(output,
            messages, time, cancellation);
        await messages.WriteLineAsync(complaint);
        return Wrong;
    }
}

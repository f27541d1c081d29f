namespace Shop;

/// <summary>Runs the shop as a program: what it prints, and how it ends.</summary>
internal static class ShopRun
{
    /// <summary>The largest body that the interface reads. A thousand lines take about 100 KB.</summary>
    public const long BodyBytesMax = 1 << 20;

    /// <summary>How long a stop may take.</summary>
    public static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1.5);

    /// <summary>Runs until Ctrl-C, or until a replay is done, and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, ShopConsole console)
    {
        switch (CommandLine.Parse(arguments))
        {
            case CommandLine.Help help:
                console.WriteResult(help.Text);
                return SystemRun.Done;
            case CommandLine.Wrong wrong:
                console.WriteFailure(wrong.Message);
                return SystemRun.WrongCommandLine;
            case CommandLine.Run run:
                return await RunAsync(run.Options, console);
            case var other:
                throw new InvalidOperationException($"Unknown command line {other.GetType().Name}.");
        }
    }

    private static Task<int> RunAsync(ShopOptions options, ShopConsole console) => new SystemRun
    {
        Name = "The shop",
        DataDirectory = options.DataDirectory,
        PortInUseMessage =
            $"{string.Join(" or ", options.Urls)} is in use by another program: end it, or choose another address with --urls.",
        Build = () => Program.Build(options, console),
        Complain = console.WriteFailure,
        Opened = async (app, urls) =>
        {
            console.WriteOpened(urls, options);
            await app.WaitForShutdownAsync();
            return SystemRun.Done;
        },
    }.RunAsync();
}

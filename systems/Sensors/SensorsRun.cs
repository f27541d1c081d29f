using Sensors.Simulation;

namespace Sensors;

/// <summary>Runs the platform as a program: what it prints, and how it ends.</summary>
internal static class SensorsRun
{
    /// <summary>The largest body that the interface reads.</summary>
    public const long BodyBytesMax = 64 << 10;

    /// <summary>How long a stop may take.</summary>
    public static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    /// <summary>Runs until Ctrl-C, or until a replay is done, and returns the exit code.</summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, SensorsConsole console)
    {
        switch (CommandLine.Parse(arguments))
        {
            case CommandLine.Help help:
                console.WriteResult(help.Text);
                return SystemRun.Done;
            case CommandLine.Wrong wrong:
                console.WriteMessage(wrong.Message);
                return SystemRun.WrongCommandLine;
            case CommandLine.Run run:
                return await RunAsync(run.Options, console);
            case var other:
                throw new InvalidOperationException($"Unknown command line {other.GetType().Name}.");
        }
    }

    private static Task<int> RunAsync(SensorsOptions options, SensorsConsole console) => new SystemRun
    {
        Name = "The platform",
        DataDirectory = options.DataDirectory,
        PortInUseMessage =
            $"{string.Join(" or ", options.Urls)} or the MQTT port {options.MqttPort} is in use by another program: end it, or choose "
            + "others with --urls and --mqtt-port.",
        Build = () => Program.Build(options, console),
        Complain = console.WriteMessage,
        Opened = async (app, urls) =>
        {
            var simulation = app.Services.GetRequiredService<SimulationHost>();
            var server = await simulation.Server;
            console.WriteOpened(urls, $"mqtt://{server.Host}:{server.Port}", options);
            await app.WaitForShutdownAsync();
            return simulation.ExecuteTask is { IsFaulted: true } ? SystemRun.Failed : SystemRun.Done;
        },
    }.RunAsync();
}

namespace Sensors;

/// <summary>
/// What is said on a terminal: a few plain lines. Results go to standard output, everything else to standard error when results are asked
/// for.
/// </summary>
/// <param name="output">For results.</param>
/// <param name="messages">For people.</param>
internal sealed class SensorsConsole(TextWriter output, TextWriter messages)
{
    /// <summary>The process's own.</summary>
    public static SensorsConsole Standard { get; } = new(Console.Out, Console.Error);

    /// <summary>Says what runs, and where.</summary>
    /// <param name="urls">Its addresses.</param>
    /// <param name="mqtt">Where devices publish to.</param>
    /// <param name="options">What it runs.</param>
    public void WriteOpened(IEnumerable<string> urls, string mqtt, SensorsOptions options)
    {
        var writer = options.ExitsWhenDone ? messages : output;
        writer.WriteLine($"The sensors' page is at {string.Join(" and ", urls)}");
        writer.WriteLine($"Devices publish to {mqtt}, on {Simulation.DeviceTopic.Pattern}");
        writer.WriteLine(options.Engine == SensorsEngine.Kafka
            ? $"Events are on Kafka at {options.Bootstrap}, data is in {options.DataDirectory}"
            : $"Data is in {options.DataDirectory}");
        writer.WriteLine("Ctrl-C ends it; started again, it goes on where it was.");
    }

    /// <summary>Prints a result as one line.</summary>
    public void WriteResult(string line) => output.WriteLine(line);

    /// <summary>Says something to people: why it cannot go on, or how far a replay is.</summary>
    public void WriteMessage(string line) => messages.WriteLine(line);
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Millrace.Figures;

namespace MqttFigures;

/// <summary>What the command line says.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        usage: MqttFigures [intake] [--devices N] [--connections N] [--messages N] [--window N] [--rounds N] [--data DIR]
        Devices publish readings with quality 1 to the embedded broker, from another process; each is acknowledged after fdatasync.
        One JSON line per round.
        """;

    private static readonly string[] Names = ["intake"];

    /// <summary>How many devices; 2,000 by default. Each publishes over one of the connections.</summary>
    public int Devices { get; init; } = 2_000;

    /// <summary>How many connections; 20 by default.</summary>
    public int Connections { get; init; } = 20;

    /// <summary>How many messages a round measures; 500,000 by default. A tenth more come before, to warm up.</summary>
    public int Messages { get; init; } = 500_000;

    /// <summary>How many of a connection may be unacknowledged; 500 by default.</summary>
    public int Window { get; init; } = 500;

    /// <summary>How often; 3 by default.</summary>
    public int Rounds { get; init; } = 3;

    /// <summary>Where the log goes; a folder that is removed at the end. It decides which disk is measured.</summary>
    public string Data { get; init; } = Path.Combine(Path.GetTempPath(), $"millrace-mqtt-figures-{Guid.NewGuid():N}");

    public static bool TryRead(string[] args, [NotNullWhen(true)] out BenchOptions? options, [NotNullWhen(false)] out string? complaint) =>
        CommandLine.TryRead(args, Names, new BenchOptions(), static (read, _) => read, With, out options, out complaint);

    /// <summary>The options of the child that publishes, and the port it publishes to.</summary>
    public string[] ChildArguments(int port) =>
        [DeviceLoad.Name, .. new[] { port, Devices, Connections, Window }.Select(number => number.ToString(CultureInfo.InvariantCulture))];

    private static BenchOptions? With(BenchOptions options, string name, string value) => (name, value) switch
    {
        ("--devices", var text) when CommandLine.TryCount(text, out var number) => options with { Devices = number },
        ("--connections", var text) when CommandLine.TryCount(text, out var number) => options with { Connections = number },
        ("--messages", var text) when CommandLine.TryCount(text, out var number) => options with { Messages = number },
        ("--window", var text) when CommandLine.TryCount(text, out var number) && number < 60_000 => options with { Window = number },
        ("--rounds", var text) when CommandLine.TryCount(text, out var number) => options with { Rounds = number },
        ("--data", var text) => options with { Data = Path.GetFullPath(text) },
        _ => null,
    };
}

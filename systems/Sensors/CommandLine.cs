using System.Globalization;

namespace Sensors;

/// <summary>What the command line asks for.</summary>
internal abstract record CommandLine
{
    private static readonly OptionSet<SensorsOptions> Known = new(
        new("--urls", "URLS", "where to listen for HTTP, separated by ';' (http://localhost:5100)",
            (options, value) => options with { Urls = OptionValues.Urls(value, "http://localhost:5100") }),
        new("--data", "DIR", "the data folder, of one process at a time (./sensors-data)",
            (options, value) => options with { DataDirectory = Path.GetFullPath(OptionValues.NotEmpty(value)) }),
        new("--engine", "ENGINE", "embedded or kafka (embedded)",
            (options, value) => options with { Engine = Choice<SensorsEngine>(value) }),
        new("--bootstrap", "HOST:PORT", "Kafka's brokers to ask first, separated by ','",
            (options, value) => options with { Bootstrap = OptionValues.NotEmpty(value) }),
        new("--partitions", "N", "partitions of each topic, 1 to 1000; fixed for a data folder (100)",
            (options, value) => options with { Partitions = (int)OptionValues.Whole(value, 1, 1_000) }),
        new("--mqtt", "HOST:PORT", "an MQTT broker instead of the embedded one",
            (options, value) => options with { MqttServer = Server(value) }),
        new("--mqtt-port", "PORT", "the embedded broker's port, 0 for a free one (1883)",
            (options, value) => options with { MqttPort = (int)OptionValues.Whole(value, 0, 65_535) }),
        new("--mqtt-user", "NAME", "the user at --mqtt; the password is in SENSORS_MQTT_PASSWORD",
            (options, value) => options with { MqttUser = OptionValues.NotEmpty(value) }),
        new("--store", "STORE", "where series are kept: sqlite, postgres or none (sqlite)",
            (options, value) => options with { Store = Choice<SeriesStore>(value) }),
        new("--postgres", "CONNECTION", "how to connect to PostgreSQL, with --store postgres",
            (options, value) => options with { Postgres = OptionValues.NotEmpty(value) }),
        new("--retention", "DAYS", "for how long readings are kept in the store, 0 for ever (30; for ever in a replay)",
            (options, value) => options with { Retention = OptionValues.Number(value, 0, 36_500) is > 0 and var days
                ? TimeSpan.FromDays(days)
                : null }),
        new("--devices", "N", "simulated devices, 0 to 1000000 (40; 0 with --replay)",
            (options, value) => options with { Devices = (int)OptionValues.Whole(value, 0, 1_000_000) }),
        new("--rate", "R", "readings a second of all simulated devices together (one per device)",
            (options, value) => options with { Rate = OptionValues.Number(value, 0.001, 10_000_000) }),
        new("--seed", "N", "what the simulation's chance begins with (1)",
            (options, value) => options with { Seed = (int)OptionValues.Whole(value, 0, int.MaxValue) }),
        new("--replay", "FILE", "replays a series of 'timestamp,value' lines as a device; may be given several times",
            (options, value) => options with { Replay = [.. options.Replay, OptionValues.ExistingFile(value)] }),
        new("--speed", "N|max", "how many times faster than real time a replay runs (max)",
            (options, value) => options with { Speed = value == "max" ? null : OptionValues.Number(value, 0.001, 1e9) }),
        new("--exit-when-done", null, "ends when the replay is done, and prints the numbers as one line of JSON",
            (options, _) => options with { ExitsWhenDone = true }));

    private CommandLine()
    {
    }

    /// <summary>Run.</summary>
    public sealed record Run(SensorsOptions Options) : CommandLine;

    /// <summary>Show the options and end.</summary>
    public sealed record Help(string Text) : CommandLine;

    /// <summary>The command line is wrong.</summary>
    public sealed record Wrong(string Message) : CommandLine;

    /// <summary>Reads a command line: <c>--option value</c> or <c>--option=value</c>.</summary>
    public static CommandLine Parse(IReadOnlyList<string> arguments) => Known.Parse(arguments, new SensorsOptions()) switch
    {
        ParsedOptions<SensorsOptions>.Run run => Contradiction(run.Options, run.Given) is { } contradiction
            ? new Wrong(contradiction)
            : new Run(run.Options.IsReplay && !run.Given.Contains("--retention") ? run.Options with { Retention = null } : run.Options),
        ParsedOptions<SensorsOptions>.Wrong wrong => new Wrong(wrong.Message),
        ParsedOptions<SensorsOptions>.Help => new Help(
            "Sensors: IoT readings from MQTT to averages, alerts and a live page.\n\n" + Known.Describe()),
        var other => throw new InvalidOperationException($"Unknown result {other.GetType().Name}."),
    };

    /// <summary>What does not go together, or null.</summary>
    private static string? Contradiction(SensorsOptions options, IReadOnlyList<string> given)
    {
        if (options.Engine == SensorsEngine.Kafka && options.Bootstrap is null) return "--engine kafka needs --bootstrap HOST:PORT.";
        if (options.Engine == SensorsEngine.Embedded && options.Bootstrap is not null) return "--bootstrap needs --engine kafka.";
        if (options.Store == SeriesStore.Postgres && options.Postgres is null) return "--store postgres needs --postgres CONNECTION.";
        if (options.Store != SeriesStore.Postgres && options.Postgres is not null) return "--postgres needs --store postgres.";
        if (options.MqttServer is not null && given.Contains("--mqtt-port"))
            return "--mqtt-port is the embedded broker's; --mqtt names another one.";
        if (options.MqttUser is not null && options.MqttServer is null) return "--mqtt-user needs --mqtt.";
        if (options.ExitsWhenDone && !options.IsReplay) return "--exit-when-done needs --replay: otherwise nothing is ever done.";
        if (given.Contains("--speed") && !options.IsReplay) return "--speed needs --replay.";
        if (options.IsReplay && options.SimulatedDevices > 0)
            return "--devices and --replay do not go together: a replay has its own times, simulated devices the clock's.";
        if (given.Contains("--rate") && options.SimulatedDevices == 0) return "--rate needs simulated devices.";
        var names = options.Replay.Select(Path.GetFileNameWithoutExtension).ToList();
        return names.Distinct(StringComparer.Ordinal).Count() < names.Count ? "--replay: two files of one name would be one device." : null;
    }

    private static string Server(string value)
    {
        var colon = value.LastIndexOf(':');
        return colon > 0 && int.TryParse(value[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and < 65_536
            ? value
            : throw new FormatException("it must be HOST:PORT");
    }

    private static T Choice<T>(string value)
        where T : struct, Enum
    {
        foreach (var choice in Enum.GetValues<T>())
        {
            if (choice.ToString().Equals(value, StringComparison.OrdinalIgnoreCase)) return choice;
        }

        throw new FormatException($"it must be one of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}");
    }
}

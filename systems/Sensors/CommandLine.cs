using System.Globalization;

namespace Sensors;

/// <summary>What the command line asks for.</summary>
internal abstract record CommandLine
{
    private static readonly Option[] Known =
    [
        new("--urls", "URLS", "where to listen for HTTP, separated by ';' (http://localhost:5100)",
            (options, value) => options with
            {
                Urls = NotEmpty(value).Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
            }),
        new("--data", "DIR", "the data folder, of one process at a time (./sensors-data)",
            (options, value) => options with { DataDirectory = Path.GetFullPath(NotEmpty(value)) }),
        new("--engine", "ENGINE", "embedded or kafka (embedded)",
            (options, value) => options with { Engine = Choice<SensorsEngine>(value) }),
        new("--bootstrap", "HOST:PORT", "Kafka's brokers to ask first, separated by ','",
            (options, value) => options with { Bootstrap = NotEmpty(value) }),
        new("--partitions", "N", "partitions of each topic, 1 to 1000; fixed for a data folder (100)",
            (options, value) => options with { Partitions = (int)Whole(value, 1, 1_000) }),
        new("--mqtt", "HOST:PORT", "an MQTT broker instead of the embedded one",
            (options, value) => options with { MqttServer = Server(value) }),
        new("--mqtt-port", "PORT", "the embedded broker's port, 0 for a free one (1883)",
            (options, value) => options with { MqttPort = (int)Whole(value, 0, 65_535) }),
        new("--mqtt-user", "NAME", "the user at --mqtt; the password is in SENSORS_MQTT_PASSWORD",
            (options, value) => options with { MqttUser = NotEmpty(value) }),
        new("--store", "STORE", "where series are kept: sqlite, postgres or none (sqlite)",
            (options, value) => options with { Store = Choice<SeriesStore>(value) }),
        new("--postgres", "CONNECTION", "how to connect to PostgreSQL, with --store postgres",
            (options, value) => options with { Postgres = NotEmpty(value) }),
        new("--retention", "DAYS", "for how long readings are kept in the store, 0 for ever (30; for ever in a replay)",
            (options, value) => options with { Retention = Number(value, 0, 36_500) is > 0 and var days ? TimeSpan.FromDays(days) : null }),
        new("--devices", "N", "simulated devices, 0 to 1000000 (40; 0 with --replay)",
            (options, value) => options with { Devices = (int)Whole(value, 0, 1_000_000) }),
        new("--rate", "R", "readings a second of all simulated devices together (one per device)",
            (options, value) => options with { Rate = Number(value, 0.001, 10_000_000) }),
        new("--seed", "N", "what the simulation's chance begins with (1)",
            (options, value) => options with { Seed = (int)Whole(value, 0, int.MaxValue) }),
        new("--replay", "FILE", "replays a series of 'timestamp,value' lines as a device; may be given several times",
            (options, value) => File.Exists(NotEmpty(value))
                ? options with { Replay = [.. options.Replay, Path.GetFullPath(value)] }
                : throw new FormatException("there is no such file")),
        new("--speed", "N|max", "how many times faster than real time a replay runs (max)",
            (options, value) => options with { Speed = value == "max" ? null : Number(value, 0.001, 1e9) }),
        new("--exit-when-done", null, "ends when the replay is done, and prints the numbers as one line of JSON",
            (options, _) => options with { ExitsWhenDone = true }),
    ];

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
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var options = new SensorsOptions();
        var given = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Count; i++)
        {
            var equals = arguments[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? arguments[i] : arguments[i][..equals];
            var value = equals < 0 ? null : arguments[i][(equals + 1)..];
            if (name is "--help" or "-h" or "-?") return new Help(HelpText());
            if (Array.Find(Known, known => known.Name == name) is not { } option)
                return new Wrong($"Unknown option '{arguments[i]}'. Try --help.");
            if (option.Value is null && value is not null) return new Wrong($"{name} takes no value, but got '{value}'.");
            if (option.Value is not null && value is null)
            {
                if (i + 1 == arguments.Count) return new Wrong($"{name} needs a value: {name} {option.Value}.");
                value = arguments[++i];
            }

            try
            {
                options = option.Apply(options, value ?? "");
            }
            catch (FormatException failure)
            {
                return new Wrong($"{name} is '{value}': {failure.Message}.");
            }

            given.Add(name);
        }

        return Contradiction(options, given) is { } contradiction
            ? new Wrong(contradiction)
            : new Run(options.IsReplay && !given.Contains("--retention") ? options with { Retention = null } : options);
    }

    /// <summary>What does not go together, or null.</summary>
    private static string? Contradiction(SensorsOptions options, HashSet<string> given)
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

    private static string HelpText()
    {
        var width = Known.Max(option => option.Usage.Length) + 2;
        return "Sensors: IoT readings from MQTT to averages, alerts and a live page.\n\n"
            + string.Join('\n', Known.Select(option => $"  {option.Usage.PadRight(width)}{option.Description}"))
            + $"\n  {"--help".PadRight(width)}shows this";
    }

    private static string Server(string value)
    {
        var colon = value.LastIndexOf(':');
        return colon > 0 && int.TryParse(value[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and < 65_536
            ? value
            : throw new FormatException("it must be HOST:PORT");
    }

    private static string NotEmpty(string value) =>
        string.IsNullOrWhiteSpace(value) ? throw new FormatException("it must not be empty") : value;

    private static T Choice<T>(string value)
        where T : struct, Enum
    {
        foreach (var choice in Enum.GetValues<T>())
        {
            if (choice.ToString().Equals(value, StringComparison.OrdinalIgnoreCase)) return choice;
        }

        throw new FormatException($"it must be one of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}");
    }

    private static double Number(string value, double from, double to) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
        && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a number from {from} to {to}"));

    private static long Whole(string value, long from, long to) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a whole number from {from} to {to}"));

    /// <param name="Name">The option.</param>
    /// <param name="Value">What its value is called; null when it takes none.</param>
    /// <param name="Description">One line for --help, with the default in brackets.</param>
    /// <param name="Apply">Takes the value in, or throws a <see cref="FormatException"/> that says what is possible.</param>
    private sealed record Option(string Name, string? Value, string Description, Func<SensorsOptions, string, SensorsOptions> Apply)
    {
        public string Usage => Value is null ? Name : $"{Name} {Value}";
    }
}

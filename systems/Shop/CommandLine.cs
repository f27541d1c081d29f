using System.Globalization;
using Millrace.Kafka;

namespace Shop;

/// <summary>What the command line asks for.</summary>
internal abstract record CommandLine
{
    private const double RateMax = 10_000;

    private static readonly Option[] Known =
    [
        new("--urls", "URLS", "where to listen, separated by ';' (http://localhost:5000)", Urls),
        new(
            "--data", "DIR", "the data folder, of one process at a time (./shop-data)",
            (options, value) => options with { DataDirectory = Path.GetFullPath(NotEmpty(value)) }),
        new("--engine", "ENGINE", "embedded or kafka (embedded)",
            (options, value) => options with { Engine = Choice(value, ShopEngine.Embedded, ShopEngine.Kafka) }),
        new("--bootstrap", "HOST:PORT", "Kafka's brokers to ask first, separated by ','", Bootstrap),
        new("--service", "SERVICE", "orders, payments, inventory, notifications or all; one alone needs kafka (all)", Service),
        new("--session", "SECONDS", "how long a process may be silent before others take over, with kafka, 1 to 1800 (10)",
            (options, value) => options with { Session = TimeSpan.FromSeconds(Number(value, 1, 1_800)) }),
        new("--rate", "N", "simulated customers a second, 0 for none (5; 0 with --orders)",
            (options, value) => options with { Rate = Number(value, 0, RateMax) }, ShopServices.Orders),
        new("--payment-failure-rate", "P", "the share of declined charges, 0 to 1 (0.05)",
            (options, value) => options with { PaymentFailureRate = Number(value, 0, 1) }, ShopServices.Payments),
        new("--payment-delay", "MS", "the slowest answer of the payment provider, in milliseconds (50)",
            (options, value) => options with { PaymentDelayMax = TimeSpan.FromMilliseconds(Number(value, 0, 60_000)) },
            ShopServices.Payments),
        new("--orders", "FILE", "replays a file in the Online Retail format", Orders, ShopServices.Orders),
        new("--initial-stock", "N", "what a replay puts on the shelf of each new sku (1000)",
            (options, value) => options with { InitialStock = Whole(value, 0, 1_000_000_000) }, ShopServices.Orders),
        new("--exit-when-done", null, "ends when the replay is done and all orders are settled, and prints the numbers as JSON",
            (options, _) => options with { ExitsWhenDone = true }, ShopServices.Orders),
        new("--currency", "CODE", "the shop's currency, three capital letters (USD)", Currency),
        new("--mail", "DIR", "the folder of the mails, which processes may share (DATA/mail)",
            (options, value) => options with { MailDirectory = Path.GetFullPath(NotEmpty(value)) }, ShopServices.Notifications),
        new("--unsynced-mail", null, "writes mails without waiting for the disk",
            (options, _) => options with { SyncsMail = false }, ShopServices.Notifications),
    ];

    private CommandLine()
    {
    }

    /// <summary>Run the shop.</summary>
    public sealed record Run(ShopOptions Options) : CommandLine;

    /// <summary>Show the options and end.</summary>
    public sealed record Help(string Text) : CommandLine;

    /// <summary>The command line is wrong.</summary>
    public sealed record Wrong(string Message) : CommandLine;

    /// <summary>Reads a command line: <c>--option value</c> or <c>--option=value</c>.</summary>
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var options = new ShopOptions();
        var given = new List<Option>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var (name, value) = Split(arguments[i]);
            if (name is "--help" or "-h" or "-?") return new Help(HelpText());
            if (Array.Find(Known, known => known.Name == name) is not { } option)
                return new Wrong($"Unknown option '{arguments[i]}'. Try --help.");
            if (option.Value is null && value is not null) return new Wrong($"{name} takes no value, but got '{value}'.");
            if (option.Value is not null && value is null)
            {
                if (i + 1 == arguments.Count || arguments[i + 1].StartsWith("--", StringComparison.Ordinal))
                    return new Wrong($"{name} needs a value: {name} {option.Value}.");
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

            given.Add(option);
        }

        return Contradiction(options, given) is { } contradiction ? new Wrong(contradiction) : new Run(options);
    }

    /// <summary>What does not go together, or null.</summary>
    private static string? Contradiction(ShopOptions options, List<Option> given)
    {
        if (options.Engine == ShopEngine.Kafka && options.Bootstrap is null)
            return "--engine kafka needs brokers to ask: add --bootstrap HOST:PORT.";
        if (options.Engine == ShopEngine.Embedded && options.Bootstrap is not null)
            return $"--bootstrap is '{options.Bootstrap}', but the embedded log has no brokers: add --engine kafka.";
        if (options.Engine == ShopEngine.Embedded && options.Session is { } session)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"--session is '{session.TotalSeconds}', but on the embedded log nobody takes over: add --engine kafka.");
        }

        if (options.Engine == ShopEngine.Embedded && options.Services != ShopServices.All)
        {
            return $"--service is '{Name(options.Services)}', but the embedded log is one process's: " +
                "add --engine kafka --bootstrap HOST:PORT, or leave --service out.";
        }

        if (given.Find(option => !options.Runs(option.Of)) is { } stranger)
            return $"{stranger.Name} is for the service {Name(stranger.Of)} (or all), but --service is '{Name(options.Services)}'.";
        return options.ExitsWhenDone && options.OrdersFile is null
            ? "--exit-when-done needs a replay to be done with: add --orders FILE."
            : null;
    }

    private static (string Name, string? Value) Split(string argument)
    {
        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (argument, null) : (argument[..equals], argument[(equals + 1)..]);
    }

    private static string HelpText()
    {
        var lines = Known.Select(option => $"  {option.Name + (option.Value is null ? "" : " " + option.Value),-28} {option.Description}");
        return $"The Shop: e-commerce orders by choreography, in one process on the embedded log, or spread over processes on Kafka.\n\n" +
            $"{string.Join('\n', lines)}\n  {"--help",-28} shows this";
    }

    private static ShopOptions Urls(ShopOptions options, string value)
    {
        var urls = value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (urls.Length == 0) throw new FormatException("at least one address is needed, such as http://localhost:5000");
        foreach (var url in urls)
        {
            // Kestrel's wildcards are no host names; a real one stands in for them in the check.
            var shape = url.Replace("://*", "://any", StringComparison.Ordinal).Replace("://+", "://any", StringComparison.Ordinal);
            if (!Uri.TryCreate(shape, UriKind.Absolute, out var uri) || uri.Scheme is not "http" || uri.PathAndQuery != "/")
                throw new FormatException("an address looks like http://localhost:5000");
        }

        return options with { Urls = urls };
    }

    private static ShopOptions Bootstrap(ShopOptions options, string value)
    {
        try
        {
            new KafkaOptions { BootstrapServers = value }.Validate();
        }
        catch (ArgumentException)
        {
            throw new FormatException("it must be host:port, several separated by commas");
        }

        return options with { Bootstrap = value };
    }

    private static ShopOptions Service(ShopOptions options, string value) => options with
    {
        Services = Choice(
            value, ShopServices.Orders, ShopServices.Payments, ShopServices.Inventory, ShopServices.Notifications, ShopServices.All),
    };

    private static ShopOptions Orders(ShopOptions options, string value) => File.Exists(NotEmpty(value))
        ? options with { OrdersFile = Path.GetFullPath(value) }
        : throw new FormatException("there is no such file");

    private static ShopOptions Currency(ShopOptions options, string value) => value.Length == 3 && value.All(char.IsAsciiLetterUpper)
        ? options with { Currency = value }
        : throw new FormatException("a currency is three capital letters, such as USD");

    private static string NotEmpty(string value) =>
        string.IsNullOrWhiteSpace(value) ? throw new FormatException("it must not be empty") : value;

    private static T Choice<T>(string value, params T[] choices)
        where T : struct, Enum
    {
        foreach (var choice in choices)
        {
            if (Name(choice) == value) return choice;
        }

        var names = Array.ConvertAll(choices, Name);
        throw new FormatException($"it must be {string.Join(", ", names[..^1])} or {names[^1]}");
    }

    private static string Name<T>(T choice)
        where T : struct, Enum => choice.ToString().ToLowerInvariant();

    private static double Number(string value, double from, double to) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
        && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a number from {from} to {to}"));

    private static long Whole(string value, long from, long to) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= from && number <= to
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"it must be a whole number from {from} to {to}"));

    /// <param name="Name">The option.</param>
    /// <param name="Value">What its value is called; null when it takes none.</param>
    /// <param name="Description">One line for --help, with the default in brackets.</param>
    /// <param name="Apply">Takes the value in, or throws a <see cref="FormatException"/> that says what is possible.</param>
    /// <param name="Of">The service that it concerns; without that service in the process it is refused.</param>
    private sealed record Option(
        string Name, string? Value, string Description, Func<ShopOptions, string, ShopOptions> Apply, ShopServices Of = ShopServices.All);
}

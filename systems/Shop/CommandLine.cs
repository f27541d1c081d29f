using System.Globalization;
using Millrace.Kafka;

namespace Shop;

/// <summary>What the command line asks for.</summary>
internal abstract record CommandLine
{
    private const double RateMax = 10_000;

    private static readonly OptionSet<ShopOptions> Known = new(
        new("--urls", "URLS", "where to listen, separated by ';' (http://localhost:5000)",
            (options, value) => options with { Urls = OptionValues.Urls(value, "http://localhost:5000") }),
        new(
            "--data", "DIR", "the data folder, of one process at a time (./shop-data)",
            (options, value) => options with { DataDirectory = Path.GetFullPath(OptionValues.NotEmpty(value)) }),
        new("--engine", "ENGINE", "embedded or kafka (embedded)",
            (options, value) => options with { Engine = Choice(value, ShopEngine.Embedded, ShopEngine.Kafka) }),
        new("--bootstrap", "HOST:PORT", "Kafka's brokers to ask first, separated by ','", Bootstrap),
        new("--service", "SERVICE", "orders, payments, inventory, notifications or all; one alone needs kafka (all)", Service),
        new("--session", "SECONDS", "how long a process may be silent before others take over, with kafka, 1 to 1800 (10)",
            (options, value) => options with { Session = TimeSpan.FromSeconds(OptionValues.Number(value, 1, 1_800)) }),
        new("--rate", "N", "simulated customers a second, 0 for none (5; 0 with --orders)",
            (options, value) => options with { Rate = OptionValues.Number(value, 0, RateMax) }),
        new("--payment-failure-rate", "P", "the share of declined charges, 0 to 1 (0.05)",
            (options, value) => options with { PaymentFailureRate = OptionValues.Number(value, 0, 1) }),
        new("--payment-delay", "MS", "the slowest answer of the payment provider, in milliseconds (50)",
            (options, value) => options with { PaymentDelayMax = TimeSpan.FromMilliseconds(OptionValues.Number(value, 0, 60_000)) }),
        new("--orders", "FILE", "replays a file in the Online Retail format",
            (options, value) => options with { OrdersFile = OptionValues.ExistingFile(value) }),
        new("--initial-stock", "N", "what a replay puts on the shelf of each new sku (1000)",
            (options, value) => options with { InitialStock = OptionValues.Whole(value, 0, 1_000_000_000) }),
        new("--exit-when-done", null, "ends when the replay is done and all orders are settled, and prints the numbers as JSON",
            (options, _) => options with { ExitsWhenDone = true }),
        new("--currency", "CODE", "the shop's currency, three capital letters (USD)", Currency),
        new("--mail", "DIR", "the folder of the mails, which processes may share (DATA/mail)",
            (options, value) => options with { MailDirectory = Path.GetFullPath(OptionValues.NotEmpty(value)) }),
        new("--unsynced-mail", null, "writes mails without waiting for the disk",
            (options, _) => options with { SyncsMail = false }));

    /// <summary>Options that concern one service; without it in the process they are refused.</summary>
    private static readonly Dictionary<string, ShopServices> Concerned = new(StringComparer.Ordinal)
    {
        ["--rate"] = ShopServices.Orders,
        ["--payment-failure-rate"] = ShopServices.Payments,
        ["--payment-delay"] = ShopServices.Payments,
        ["--orders"] = ShopServices.Orders,
        ["--initial-stock"] = ShopServices.Orders,
        ["--exit-when-done"] = ShopServices.Orders,
        ["--mail"] = ShopServices.Notifications,
        ["--unsynced-mail"] = ShopServices.Notifications,
    };

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
    public static CommandLine Parse(IReadOnlyList<string> arguments) => Known.Parse(arguments, new ShopOptions()) switch
    {
        ParsedOptions<ShopOptions>.Run run => Contradiction(run.Options, run.Given) is { } contradiction
            ? new Wrong(contradiction)
            : new Run(run.Options),
        ParsedOptions<ShopOptions>.Wrong wrong => new Wrong(wrong.Message),
        ParsedOptions<ShopOptions>.Help => new Help(HelpText()),
        var other => throw new InvalidOperationException($"Unknown result {other.GetType().Name}."),
    };

    /// <summary>What does not go together, or null.</summary>
    private static string? Contradiction(ShopOptions options, IReadOnlyList<string> given)
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

        if (given.FirstOrDefault(name => Concerned.TryGetValue(name, out var of) && !options.Runs(of)) is { } stranger)
        {
            return $"{stranger} is for the service {Name(Concerned[stranger])} (or all), but --service is '{Name(options.Services)}'.";
        }

        return options.ExitsWhenDone && options.OrdersFile is null
            ? "--exit-when-done needs a replay to be done with: add --orders FILE."
            : null;
    }

    private static string HelpText() =>
        "The Shop: e-commerce orders by choreography, in one process on the embedded log, or spread over processes on Kafka.\n\n"
        + Known.Describe();

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

    private static ShopOptions Currency(ShopOptions options, string value) => value.Length == 3 && value.All(char.IsAsciiLetterUpper)
        ? options with { Currency = value }
        : throw new FormatException("a currency is three capital letters, such as USD");

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
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Millrace.Crash;

/// <summary>What the command line says.</summary>
internal sealed record CrashOptions
{
    private const string Common =
        """
          --seed S       where chance begins; drawn and printed when it is not given. With it the load and the moments are drawn alike
          --data DIR     where data goes; a folder below the system's temporary one by default, removed when all held
        The last line says passed or failed. Exit code 0: all held. 1: something did not. 2: the command line is wrong.
        """;

    private static readonly Dictionary<string, string> Texts = new(StringComparer.Ordinal)
    {
        ["raw"] =
            """
            usage: Crash raw [--cycles N] [--seed S] [--data DIR]
            The embedded log: a child process writes, is killed with SIGKILL at random moments and started again; its files are compared with
            what it acknowledged.
              --cycles N     how often to kill; 50 by default
            """,
        ["state"] =
            """
            usage: Crash state [--cycles N] [--seed S] [--data DIR]
            A copy of keyed state in RocksDB: a child process changes it, is killed with SIGKILL at random moments and started again; what the
            copy holds is compared with what belongs to its position.
              --cycles N     how often to kill; 50 by default
            """,
        ["streams"] =
            """
            usage: Crash streams [--cycles N] [--seed S] [--data DIR]
            Streams on the embedded log with their state in RocksDB and another limit of it in memory at each start: windows, sessions, a
            function with timers and a topic in between. The process is killed with SIGKILL at random moments and started again; at the end
            its outputs are compared with what plain loops make of the input.
              --cycles N     how often to kill; 50 by default
            """,
        ["shop"] =
            """
            usage: Crash shop [--cycles N] [--seed S] [--data DIR] [--shop Shop.dll]
            The Shop on the embedded log under a load of orders, killed with SIGKILL at random moments; its invariants are checked at the end.
              --cycles N     how often to kill; 50 by default
              --shop DLL     the Shop's assembly; by default the one that was built beside this program
            """,
        ["mqtt"] =
            """
            usage: Crash mqtt [--messages1 N] [--messages2 N] [--kills N] [--broker-kills N] [--seed S] [--data DIR]
            Devices publish to HiveMQ, from which an MQTT source takes into the embedded log, while both are killed with SIGKILL at random
            moments and started again. Every acknowledged message must be in the log, those of quality 2 once, each device's in its order.
              --messages1 N     how many messages of quality 1; 200,000 by default
              --messages2 N     how many of quality 2; 50,000 by default
              --kills N         how often to kill the platform; 20 by default
              --broker-kills N  how often to kill HiveMQ; 5 by default
            """,
        ["mqtt-embedded"] =
            """
            usage: Crash mqtt-embedded [--messages1 N] [--messages2 N] [--kills N] [--seed S] [--data DIR]
            The same with the platform's own broker, so that each kill is one of the broker, too.
            """,
        ["kafka-state"] =
            """
            usage: Crash kafka-state [--kills N] [--seed S] [--data DIR]
            A processor with keyed state and timers on Kafka, killed with SIGKILL at random moments, also while it restores, while another
            instance takes over, and with its local copies of state kept, lost or put back from long ago. At the end the state that is
            restored and the output, read by two other clients, are compared with what follows from the input.
              --kills N      how often to kill; 200 by default
            """,
        ["kafka-zombie"] =
            """
            usage: Crash kafka-zombie [--rounds N] [--seed S] [--data DIR]
            Two instances in one group on Kafka. One is stopped (SIGSTOP) with work in hand for longer than its session and its transaction
            last, the other takes over, the first is woken: what it had in hand must not become visible, and it goes on as a member.
              --rounds N     how often; 100 by default. Every round must have been fenced
            """,
        ["kafka-proxy"] =
            """
            usage: Crash kafka-proxy [--minutes M] [--seed S] [--data DIR]
            The same processor behind a TCP proxy that cuts connections at random bytes, delays and half-closes them, while the broker is
            killed with SIGKILL and started again. When that stops, everything ends within a time, nothing lost and nothing doubled.
              --minutes M    how long to disturb; 5 by default
            """,
        ["shop-kafka"] =
            """
            usage: Crash shop-kafka [--minutes M] [--seed S] [--data DIR] [--shop Shop.dll]
            The Shop spread over processes on Kafka under a load of orders. Services are killed (SIGKILL), stopped for longer than their
            session (SIGSTOP) and started again, the broker is killed, connections are cut. At the end its invariants are checked by HTTP and
            by a plain consumer of its topics.
              --minutes M    how long to disturb; 10 by default
              --shop DLL     the Shop's assembly; by default the one that was built beside this program
            """,
    };

    /// <summary>What there is, for who asks for nothing.</summary>
    public static string Usage { get; } =
        $"usage: Crash {string.Join('|', Texts.Keys)} [options]{Environment.NewLine}Crash PROOF --help says what a proof does and takes.";

    /// <summary>Which proof.</summary>
    public required string Proof { get; init; }

    /// <summary>How often to kill the embedded log's children; 50 by default.</summary>
    public int Cycles { get; init; } = 50;

    /// <summary>How often to kill processors on Kafka, or the platform; null for the proof's own default.</summary>
    public int? Kills { get; init; }

    /// <summary>How often to kill the MQTT broker; 5 by default.</summary>
    public int BrokerKills { get; init; } = 5;

    /// <summary>How many messages of quality 1 devices publish; 200,000 by default.</summary>
    public int Messages1 { get; init; } = 200_000;

    /// <summary>How many of quality 2; 50,000 by default.</summary>
    public int Messages2 { get; init; } = 50_000;

    /// <summary>How often to stop and wake an owner; 100 by default.</summary>
    public int Rounds { get; init; } = 100;

    /// <summary>How long to disturb; null for the proof's own default.</summary>
    public double? Minutes { get; init; }

    /// <summary>Where chance begins.</summary>
    public int Seed { get; init; } = Random.Shared.Next();

    /// <summary>Where the data goes; a folder below the system's temporary one by default, removed when all held.</summary>
    public string? Data { get; init; }

    /// <summary>The Shop's assembly; by default the one that was built beside this program.</summary>
    public string Shop { get; init; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Shop",
        Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "Shop.dll"));

    /// <summary>The help text of the proof that the first argument names, if help is what is asked for.</summary>
    public static string? HelpOf(string[] args) => args switch
    {
        ["--help" or "-h", ..] => Usage,
        [var proof, .. var rest] when rest.Contains("--help") && Texts.TryGetValue(proof, out var text) => $"{text}{Environment.NewLine}{Common}",
        _ => null,
    };

    public static bool TryRead(string[] args, [NotNullWhen(true)] out CrashOptions? options, [NotNullWhen(false)] out string? complaint)
    {
        (options, complaint) = (null, null);
        if (args.Length == 0 || !Texts.TryGetValue(args[0], out var text))
        {
            complaint = args.Length == 0 ? "Say which proof." : $"'{args[0]}' is none of the proofs.";
            return false;
        }

        var read = new CrashOptions { Proof = args[0] };
        for (var at = 1; at < args.Length; at += 2)
        {
            var (name, value) = (args[at], at + 1 < args.Length ? args[at + 1] : null);
            var isKnown = name is "--seed" or "--data" || text.Contains($"[{name} ", StringComparison.Ordinal);
            var next = isKnown && value is not null ? read.With(name, value) : null;
            if (next is null)
            {
                complaint = isKnown ? $"'{value}' is no value for {name}." : $"'{name}' is no option of {args[0]}.";
                return false;
            }

            read = next;
        }

        options = read;
        return true;
    }

    private CrashOptions? With(string name, string value) => name switch
    {
        "--cycles" when TryNumber(value, out var cycles) && cycles > 0 => this with { Cycles = cycles },
        "--kills" when TryNumber(value, out var kills) && kills > 0 => this with { Kills = kills },
        "--broker-kills" when TryNumber(value, out var kills) => this with { BrokerKills = kills },
        "--messages1" when TryNumber(value, out var messages) && messages > 0 => this with { Messages1 = messages },
        "--messages2" when TryNumber(value, out var messages) && messages > 0 => this with { Messages2 = messages },
        "--rounds" when TryNumber(value, out var rounds) && rounds > 0 => this with { Rounds = rounds },
        "--minutes" when double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var minutes) && minutes > 0 =>
            this with { Minutes = minutes },
        "--seed" when TryNumber(value, out var seed) => this with { Seed = seed },
        "--data" => this with { Data = Path.GetFullPath(value) },
        "--shop" => this with { Shop = Path.GetFullPath(value) },
        _ => null,
    };

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}

using System.Globalization;
using System.Text.Json.Nodes;
using Nexmark;

const string usage =
    "usage: Nexmark --query Q|all [--events N] [--parallelism P] [--checkpoint SECONDS|off] [--rate R] [--seed S] "
    + "[--log] [--state-limit BYTES] [--verify]";
var options = new RunOptions();
for (var at = 0; at < args.Length; at++)
{
    var name = args[at];
    if (name is "--verify" or "--log")
    {
        options = name == "--log" ? options with { HasLog = true } : options with { IsVerified = true };
        continue;
    }

    var value = at + 1 < args.Length ? args[++at] : "";
    var next = With(options, name, value);
    if (next is null)
    {
        Console.Error.WriteLine($"'{name} {value}' is not an option that is known here, or its value is not one.");
        Console.Error.WriteLine(usage);
        return 2;
    }

    options = next;
}

var isGood = true;
foreach (var query in options.Query == "all" ? Queries.Names : [options.Query])
{
    var run = options with { Query = query };
    var result = run.HasLog ? LogRun.Of(run) : Run.Of(run);
    var line = new JsonObject
    {
        ["query"] = query,
        ["events"] = run.Events,
        ["parallelism"] = run.Parallelism,
        ["log"] = run.HasLog,
        ["stateLimitBytes"] = run.StateBytesMax,
        ["wallSeconds"] = Math.Round(result.WallSeconds, 3),
        ["cpuSeconds"] = Math.Round(result.CpuSeconds, 3),
        ["rows"] = result.Rows,
        ["checksum"] = $"{result.Checksum:x16}",
        ["eventsPerSecond"] = (long)(run.Events / result.WallSeconds),
        ["eventsPerSecondPerCore"] = (long)(run.Events / result.CpuSeconds),
        ["secondHalfEventsPerSecond"] = (long)(run.Events / 2d / result.HalfWallSeconds),
        ["secondHalfEventsPerSecondPerCore"] = (long)(run.Events / 2d / result.HalfCpuSeconds),
        ["peakRssBytes"] = result.PeakBytes,
        ["checkpoints"] = result.Checkpoints,
    };
    Console.WriteLine(line.ToJsonString());
    if (!run.IsVerified) continue;
    var (rows, checksum) = Reference.Of(run);
    var isSame = rows == result.Rows && checksum == result.Checksum;
    isGood &= isSame;
    Console.WriteLine($"{query}: {(isSame ? "equal" : "DIFFERENT")}, {rows} rows and checksum {checksum:x16} by the slow computation");
}

return isGood ? 0 : 1;

static RunOptions? With(RunOptions options, string name, string value) => (name, value) switch
{
    ("--query", _) when value == "all" || Queries.Names.Contains(value) => options with { Query = value },
    ("--events", _) when TryCount(value, out var events) => options with { Events = events },
    ("--parallelism", _) when TryCount(value, out var parallelism) && parallelism <= 64 => options with { Parallelism = (int)parallelism },
    ("--checkpoint", "off") => options with { Checkpoint = null },
    ("--checkpoint", _) when double.TryParse(value, CultureInfo.InvariantCulture, out var seconds) && seconds > 0 =>
        options with { Checkpoint = TimeSpan.FromSeconds(seconds) },
    ("--rate", _) when TryCount(value, out var rate) => options with { Rate = rate },
    ("--state-limit", _) when TryCount(value, out var bytes) => options with { HasLog = true, StateBytesMax = bytes },
    ("--seed", _) when TryCount(value, out var seed) => options with { Seed = seed },
    _ => null,
};

static bool TryCount(string text, out long count)
{
    var factor = text.EndsWith('M') ? 1_000_000 : text.EndsWith('k') ? 1_000 : 1;
    var digits = factor == 1 ? text : text[..^1];
    var isNumber = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out count);
    count *= factor;
    return isNumber && count > 0;
}

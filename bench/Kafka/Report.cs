using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.Kafka;

namespace KafkaFigures;

/// <summary>Prints what each round came to, and at the end a table of all figures and one JSON line for each.</summary>
internal sealed class Report(BenchOptions options)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<Figure> _figures = [];

    /// <summary>Says what the figures hold for.</summary>
    public void Begin()
    {
        Directory.CreateDirectory(options.Data);
        var line = new JsonObject
        {
            ["machine"] = Machine(),
            ["cores"] = Environment.ProcessorCount,
            ["system"] = RuntimeInformation.OSDescription,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["client"] = $"librdkafka {Library.VersionString}",
            ["disk"] = new DriveInfo(options.Data).DriveFormat,
            ["build"] = typeof(Report).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
            ["broker"] = $"one, in the same machine, heap {Environment.GetEnvironmentVariable("HEAP")}",
            ["rounds"] = options.Rounds,
        };
        Console.WriteLine(line.ToJsonString(Plain));
    }

    /// <summary>One side's result in one round.</summary>
    public void Round(int round, string side, long records, Cost cost, string more = "")
    {
        if (round < 0) return; // it only warmed up: the compilers, the page cache
        Add($"{side}: by the clock", "records/s", records / cost.Seconds);
        Add($"{side}: processor time here", "us/record", cost.ProcessorSeconds / records * 1e6);
        if (cost.BrokerSeconds > 0) Add($"{side}: processor time of the broker", "us/record", cost.BrokerSeconds / records * 1e6);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"round {round + 1} {side,-34} {records / cost.Seconds,9:N0}/s {cost.ProcessorSeconds / records * 1e6,6:N2} us here " +
            $"{cost.BrokerSeconds / records * 1e6,6:N2} us broker {more}"));
    }

    /// <summary>A figure of one round; its median over the rounds counts.</summary>
    public void Add(string name, string unit, double value, string? aim = null)
    {
        var figure = _figures.Find(known => known.Name == name);
        if (figure is null) _figures.Add(figure = new Figure(name, unit, aim));
        figure.Rounds.Add(value);
    }

    /// <summary>The ratio of two figures, round by round.</summary>
    public void AddRatio(string name, string of, string to, string? aim = null)
    {
        var (above, below) = (_figures.Find(known => known.Name == of), _figures.Find(known => known.Name == to));
        if (above is null || below is null) return;
        for (var round = 0; round < above.Rounds.Count; round++) Add(name, "ratio", above.Rounds[round] / below.Rounds[round], aim);
    }

    /// <summary>Prints everything and removes the data.</summary>
    public void End()
    {
        Console.WriteLine();
        foreach (var figure in _figures)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{figure.Name,-72} {Text(figure.Median),12} {figure.Unit,-10} {Text(figure.Rounds.Min())} to {Text(figure.Rounds.Max())}" +
                $"{(figure.Aim is null ? "" : $" (aim: {figure.Aim})")}"));
        }

        Console.WriteLine();
        foreach (var figure in _figures)
        {
            var line = new JsonObject
            {
                ["figure"] = figure.Name,
                ["median"] = Rounded(figure.Median),
                ["unit"] = figure.Unit,
                ["aim"] = figure.Aim,
                ["rounds"] = new JsonArray([.. figure.Rounds.Select(round => JsonValue.Create(Rounded(round)))]),
            };
            Console.WriteLine(line.ToJsonString(Plain));
        }

        Directory.Delete(options.Data, recursive: true);
    }

    private static double Rounded(double value) => value >= 100 ? Math.Round(value) : Math.Round(value, 3);

    private static string Text(double value) => Rounded(value).ToString("#,0.###", CultureInfo.InvariantCulture);

    private static string Machine()
    {
        const string cpuInfo = "/proc/cpuinfo";
        var model = File.Exists(cpuInfo)
            ? File.ReadLines(cpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return model?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private sealed record Figure(string Name, string Unit, string? Aim)
    {
        public List<double> Rounds { get; } = [];

        public double Median
        {
            get
            {
                var sorted = Rounds.Order().ToList();
                var middle = sorted.Count / 2;
                return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
            }
        }
    }
}

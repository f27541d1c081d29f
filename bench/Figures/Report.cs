using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Figures;

/// <summary>Prints figures: each as one JSON line, and at the end a table of all.</summary>
/// <param name="data">The folder of the data, which is removed at the end.</param>
/// <param name="rounds">How often everything is measured.</param>
/// <param name="facts">What the figures hold for, beside the machine and the build.</param>
public sealed class Report(string data, int rounds, params (string Name, string Value)[] facts)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<Figure> _figures = [];

    /// <summary>Says what the figures hold for.</summary>
    public void Begin()
    {
        Directory.CreateDirectory(data);
        var line = new JsonObject
        {
            ["machine"] = Machine(),
            ["cores"] = Environment.ProcessorCount,
            ["system"] = RuntimeInformation.OSDescription,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["disk"] = new DriveInfo(data).DriveFormat,
            ["build"] = typeof(Report).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
        };
        foreach (var (name, value) in facts) line[name] = value;
        line["rounds"] = rounds;
        Console.WriteLine(line.ToJsonString(Plain));
    }

    /// <summary>A figure measured once in each round, all of them: its median counts. Its line is printed now.</summary>
    public void Add(string name, IReadOnlyList<double> rounds, string unit, string? aim = null)
    {
        foreach (var value in rounds) Add(name, unit, value, aim);
        Print(_figures[^1]);
    }

    /// <summary>A figure of one round; its median over the rounds counts. Its line is printed at the end.</summary>
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

    /// <summary>Prints the table and the lines that are left, and removes the data.</summary>
    public void End()
    {
        Console.WriteLine();
        foreach (var figure in _figures)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{figure.Name,-72} {Text(figure.Median),12} {figure.Unit,-12} {Text(figure.Rounds.Min())} to {Text(figure.Rounds.Max())}" +
                $"{(figure.Aim is null ? "" : $" (aim: {figure.Aim})")}"));
        }

        Console.WriteLine();
        foreach (var figure in _figures.Where(figure => !figure.IsPrinted)) Print(figure);
        Directory.Delete(data, recursive: true);
    }

    private static void Print(Figure figure)
    {
        figure.IsPrinted = true;
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

        public bool IsPrinted { get; set; }

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

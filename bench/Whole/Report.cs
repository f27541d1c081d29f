using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Millrace.Whole;

/// <summary>Prints each figure as a JSON line when it is known and all of them as a table at the end.</summary>
internal sealed class Report(BenchOptions options)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly List<(string Name, double Value, string Unit, string? Aim)> _figures = [];

    /// <summary>Says what the figures hold for: the machine, the disk, the commit, the durability.</summary>
    public void Begin()
    {
        Directory.CreateDirectory(options.Data);
        var line = new JsonObject
        {
            ["machine"] = Machine(),
            ["cores"] = Environment.ProcessorCount,
            ["system"] = RuntimeInformation.OSDescription,
            ["runtime"] = RuntimeInformation.FrameworkDescription,
            ["disk"] = new DriveInfo(options.Data).DriveFormat,
            ["build"] = typeof(Report).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
            ["durability"] = "every append is acknowledged after fdatasync",
            ["rounds"] = options.Rounds,
        };
        Console.WriteLine(line.ToJsonString(Plain));
    }

    /// <summary>A figure measured once in each round: its median counts.</summary>
    public void Add(string name, IReadOnlyList<double> rounds, string unit, string? aim = null)
    {
        var sorted = rounds.Order().ToList();
        var median = sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
        _figures.Add((name, median, unit, aim));
        var line = new JsonObject
        {
            ["figure"] = name,
            ["median"] = Rounded(median),
            ["unit"] = unit,
            ["aim"] = aim,
            ["rounds"] = new JsonArray([.. rounds.Select(round => JsonValue.Create(Rounded(round)))]),
        };
        Console.WriteLine(line.ToJsonString(Plain));
    }

    /// <summary>Prints the table and removes the data.</summary>
    public void End()
    {
        Console.WriteLine();
        foreach (var (name, value, unit, aim) in _figures)
        {
            var number = Rounded(value).ToString("#,0.###", CultureInfo.InvariantCulture);
            Console.WriteLine($"{name,-64} {number,14} {unit,-12} {(aim is null ? "" : $"(aim: {aim})")}".TrimEnd());
        }

        Directory.Delete(options.Data, recursive: true);
    }

    private static double Rounded(double value) => value >= 100 ? Math.Round(value) : Math.Round(value, 3);

    private static string Machine()
    {
        const string cpuInfo = "/proc/cpuinfo";
        var model = File.Exists(cpuInfo)
            ? File.ReadLines(cpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return model?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}

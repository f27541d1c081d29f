using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Millrace.Figures;
using Millrace.SensorsBench;

// dotnet run -c Release --project bench/Sensors -- log --devices 100000 --readings 6000000 [--every SECONDS] [--data DIR]
if (!BenchOptions.TryRead(args, out var options, out var complaint))
{
    Console.Error.WriteLine(complaint);
    Console.Error.WriteLine("log [--devices 100000] [--readings 6000000] [--every 10] [--partitions 100] [--data DIR]");
    return 2;
}

var folder = options.Data ?? Directory.CreateTempSubdirectory("millrace-bench-sensors-").FullName;
try
{
    await Console.Out.WriteLineAsync(JsonSerializer.Serialize(await new LogBench(options, folder).RunAsync()));
    return 0;
}
finally
{
    if (options.Data is null) Directory.Delete(folder, recursive: true);
}

/// <summary>What is measured.</summary>
internal sealed record BenchOptions
{
    public int Devices { get; init; } = 100_000;

    public long Readings { get; init; } = 6_000_000;

    /// <summary>How often a device sends, in seconds of event time.</summary>
    public double Every { get; init; } = 10;

    public int Partitions { get; init; } = 100;

    public string? Data { get; init; }

    public static bool TryRead(string[] args, [NotNullWhen(true)] out BenchOptions? options, [NotNullWhen(false)] out string? complaint) =>
        CommandLine.TryRead(args, ["log"], new BenchOptions(), (known, _) => known, With, out options, out complaint);

    private static BenchOptions? With(BenchOptions options, string name, string value) => name switch
    {
        "--devices" when CommandLine.TryCount(value, out var devices) => options with { Devices = devices },
        "--readings" when CommandLine.TryCount(value, out var readings) => options with { Readings = readings },
        "--every" when double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var every) && every > 0 =>
            options with { Every = every },
        "--partitions" when CommandLine.TryCount(value, out var partitions) => options with { Partitions = partitions },
        "--data" => options with { Data = Path.GetFullPath(value) },
        _ => null,
    };
}

/// <summary>The process's clocks.</summary>
internal static class Usage
{
    public static double CpuSeconds()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime.TotalSeconds;
    }

    public static long RssBytes()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }
}

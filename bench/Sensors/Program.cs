using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Millrace.SensorsBench;

// dotnet run -c Release --project bench/Sensors -- log --devices 100000 --readings 6000000 [--every SECONDS] [--data DIR]
var options = BenchOptions.Read(args);
if (options is null)
{
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
    public int Devices { get; private set; } = 100_000;

    public long Readings { get; private set; } = 6_000_000;

    /// <summary>How often a device sends, in seconds of event time.</summary>
    public double Every { get; private set; } = 10;

    public int Partitions { get; private set; } = 100;

    public string? Data { get; private set; }

    public static BenchOptions? Read(string[] arguments)
    {
        if (arguments is not ["log", ..] || arguments.Length % 2 == 0) return null;
        var options = new BenchOptions();
        for (var i = 1; i < arguments.Length; i += 2)
        {
            var value = arguments[i + 1];
            switch (arguments[i])
            {
                case "--devices": options.Devices = int.Parse(value, CultureInfo.InvariantCulture); break;
                case "--readings": options.Readings = long.Parse(value, CultureInfo.InvariantCulture); break;
                case "--every": options.Every = double.Parse(value, CultureInfo.InvariantCulture); break;
                case "--partitions": options.Partitions = int.Parse(value, CultureInfo.InvariantCulture); break;
                case "--data": options.Data = Path.GetFullPath(value); break;
                default: return null;
            }
        }

        return options;
    }
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

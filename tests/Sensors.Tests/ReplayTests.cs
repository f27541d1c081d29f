using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Servers;
using Sensors.Api;
using Sensors.Simulation;
using static Sensors.Tests.RunningPlatform;

namespace Sensors.Tests;

public abstract class ReplayTests(Ground ground) : OnGround(ground)
{
    [Fact]
    public async Task A_replay_ends_with_its_numbers_as_one_line_of_json()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "pump 7.csv");
        await File.WriteAllTextAsync(
            file, "timestamp,value\n2014-01-01 00:00:00,1\n2014-01-01 00:00:30,3\nnothing\n2014-01-01 00:05:00,5\n2014-01-01 00:00:10,9\n", Patience);

        var report = await ReplayAsync(folder, file);

        Assert.Equal((5L, 4L, 1L, 2L), (report.Readings, report.Accepted, report.Late, report.Windows));
        Assert.Equal([("MALFORMED", 1L)], report.Rejected.Select(pair => (pair.Key, pair.Value)));
        Assert.Empty(report.Alerts);
    }

    [Fact]
    public async Task A_replay_that_is_run_again_on_the_same_folder_counts_nothing_twice()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "pump.csv");
        await File.WriteAllLinesAsync(
            file, Enumerable.Range(0, 20).Select(i => $"2014-01-01 00:{i:00}:00,{i.ToString(CultureInfo.InvariantCulture)}"), Patience);

        await ReplayAsync(folder, file);
        var again = await ReplayAsync(folder, file);

        Assert.Equal((40L, 20L, 20L), (again.Readings, again.Accepted, again.Windows));
        Assert.Equal([("DUPLICATE", 20L)], again.Rejected.Select(pair => (pair.Key, pair.Value)));
    }

    [Fact]
    public async Task Labelled_anomalies_of_real_series_are_found_with_few_false_alarms()
    {
        var nab = SharedFiles.Find("data/nab");
        Assert.SkipWhen(
            nab is null,
            "The series are not here: put them at shared/data/nab above the repository, or name the folder in MILLRACE_SHARED.");
        string[] names = ["machine_temperature_system_failure", "ambient_temperature_system_failure"];
        using var folder = new TemporaryFolder();

        var report = await ReplayAsync(folder, [.. names.Select(name => Path.Combine(nab, name + ".csv"))]);

        using var labels = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(nab, "combined_windows.json"), Patience));
        var hits = 0;
        foreach (var name in names)
        {
            var windows = labels.RootElement.GetProperty($"realKnownCause/{name}.csv").EnumerateArray()
                .Select(window => (Start: Time(window[0]), End: Time(window[1]))).ToList();
            var episodes = report.Alerts.Where(alert => alert.Device == name).ToList();
            hits += windows.Count(window => episodes.Exists(alert => alert.Start <= window.End && (alert.End ?? DateTimeOffset.MaxValue) >= window.Start));
            var isFalse = episodes.Count(alert =>
                !windows.Exists(window => alert.Start <= window.End && (alert.End ?? DateTimeOffset.MaxValue) >= window.Start));
            Assert.InRange(isFalse, 0, 3);
        }

        Assert.InRange(hits, 4, 6);
        Assert.Equal(29_962, report.Readings);
    }

    private async Task<RunReport> ReplayAsync(TemporaryFolder folder, params string[] files)
    {
        var output = new StringWriter();
        await using var platform = await StartAsync(
            options => options with { Replay = files, ExitsWhenDone = true, DataDirectory = Path.Combine(folder.Path, "data") }, folder, output);
        await platform.Services.GetRequiredService<SimulationHost>().ExecuteTask!.WaitAsync(Patience);
        return JsonSerializer.Deserialize(output.ToString(), PlainJson.Api.RunReport)!;
    }

    private static DateTimeOffset Time(JsonElement text) => DateTimeOffset.Parse(
        text.GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);
}

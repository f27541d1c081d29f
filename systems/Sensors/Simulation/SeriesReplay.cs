using System.Globalization;
using Millrace.Mqtt;
using Sensors.Readings;

namespace Sensors.Simulation;

/// <summary>
/// Plays files of <c>timestamp,value</c> lines as devices, over MQTT, in the order of their times. At the end each device sends its clock,
/// so that the last minutes close. Used once.
/// </summary>
internal sealed class SeriesReplay(SensorsOptions options, TimeProvider time)
{
    /// <summary>So many lines are sent before the clock is looked at again.</summary>
    private const int Batch = 256;

    /// <summary>What a line that is none is counted under.</summary>
    public const string Malformed = "MALFORMED";

    private const string Zone = "replay";

    /// <summary>How many lines were no readings.</summary>
    public long MalformedLines { get; private set; }

    /// <summary>Replays all files.</summary>
    public async Task RunAsync(MqttServerAddress server, CancellationToken cancellation)
    {
        await using var publisher = new DevicePublisher(server, "replay-gateway", time);
        var last = new SortedDictionary<string, long>(StringComparer.Ordinal);
        var batch = new List<SensorReading>(Batch);
        var start = time.GetUtcNow();
        long? first = null;
        foreach (var reading in Merge(options.Replay.Select(Read).ToList()))
        {
            first ??= reading.Time;
            if (options.Speed is { } speed)
            {
                var due = start + TimeSpan.FromMilliseconds((reading.Time - first.Value) / speed);
                if (due > time.GetUtcNow())
                {
                    await FlushAsync(publisher, batch, cancellation);
                    var wait = due - time.GetUtcNow();
                    if (wait > TimeSpan.Zero) await Task.Delay(wait, time, cancellation);
                }
            }

            batch.Add(reading);
            last[reading.DeviceId] = Math.Max(reading.Time, last.GetValueOrDefault(reading.DeviceId, long.MinValue));
            if (batch.Count == Batch) await FlushAsync(publisher, batch, cancellation);
        }

        await FlushAsync(publisher, batch, cancellation);
        foreach (var (device, end) in last) batch.Add(ClockOf(device, end));
        await FlushAsync(publisher, batch, cancellation);
    }

    private static async Task FlushAsync(DevicePublisher publisher, List<SensorReading> batch, CancellationToken cancellation)
    {
        await publisher.PublishAsync(batch, cancellation);
        batch.Clear();
    }

    /// <summary>Series whose times may overlap, as one in the order of times.</summary>
    private static IEnumerable<SensorReading> Merge(List<IEnumerable<SensorReading>> series)
    {
        var queue = new PriorityQueue<IEnumerator<SensorReading>, (long, int)>();
        for (var i = 0; i < series.Count; i++)
        {
            var one = series[i].GetEnumerator();
            if (one.MoveNext()) queue.Enqueue(one, (one.Current.Time, i));
        }

        while (queue.TryDequeue(out var one, out var rank))
        {
            yield return one.Current;
            if (one.MoveNext()) queue.Enqueue(one, (one.Current.Time, rank.Item2));
            else one.Dispose();
        }
    }

    private IEnumerable<SensorReading> Read(string path)
    {
        var device = DeviceOf(path);
        var number = 0L;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (number == 1 && line.StartsWith("timestamp", StringComparison.OrdinalIgnoreCase)) continue;
            if (line.Length == 0) continue;
            if (Parse(line) is not { } point)
            {
                MalformedLines++;
                continue;
            }

            yield return new SensorReading
            {
                Id = string.Create(CultureInfo.InvariantCulture, $"{device}-{number}"),
                DeviceId = device,
                SensorType = SensorRules.Generic.Type,
                Value = point.Value,
                Unit = "none",
                Zone = Zone,
                Time = point.Time,
            };
        }
    }

    private static (long Time, double Value)? Parse(string line)
    {
        var comma = line.IndexOf(',', StringComparison.Ordinal);
        if (comma < 0) return null;
        if (!DateTimeOffset.TryParse(
            line.AsSpan(0, comma), CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at))
            return null;
        return double.TryParse(line.AsSpan(comma + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            && double.IsFinite(value)
            ? (at.ToUnixTimeMilliseconds(), value)
            : null;
    }

    /// <summary>A file's name without its ending, with what a device's id cannot hold replaced.</summary>
    private static string DeviceOf(string path)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        var safe = string.Concat(name.Select(c => SensorLimits.IsDevice([c]) ? c : '-'));
        return safe.Length is 0 ? "series" : safe[..Math.Min(safe.Length, SensorLimits.NameLengthMax)];
    }

    private static SensorReading ClockOf(string device, long end) => new()
    {
        Id = $"{device}-end",
        DeviceId = device,
        SensorType = "",
        Value = double.NaN,
        Unit = "",
        Time = end + (long)Topology.Closing.TotalMilliseconds,
        IsClock = true,
    };
}

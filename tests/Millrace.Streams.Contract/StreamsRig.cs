using System.Text;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Time.Testing;
using Millrace.Contract;

namespace Millrace.Streams.Contract;

/// <summary>A record of a test: a key, a number, and its time, which is the record's.</summary>
public sealed record Reading(string Key, long Value);

/// <summary>The data of an event of a test.</summary>
public sealed record Measured(string Device, decimal Value);

/// <summary>The data of an event that a topology of a test says.</summary>
public sealed record Summed(string Device, decimal Sum);

[JsonSerializable(typeof(Measured))]
[JsonSerializable(typeof(Summed))]
internal sealed partial class StreamsJson : JsonSerializerContext;

/// <summary>A record copied out of the log.</summary>
public sealed record Seen(string? Key, string Value, long Timestamp, IReadOnlyDictionary<string, string> Headers);

/// <summary>
/// A real engine, and runtimes for topologies on it. Topics and topologies have short names in the tests; on the engine their names begin
/// with what no other test has, because a broker is shared.
/// </summary>
public sealed class StreamsRig : IAsyncDisposable
{
    private readonly EngineHost _host;
    private readonly string _unique = Guid.NewGuid().ToString("N")[..8];
    private readonly List<ProcessorRuntime> _runtimes = [];

    private StreamsRig(EngineHost host, CancellationToken cancellation) => (_host, Cancellation) = (host, cancellation);

    /// <summary>The test's time.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>The runtimes' clock.</summary>
    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 25, 10, 30, 0, TimeSpan.Zero));

    /// <summary>What the test's topologies keep of their state in memory; null for all.</summary>
    public long? StateBytesMax { get; private init; }

    /// <summary>The engine that is open now.</summary>
    public Engine Engine { get; private set; } = null!;

    /// <summary>Opens the engine and makes topics.</summary>
    public static async Task<StreamsRig> OpenAsync(
        EngineHost host, int partitions, string[] topics, CancellationToken cancellation, long? stateBytesMax = null)
    {
        var rig = new StreamsRig(host, cancellation) { StateBytesMax = stateBytesMax };
        try
        {
            rig.Engine = await host.OpenAsync(cancellation);
            await Task.WhenAll(topics.Select(topic => rig.Engine.EnsureTopicAsync(
                new TopicSpecification { Name = rig.Name(topic), Partitions = partitions }, cancellation).AsTask()));
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }

        return rig;
    }

    /// <summary>What a topic or a topology is called on the engine.</summary>
    public string Name(string name) => $"{_unique}-{name}";

    /// <summary>A topology that has this test's name.</summary>
    public StreamTopology Topology(string name = "topology") => new(Name(name)) { StateBytesMax = StateBytesMax };

    /// <summary>Starts a topology.</summary>
    public async Task<ProcessorRuntime> StartAsync(
        RunningTopology running, Func<ProcessorRuntimeOptions, ProcessorRuntimeOptions>? change = null)
    {
        var options = new ProcessorRuntimeOptions { Time = Time };
        var runtime = new ProcessorRuntime(Engine, running.Processors, change is null ? options : change(options));
        _runtimes.Add(runtime);
        await runtime.StartAsync(Cancellation);
        return runtime;
    }

    /// <summary>Runs a topology until nothing is left to do, and stops it.</summary>
    public async Task RunAsync(StreamTopology topology)
    {
        using var running = new RunningTopology(topology);
        await using var runtime = await StartAsync(running);
        await runtime.WaitUntilIdleAsync(Cancellation);
    }

    /// <summary>Appends readings to a partition as one batch.</summary>
    public async Task AppendAsync(string topic, int partition, params (string Key, long Value, long Time)[] readings) =>
        await Engine.AppendAsync(new TopicPartition(Name(topic), partition), batch =>
        {
            foreach (var (key, value, time) in readings)
                batch.Add(time, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes($$"""{"key":"{{key}}","value":{{value}}}"""));
        }, null, Cancellation);

    /// <summary>Appends readings to the partitions of their keys, each as a batch of its own.</summary>
    public async Task AppendAsync(string topic, params (string Key, long Value, long Time)[] readings)
    {
        var partitions = (await Engine.FindTopicAsync(Name(topic), Cancellation))!.Partitions.Count;
        foreach (var reading in readings)
            await AppendAsync(topic, Partitioner.PartitionOf(Encoding.UTF8.GetBytes(reading.Key), partitions), reading);
    }

    /// <summary>All records that a topic has now, partition by partition.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<Seen>>> ReadAsync(string topic)
    {
        var seen = new List<IReadOnlyList<Seen>>();
        var description = await Engine.FindTopicAsync(Name(topic), Cancellation)
            ?? throw new InvalidOperationException($"There is no topic '{Name(topic)}'.");
        foreach (var partition in description.Partitions)
        {
            var records = new List<Seen>();
            using var reader = Engine.OpenReader(new TopicPartition(Name(topic), partition.Partition), partition.StartOffset);
            while (reader.Offset < partition.EndOffset)
            {
                using var fetched = await reader.ReadAsync(1 << 20, Cancellation);
                foreach (var record in fetched) records.Add(Copy(record));
            }

            seen.Add(records);
        }

        return seen;
    }

    /// <summary>The values of all records of a topic, in order of their text.</summary>
    public async Task<IReadOnlyList<string>> ValuesAsync(string topic) =>
        [.. (await ReadAsync(topic)).SelectMany(records => records).Select(record => record.Value).Order(StringComparer.Ordinal)];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var runtime in _runtimes) await runtime.DisposeAsync();
        if (Engine is not null) await Engine.DisposeAsync();
        await _host.DisposeAsync();
    }

    private static Seen Copy(in Record record)
    {
        var headers = new Dictionary<string, string>();
        foreach (var header in record.Headers)
            headers[Encoding.UTF8.GetString(header.Name.Span)] = Encoding.UTF8.GetString(header.Value.Span);
        return new Seen(
            record.HasKey ? Encoding.UTF8.GetString(record.Key.Span) : null, Encoding.UTF8.GetString(record.Value.Span), record.Timestamp, headers);
    }
}

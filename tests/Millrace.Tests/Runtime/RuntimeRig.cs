using System.Text;
using Microsoft.Extensions.Time.Testing;
using Millrace.Log;

namespace Millrace.Tests.Runtime;

/// <summary>A real engine in a folder of its own, behind a decorator that fails commits on demand, and runtimes on it.</summary>
internal sealed class RuntimeRig : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-runtime-");
    private readonly List<ProcessorRuntime> _runtimes = [];

    private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private RuntimeRig() => _deadline.CancelAfter(TimeSpan.FromMinutes(1));

    /// <summary>Ends a wait for what never comes.</summary>
    public CancellationToken Cancellation => _deadline.Token;

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 25, 10, 30, 0, TimeSpan.Zero));

    public FaultyEngine Engine { get; private set; } = null!;

    /// <summary>The options of the runtimes: a clock that tests set, and a seed.</summary>
    public ProcessorRuntimeOptions Options => new() { Time = Time, Seed = 7 };

    public static async Task<RuntimeRig> OpenAsync(int partitions, params string[] topics)
    {
        var rig = new RuntimeRig();
        await rig.OpenEngineAsync();
        foreach (var topic in topics)
            await rig.Engine.CreateTopicAsync(new TopicSpecification { Name = topic, Partitions = partitions }, rig.Cancellation);

        return rig;
    }

    public ProcessorRuntime Runtime(params Processor[] processors) => Runtime(Options, processors);

    public ProcessorRuntime Runtime(ProcessorRuntimeOptions options, params Processor[] processors)
    {
        var runtime = new ProcessorRuntime(Engine, processors, options);
        _runtimes.Add(runtime);
        return runtime;
    }

    public async Task<ProcessorRuntime> StartAsync(params Processor[] processors)
    {
        var runtime = Runtime(processors);
        await runtime.StartAsync(Cancellation);
        return runtime;
    }

    /// <summary>Starts processors, lets them do all there is, and stops them.</summary>
    public async Task RunUntilIdleAsync(params Processor[] processors)
    {
        await using var runtime = await StartAsync(processors);
        await runtime.WaitUntilIdleAsync(Cancellation);
    }

    public async Task ReopenEngineAsync()
    {
        await Engine.DisposeAsync();
        await OpenEngineAsync();
    }

    /// <summary>Appends one batch of records; each text is "key" or "key=value".</summary>
    public async Task AppendAsync(string topic, int partition, params string[] texts) =>
        await Engine.AppendAsync(new TopicPartition(topic, partition), batch =>
        {
            foreach (var text in texts) batch.Add(0, Bytes(text.Split('=')[0]), Bytes(text));
        }, null, Cancellation);

    /// <summary>Appends each text as a batch of its own, which a processor gets one by one when a read takes little.</summary>
    public async Task AppendOneByOneAsync(string topic, int partition, params string[] texts)
    {
        foreach (var text in texts) await AppendAsync(topic, partition, text);
    }

    /// <summary>The values in a partition.</summary>
    public async Task<List<string>> ReadAsync(string topic, int partition)
    {
        var texts = new List<string>();
        var description = await Engine.FindTopicAsync(topic, Cancellation);
        using var reader = Engine.OpenReader(new TopicPartition(topic, partition), description!.Partitions[partition].StartOffset);
        while (reader.TryRead(1 << 20) is { } fetched)
        {
            using (fetched) texts.AddRange(Texts(fetched));
        }

        return texts;
    }

    /// <summary>The committed state of a group at a partition.</summary>
    public async Task<List<string>> StateAsync(string group, string topic, int partition, string store)
    {
        await using var member = await Engine.JoinAsync(new GroupSubscription { Group = group, Topics = [topic] }, Cancellation);
        while (true)
        {
            if (await member.NextChangeAsync(Cancellation) is not AssignmentChange.Assigned assigned) continue;
            if (assigned.Partitions.FirstOrDefault(owned => owned.Partition == partition) is not { } found) continue;
            await found.RestoreAsync(Cancellation);
            return [.. found.Scan(store).Select(entry => $"{Text(entry.Key)}={Text(entry.Value)}")];
        }
    }

    public static IEnumerable<string> Texts(FetchedRecords fetched)
    {
        var texts = new List<string>();
        foreach (var record in fetched) texts.Add(Text(record.Value));
        return texts;
    }

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    public async ValueTask DisposeAsync()
    {
        foreach (var runtime in _runtimes) await runtime.DisposeAsync();
        await Engine.DisposeAsync();
        _directory.Delete(recursive: true);
        _deadline.Dispose();
    }

    private async Task OpenEngineAsync() =>
        Engine = new FaultyEngine(await LogEngine.OpenAsync(_directory.FullName, new LogOptions { JournalBytesMax = 4 << 20 }, Cancellation));
}

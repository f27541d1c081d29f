using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using Millrace.Log;

namespace Millrace.Messaging.Tests;

/// <summary>A clock that tests set, and that tells which waits have begun on it: only then may it be set forward.</summary>
internal sealed class WatchedTime() : FakeTimeProvider(new DateTimeOffset(2026, 1, 25, 10, 30, 0, TimeSpan.Zero))
{
    private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _waits.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Waits until something waits for that long, then lets the time go by.</summary>
    public async Task PassAsync(TimeSpan wait)
    {
        while (await _waits.Reader.ReadAsync(TestContext.Current.CancellationToken) != wait)
        {
        }

        Advance(wait);
    }
}

/// <summary>A record copied out of the log.</summary>
internal sealed record Stored(long Offset, long Timestamp, string? Key, byte[]? Value, IReadOnlyList<KeyValuePair<string, string?>> Headers)
{
    public string? Header(string name) => Headers.LastOrDefault(h => h.Key == name).Value;

    public string Text => Encoding.UTF8.GetString(Value!);
}

/// <summary>A real engine in a folder of its own, and a runtime for one group of handlers at a time.</summary>
internal sealed class Rig : IAsyncDisposable
{
    private static readonly string[] Topics = ["orders", "payments", "shipments"];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-messaging-");
    private readonly int _partitions;
    private ProcessorRuntime? _runtime;

    private Rig(int partitions) => _partitions = partitions;

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public WatchedTime Time { get; } = new();

    public LogEngine Engine { get; private set; } = null!;

    public ProcessorRuntime Runtime => _runtime ?? throw new InvalidOperationException("Nothing runs.");

    public static async Task<Rig> OpenAsync(int partitions = 1)
    {
        var rig = new Rig(partitions);
        await rig.OpenEngineAsync();
        foreach (var topic in Topics) await rig.Engine.EnsureTopicAsync(new TopicSpecification { Name = topic, Partitions = partitions }, Cancellation);
        return rig;
    }

    public static Processor Define(Action<HandlersBuilder> define, IServiceProvider? services = null, string name = "group") =>
        Handlers.Define(
            name, TestEvents.Registry, h => define(h.From("orders").WithSource("/test/" + name).WithRetries(3, TimeSpan.Zero)), services);

    /// <summary>Starts the handlers.</summary>
    public async Task StartAsync(Processor processor, Func<ProcessorRuntimeOptions, ProcessorRuntimeOptions>? change = null)
    {
        if (_runtime is not null) await StopAsync();
        var options = new ProcessorRuntimeOptions { Time = Time };
        _runtime = new ProcessorRuntime(Engine, [processor], change is null ? options : change(options));
        await _runtime.StartAsync(Cancellation);
    }

    public async Task StopAsync()
    {
        await Runtime.DisposeAsync();
        _runtime = null;
    }

    /// <summary>Runs the handlers until nothing is left to do.</summary>
    public async Task HandleAllAsync(Processor processor)
    {
        await StartAsync(processor);
        await Runtime.WaitUntilIdleAsync(Cancellation);
        await StopAsync();
    }

    /// <summary>Closes the engine and opens it from its files.</summary>
    public async Task RestartEngineAsync()
    {
        if (_runtime is not null) await StopAsync();
        await Engine.DisposeAsync();
        await OpenEngineAsync();
    }

    /// <summary>Publishes events in one commit, so that one partition's are read in one batch.</summary>
    public async Task PublishAsync(params (string Id, object Data)[] events)
    {
        var publisher = new EventPublisher(TestEvents.Registry, "/test/outside", Time);
        using var commit = new Commit();
        foreach (var (id, data) in events) await publisher.AddAsync(Engine, commit, data, new PublishOptions { Id = id }, Cancellation);
        (await Engine.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    public async Task AppendAsync(Action<RecordBatchBuilder> fill, string topic = "orders") =>
        await Engine.AppendAsync(new TopicPartition(topic, 0), fill, null, Cancellation);

    public async Task<IReadOnlyList<Stored>> RecordsOfAsync(string topic)
    {
        var stored = new List<Stored>();
        var description = await Engine.FindTopicAsync(topic, Cancellation) ?? throw new InvalidOperationException($"There is no topic '{topic}'.");
        foreach (var partition in description.Partitions)
        {
            using var reader = Engine.OpenReader(new TopicPartition(topic, partition.Partition), partition.StartOffset);
            while (reader.TryRead(1 << 20) is { } records)
            {
                foreach (var record in records) stored.Add(Copy(record));
                records.Dispose();
            }
        }

        return stored;
    }

    public async Task<IReadOnlyList<CloudEvent>> EventsOfAsync(string topic)
    {
        var events = new List<CloudEvent>();
        foreach (var stored in await RecordsOfAsync(topic))
        {
            Assert.True(EventCodec.TryReadJson(stored.Value, out var view, out var reason), reason);
            events.Add(view.ToEvent());
        }

        return events;
    }

    /// <summary>The data of a topic's events as they were said, by their order in each partition.</summary>
    public async Task<IReadOnlyList<object>> DataOfAsync(string topic)
    {
        var data = new List<object>();
        foreach (var stored in await RecordsOfAsync(topic))
        {
            Assert.True(EventCodec.TryReadJson(stored.Value, out var view, out var reason), reason);
            data.Add(TestEvents.Registry.Read(view));
        }

        return data;
    }

    /// <summary>The committed state of a group's partition 0, read as its owner.</summary>
    public async Task<IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>> ScanAsync(string group, string store)
    {
        IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> entries = [];
        await OwnAsync(group, owned =>
        {
            entries = owned.Scan(store);
            return ValueTask.CompletedTask;
        });
        return entries;
    }

    /// <summary>Changes the committed state of a group's partition 0 behind its back.</summary>
    public Task ChangeStateAsync(string group, Action<Commit> change) => OwnAsync(group, async owned =>
    {
        using var commit = new Commit();
        change(commit);
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    });

    public async ValueTask DisposeAsync()
    {
        if (_runtime is not null) await _runtime.DisposeAsync();
        await Engine.DisposeAsync();
        _directory.Delete(true);
    }

    private async Task OwnAsync(string group, Func<OwnedPartition, ValueTask> act)
    {
        await using var member = await Engine.JoinAsync(new GroupSubscription { Group = group, Topics = ["orders"] }, Cancellation);
        var change = Assert.IsType<AssignmentChange.Assigned>(await member.NextChangeAsync(Cancellation));
        await change.Partitions[0].RestoreAsync(Cancellation);
        await act(change.Partitions[0]);
        foreach (var partition in change.Partitions) await member.ReleaseAsync(partition, Cancellation);
    }

    private async Task OpenEngineAsync() =>
        Engine = await LogEngine.OpenAsync(_directory.FullName, new LogOptions { JournalBytesMax = 4 << 20 }, Cancellation);

    private static Stored Copy(in Record record)
    {
        var headers = new List<KeyValuePair<string, string?>>();
        foreach (var header in record.Headers)
        {
            headers.Add(new(
                Encoding.UTF8.GetString(header.Name.Span), header.HasValue ? Encoding.UTF8.GetString(header.Value.Span) : null));
        }

        return new Stored(
            record.Offset,
            record.Timestamp,
            record.HasKey ? Encoding.UTF8.GetString(record.Key.Span) : null,
            record.HasValue ? record.Value.ToArray() : null,
            headers);
    }
}

using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using Millrace.Contract;

namespace Millrace.Messaging.Contract;

/// <summary>A clock that tests set, and that tells which waits have begun on it: only then may it be set forward.</summary>
public sealed class WatchedTime() : FakeTimeProvider(new DateTimeOffset(2026, 1, 25, 10, 30, 0, TimeSpan.Zero))
{
    private readonly Channel<TimeSpan> _waits = Channel.CreateUnbounded<TimeSpan>();

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _waits.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Waits until something waits for that long, then lets the time go by.</summary>
    public async Task PassAsync(TimeSpan wait, CancellationToken cancellation)
    {
        while (await _waits.Reader.ReadAsync(cancellation) != wait)
        {
        }

        Advance(wait);
    }
}

/// <summary>A record copied out of the log.</summary>
public sealed record Stored(long Offset, long Timestamp, string? Key, byte[]? Value, IReadOnlyList<KeyValuePair<string, string?>> Headers)
{
    public string? Header(string name) => Headers.LastOrDefault(h => h.Key == name).Value;

    public string Text => Encoding.UTF8.GetString(Value!);
}

/// <summary>
/// A real engine, and a runtime for one group of handlers at a time. Topics and groups have short names in the tests; on the engine their
/// names begin with what no other test has, because a broker is shared.
/// </summary>
public sealed class HandlerRig : IAsyncDisposable
{
    private static readonly string[] Topics = ["orders", "payments", "shipments"];

    private readonly EngineHost _host;
    private readonly string _unique = Guid.NewGuid().ToString("N")[..8];
    private ProcessorRuntime? _runtime;

    private HandlerRig(EngineHost host, CancellationToken cancellation)
    {
        (_host, Cancellation) = (host, cancellation);
        Registry = TestEvents.Create(Name);
    }

    /// <summary>The test's time.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>The clock of the runtime and the handlers.</summary>
    public WatchedTime Time { get; } = new();

    /// <summary>The events, on this test's topics.</summary>
    public EventRegistry Registry { get; }

    /// <summary>The engine that is open now.</summary>
    public Engine Engine { get; private set; } = null!;

    /// <summary>The runtime that runs now.</summary>
    public ProcessorRuntime Runtime => _runtime ?? throw new InvalidOperationException("Nothing runs.");

    /// <summary>Opens the engine and makes the topics.</summary>
    public static async Task<HandlerRig> OpenAsync(EngineHost host, int partitions, CancellationToken cancellation)
    {
        var rig = new HandlerRig(host, cancellation);
        try
        {
            await rig.OpenEngineAsync();
            await Task.WhenAll(Topics.Select(topic => rig.Engine.EnsureTopicAsync(
                new TopicSpecification { Name = rig.Name(topic), Partitions = partitions }, cancellation).AsTask()));
        }
        catch
        {
            await rig.DisposeAsync();
            throw;
        }

        return rig;
    }

    /// <summary>What a topic or a group is called on the engine.</summary>
    public string Name(string name) => $"{_unique}-{name}";

    /// <summary>Handlers that read the orders.</summary>
    public Processor Define(Action<HandlersBuilder> define, IServiceProvider? services = null, string name = "group") =>
        DefineBare(name, h => define(h.From(Name("orders")).WithSource("/test/" + name).WithRetries(3, TimeSpan.Zero)), services);

    /// <summary>Handlers of which everything else is the test's.</summary>
    public Processor DefineBare(string name, Action<HandlersBuilder> define, IServiceProvider? services = null) =>
        Handlers.Define(Name(name), Registry, define, services);

    /// <summary>Starts the handlers.</summary>
    public async Task StartAsync(Processor processor, Func<ProcessorRuntimeOptions, ProcessorRuntimeOptions>? change = null)
    {
        if (_runtime is not null) await StopAsync();
        var options = new ProcessorRuntimeOptions { Time = Time };
        _runtime = new ProcessorRuntime(Engine, [processor], change is null ? options : change(options));
        await _runtime.StartAsync(Cancellation);
    }

    /// <summary>Stops the handlers.</summary>
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

    /// <summary>Closes the engine and opens it again on its data.</summary>
    public async Task ReopenEngineAsync()
    {
        if (_runtime is not null) await StopAsync();
        await Engine.DisposeAsync();
        await OpenEngineAsync();
    }

    /// <summary>Publishes events in one commit, so that one partition's are read in one batch.</summary>
    public async Task PublishAsync(params (string Id, object Data)[] events)
    {
        var publisher = new EventPublisher(Registry, "/test/outside", Time);
        using var commit = new Commit();
        foreach (var (id, data) in events) await publisher.AddAsync(Engine, commit, data, new PublishOptions { Id = id }, Cancellation);
        (await Engine.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    /// <summary>Appends one batch to the orders' partition 0.</summary>
    public async Task AppendAsync(Action<RecordBatchBuilder> fill) =>
        await Engine.AppendAsync(new TopicPartition(Name("orders"), 0), fill, null, Cancellation);

    /// <summary>All records of a topic, by their order in each partition.</summary>
    public Task<IReadOnlyList<Stored>> RecordsOfAsync(string topic) => RecordsOfAsync(Engine, Name(topic), Cancellation);

    /// <summary>All records that a topic of an engine has now, those of commits that are being made visible included.</summary>
    public static async Task<IReadOnlyList<Stored>> RecordsOfAsync(Engine engine, string topic, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var stored = new List<Stored>();
        var description = await engine.FindTopicAsync(topic, cancellation) ?? throw new InvalidOperationException($"There is no topic '{topic}'.");
        foreach (var partition in description.Partitions)
        {
            using var reader = engine.OpenReader(new TopicPartition(topic, partition.Partition), partition.StartOffset);
            while (reader.Offset < partition.EndOffset)
            {
                using var records = await reader.ReadAsync(1 << 20, cancellation);
                foreach (var record in records) stored.Add(Copy(record));
            }
        }

        return stored;
    }

    /// <summary>A topic's events.</summary>
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
            data.Add(Registry.Read(view));
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

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_runtime is not null) await _runtime.DisposeAsync();
        if (Engine is not null) await Engine.DisposeAsync();
        await _host.DisposeAsync();
    }

    private async Task OwnAsync(string group, Func<OwnedPartition, ValueTask> act)
    {
        await using var member = await Engine.JoinAsync(new GroupSubscription { Group = Name(group), Topics = [Name("orders")] }, Cancellation);
        var change = Assert.IsType<AssignmentChange.Assigned>(await member.NextChangeAsync(Cancellation));
        await change.Partitions[0].RestoreAsync(Cancellation);
        await act(change.Partitions[0]);
        foreach (var partition in change.Partitions) await member.ReleaseAsync(partition, Cancellation);
    }

    private async Task OpenEngineAsync() => Engine = await _host.OpenAsync(Cancellation);

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

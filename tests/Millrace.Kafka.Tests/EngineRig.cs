using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Millrace.Contract;

namespace Millrace.Kafka.Tests;

/// <summary>What the engine logged, by event id, for tests that ask what it did.</summary>
internal sealed class LogBook : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(int Id, string Text, IReadOnlyDictionary<string, object?> Values)> _entries = new();

    private readonly Channel<bool> _added = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public IEnumerable<string> Texts => _entries.Select(entry => entry.Text);

    public IReadOnlyList<IReadOnlyDictionary<string, object?>> Of(int id) =>
        [.. _entries.Where(entry => entry.Id == id).Select(entry => entry.Values)];

    /// <summary>Waits until an entry of that id is there that fulfils a condition.</summary>
    public async Task UntilAsync(int id, Func<IReadOnlyDictionary<string, object?>, bool> isMet, CancellationToken cancellation)
    {
        while (!Of(id).Any(isMet)) await _added.Reader.ReadAsync(cancellation);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var values = (state as IReadOnlyList<KeyValuePair<string, object?>> ?? []).ToDictionary(pair => pair.Key, pair => pair.Value);
        _entries.Enqueue((eventId.Id, $"{formatter(state, exception)} {exception}", values));
        _added.Writer.TryWrite(true);
    }
}

/// <summary>The ground of tests of what is Kafka's alone: engines, a topic, a deadline.</summary>
public abstract class EngineRig : IAsyncLifetime
{
    private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(
        TestContext.Current.CancellationToken);
    private readonly List<KafkaEngine> _engines = [];
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("millrace-kafka-test-");

    protected CancellationToken Cancellation => _deadline.Token;

    /// <summary>A name that no other test has.</summary>
    protected string Unique { get; } = Guid.NewGuid().ToString("N")[..12];

    protected string Folder => _root.FullName;

    private protected LogBook Book { get; } = new();

    public ValueTask InitializeAsync()
    {
        _deadline.CancelAfter(TimeSpan.FromSeconds(100));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var engine in _engines) await engine.DisposeAsync();
        _root.Delete(recursive: true);
        _deadline.Dispose();
        GC.SuppressFinalize(this);
    }

    protected async Task<KafkaEngine> OpenAsync(Func<KafkaOptions, KafkaOptions>? change = null)
    {
        var options = TestBroker.Options with { LoggerFactory = Book };
        var engine = await KafkaEngine.OpenAsync(change?.Invoke(options) ?? options, Cancellation);
        _engines.Add(engine);
        return engine;
    }

    protected async Task<string> CreateTopicAsync(Engine engine, int partitions = 1)
    {
        var topic = $"input-{Unique}";
        await engine.CreateTopicAsync(new TopicSpecification { Name = topic, Partitions = partitions }, Cancellation);
        return topic;
    }

    protected GroupDriver Group(Engine engine, string topic) =>
        new(engine, new GroupSubscription { Group = $"group-{Unique}", Topics = [topic] }, Cancellation);

    /// <summary>Waits for a change of that kind that fulfils a condition, and passes over others.</summary>
    protected async Task<T> NextAsync<T>(GroupMember member, Func<T, bool> isMeant)
        where T : AssignmentChange
    {
        while (true)
        {
            if (await member.NextChangeAsync(Cancellation) is T change && isMeant(change)) return change;
        }
    }

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected async Task PutAsync(OwnedPartition owned, params (string Key, string Value)[] entries)
    {
        using var commit = new Commit();
        foreach (var (key, value) in entries) commit.Put("totals", Bytes(key), Bytes(value));
        (await owned.CommitAsync(commit, Cancellation)).RequireCommitted();
    }

    protected static string TextsOf(OwnedPartition owned) => string.Join(' ', owned.Scan("totals")
        .Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Span)}={Encoding.UTF8.GetString(entry.Value.Span)}"));
}

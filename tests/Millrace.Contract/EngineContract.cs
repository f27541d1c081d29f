using System.Globalization;
using System.Text;

namespace Millrace.Contract;

/// <summary>
/// The ground of every contract class: one engine on data of its own, opened before each test and disposed after it. A derived class per
/// engine says only how to get a host. Nothing here sleeps: what is expected is awaited, and a deadline ends a test that would wait for
/// ever.
/// </summary>
public abstract class EngineContract : IAsyncLifetime
{
    /// <summary>Far above what a test needs, so that only a hang meets it.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(100);

    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private readonly string _unique = Guid.NewGuid().ToString("N")[..12];
    private EngineHost? _host;
    private Engine? _engine;

    /// <summary>Makes a host with data of its own.</summary>
    protected abstract EngineHost CreateHost();

    /// <summary>The engine that is open now.</summary>
    protected Engine Engine => _engine ?? throw new InvalidOperationException("The engine is not open.");

    /// <summary>The host of this test.</summary>
    protected EngineHost Host => _host ?? throw new InvalidOperationException("The test has not begun.");

    /// <summary>Cancelled at the deadline, or when the run is.</summary>
    protected CancellationToken Cancellation => _deadline.Token;

    /// <summary>A time that brokers accept and keep: now, in milliseconds since the Unix epoch.</summary>
    protected static long Now { get; } = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _deadline.CancelAfter(Deadline);
        _host = CreateHost();
        _engine = await _host.OpenAsync(Cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_engine is not null) await _engine.DisposeAsync();
        if (_host is not null) await _host.DisposeAsync();
        _deadline.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the engine and opens it again on the same data.</summary>
    protected async ValueTask ReopenAsync(Ending ending = Ending.Graceful)
    {
        Assert.SkipWhen(ending == Ending.Crash && !Host.CanCrash, "This engine cannot be made to crash from within the test process.");
        if (ending == Ending.Crash) await Host.CrashAsync(Engine);
        else await Engine.DisposeAsync();
        _engine = await Host.OpenAsync(Cancellation);
    }

    /// <summary>A name for a topic or group that no other test has.</summary>
    protected string Named(string name) => $"{name}-{_unique}";

    /// <summary>Creates a topic under a name of this test.</summary>
    protected async ValueTask<string> CreateTopicAsync(string name = "orders.created", int partitions = 1)
    {
        var topic = Named(name);
        await Engine.CreateTopicAsync(new TopicSpecification { Name = topic, Partitions = partitions }, Cancellation);
        return topic;
    }

    /// <summary>Creates a topic of one partition and returns that.</summary>
    protected async ValueTask<TopicPartition> CreatePartitionAsync(string name = "orders.created") => new(await CreateTopicAsync(name), 0);

    /// <summary>Appends texts as one batch and returns its base offset.</summary>
    protected ValueTask<long> AppendAsync(TopicPartition target, params string[] texts) =>
        Engine.AppendAsync(target, batch => Fill(batch, texts), null, Cancellation);

    /// <summary>Adds texts as values, each with itself as its key.</summary>
    protected static void Fill(RecordBatchBuilder batch, params string[] texts)
    {
        ArgumentNullException.ThrowIfNull(batch);
        foreach (var text in texts) batch.Add(Now, Bytes(text), Bytes(text));
    }

    /// <summary>UTF-8 bytes of a text.</summary>
    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Commits without a group and demands success.</summary>
    protected async ValueTask<IReadOnlyList<long>> CommitAsync(Commit commit) =>
        (await Engine.CommitAsync(commit, Cancellation)).RequireCommitted();

    /// <summary>Reads from an offset until that many records came.</summary>
    protected async ValueTask<IReadOnlyList<SeenRecord>> ReadAsync(TopicPartition source, long offset, int count, int bytesMax = 1 << 20)
    {
        using var reader = Engine.OpenReader(source, offset);
        var seen = new List<SeenRecord>();
        while (seen.Count < count)
        {
            using var fetched = await reader.ReadAsync(bytesMax, Cancellation);
            seen.AddRange(SeenRecord.AllOf(fetched));
        }

        return seen;
    }

    /// <summary>Reads from an offset until that many records came, as texts.</summary>
    protected async ValueTask<IReadOnlyList<string>> ReadTextsAsync(TopicPartition source, long offset, int count) =>
        [.. (await ReadAsync(source, offset, count)).Select(record => record.Text)];

    /// <summary>
    /// Proves that a partition holds these records and no others: appends one more and reads from the start up to it. An end offset would
    /// not do, because on Kafka an aborted transaction leaves a gap.
    /// </summary>
    protected async ValueTask AssertHoldsAsync(TopicPartition source, params string[] texts)
    {
        ArgumentNullException.ThrowIfNull(texts);
        const string last = "(the last one)";
        await AppendAsync(source, last);
        var start = (await DescribeAsync(source)).StartOffset;

        var seen = await ReadTextsAsync(source, start, texts.Length + 1);

        Assert.Equal([.. texts, last], seen);
    }

    /// <summary>The present extent of a partition.</summary>
    protected async ValueTask<PartitionDescription> DescribeAsync(TopicPartition source)
    {
        var topic = await Engine.FindTopicAsync(source.Topic, Cancellation);
        Assert.NotNull(topic);
        return topic.Partitions[source.Partition];
    }

    /// <summary>Compares an offset that is one past a record: exact where offsets are dense, else at least.</summary>
    protected void AssertPast(long expected, long actual)
    {
        if (Host.HasDenseOffsets) Assert.Equal(expected, actual);
        else Assert.True(actual >= expected, $"Expected {expected} or more, found {actual}.");
    }

    /// <summary>Demands a failure with a code.</summary>
    protected static async ValueTask<MillraceException> AssertFailsAsync(string code, Func<ValueTask> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await call());
        Assert.Equal(code, failure.Code);
        return failure;
    }

    /// <summary>Demands a failure with a code.</summary>
    protected static async ValueTask<MillraceException> AssertFailsAsync<T>(string code, Func<ValueTask<T>> call)
    {
        ArgumentNullException.ThrowIfNull(call);
        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await call());
        Assert.Equal(code, failure.Code);
        return failure;
    }

    /// <summary>A random source whose seed stands in the test's output; MILLRACE_SEED repeats a run.</summary>
    protected static Random Seeded()
    {
        var given = Environment.GetEnvironmentVariable("MILLRACE_SEED");
        var seed = given is null ? Random.Shared.Next() : int.Parse(given, CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return new Random(seed);
    }
}

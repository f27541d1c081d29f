using Millrace.Servers;
using Sensors.Store;

namespace Sensors.Tests;

/// <summary>Tests of a whole platform: each class runs on every ground, by a derivation below.</summary>
public abstract class OnGround(Ground ground) : IAsyncLifetime
{
    private Func<SensorsOptions, SensorsOptions>? _settle;

    public async ValueTask InitializeAsync() => _settle = await ground.ClearAsync();

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private protected Task<RunningPlatform> StartAsync(
        Func<SensorsOptions, SensorsOptions>? change = null, TemporaryFolder? folder = null, StringWriter? output = null) =>
        RunningPlatform.StartAsync(options => (change ?? (same => same))(_settle!(options)), folder, output);
}

/// <summary>What a class of tests runs on.</summary>
public abstract class Ground
{
    /// <summary>Makes it as if there had never been a platform; returns what turns a platform's options into those for it.</summary>
    internal abstract Task<Func<SensorsOptions, SensorsOptions>> ClearAsync();
}

/// <summary>The embedded log and SQLite: every platform has a folder of its own.</summary>
public sealed class EmbeddedGround : Ground
{
    internal override Task<Func<SensorsOptions, SensorsOptions>> ClearAsync() =>
        Task.FromResult<Func<SensorsOptions, SensorsOptions>>(options => options);
}

/// <summary>A Kafka broker and a PostgreSQL server.</summary>
public sealed class SpreadGround : Ground, IAsyncLifetime
{
    public const string Name = "Kafka and PostgreSQL";

    private readonly SystemBroker _broker = new(
        topic => topic.StartsWith("sensors", StringComparison.Ordinal) || Topology.Topics.Contains(topic)
            || topic.EndsWith(".dlq", StringComparison.Ordinal),
        [Topology.Name, ReadingStore.ReadingsSink, ReadingStore.MinutesSink, EngineChoice.MqttSourceName, EngineChoice.MqttSinkName]);

    private PostgresServer? _postgres;
    private int _databases;

    public async ValueTask InitializeAsync()
    {
        await _broker.StartAsync();
        if (PostgresServer.CanStart) _postgres = await PostgresServer.StartNewAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _broker.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
    }

    /// <summary>A test that asks is skipped where one of them is not.</summary>
    internal override async Task<Func<SensorsOptions, SensorsOptions>> ClearAsync()
    {
        Assert.SkipWhen(_broker.Address is null, _broker.WhyAbsent);
        Assert.SkipWhen(_postgres is null, PostgresServer.WhyAbsent);
        await _broker.ClearAsync();
        var database = $"test{++_databases}";
        await _postgres!.ExecuteAsync($"CREATE DATABASE {database}", TestContext.Current.CancellationToken);
        return options => options with
        {
            Engine = SensorsEngine.Kafka,
            Bootstrap = _broker.Address,
            Store = SeriesStore.Postgres,
            Postgres = _postgres.ConnectionString(database),
        };
    }
}

/// <summary>The tests on them run one after the other.</summary>
[CollectionDefinition(SpreadGround.Name)]
public sealed class SpreadTests : ICollectionFixture<SpreadGround>;

public sealed class EmbeddedPlatformTests() : PlatformTests(new EmbeddedGround());

public sealed class EmbeddedReplayTests() : ReplayTests(new EmbeddedGround());

[Collection(SpreadGround.Name)]
public sealed class SpreadPlatformTests(SpreadGround ground) : PlatformTests(ground);

[Collection(SpreadGround.Name)]
public sealed class SpreadReplayTests(SpreadGround ground) : ReplayTests(ground);

using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Broker;

namespace Shop.Tests;

/// <summary>Tests of a whole shop: each class runs on every engine, by a derivation in <c>Engines.cs</c>.</summary>
public abstract class ShopTests(Ground ground) : IAsyncLifetime
{
    /// <summary>The brokers; null on the embedded log.</summary>
    private protected string? Bootstrap { get; private set; }

    private protected bool IsOnKafka => Bootstrap is not null;

    public async ValueTask InitializeAsync() => Bootstrap = await ground.ClearAsync();

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private protected Task<RunningShop> StartAsync(Func<ShopOptions, ShopOptions>? change = null, TemporaryFolder? folder = null) =>
        RunningShop.StartAsync(Bootstrap, change, folder);
}

/// <summary>What a class of tests runs on.</summary>
public abstract class Ground
{
    /// <summary>Makes it as if there had never been a shop, and returns where the brokers are, if it is on Kafka.</summary>
    public abstract Task<string?> ClearAsync();
}

/// <summary>Every shop has a folder of its own.</summary>
public sealed class EmbeddedGround : Ground
{
    public override Task<string?> ClearAsync() => Task.FromResult<string?>(null);
}

/// <summary>
/// A broker for tests one after the other: the shop's topics have fixed names, so each test begins by removing what the one before left. The
/// broker is started for them; one that MILLRACE_KAFKA names is used only if it has nothing of a shop.
/// </summary>
public sealed class KafkaGround : Ground, IAsyncLifetime
{
    public const string Name = "Kafka";

    private static readonly string[] Groups = [.. Topology.Groups.Select(group => group.Group)];

    private KafkaBroker? _broker;
    private string? _address;
    private string _whyAbsent = KafkaBroker.WhyAbsent;

    public async ValueTask InitializeAsync()
    {
        if (KafkaBroker.CanStart)
        {
            _broker = await KafkaBroker.StartAsync();
            _address = _broker.Address;
            return;
        }

        if (KafkaBroker.Named is not { } named) return;
        if (TopicsOfShop(named).Count == 0) _address = named;
        else _whyAbsent = $"The broker {named}, which MILLRACE_KAFKA names, has topics of a shop; the tests would remove them.";
    }

    public async ValueTask DisposeAsync()
    {
        if (_broker is not null) await _broker.DisposeAsync();
        else if (_address is not null) await ClearAsync(_address);
    }

    /// <summary>A test that asks is skipped where there is no broker.</summary>
    public override async Task<string?> ClearAsync()
    {
        Assert.SkipWhen(_address is null, _whyAbsent);
        await ClearAsync(_address!);
        return _address;
    }

    private static async Task ClearAsync(string address)
    {
        var topics = TopicsOfShop(address);
        if (topics.Count == 0) return;
        using var admin = Admin(address);
        try
        {
            await admin.DeleteGroupsAsync(Groups);
        }
        catch (DeleteGroupsException failure) when (failure.Results.TrueForAll(
            result => result.Error.Code is ErrorCode.NoError or ErrorCode.GroupIdNotFound))
        {
            // Those that never were.
        }

        await admin.DeleteTopicsAsync(topics);
        while (TopicsOfShop(address).Count > 0) await Task.Yield();
    }

    private static List<string> TopicsOfShop(string address)
    {
        var names = Topology.Events().Contracts.Select(contract => contract.Topic).Distinct().ToList();
        var mine = names.Concat(names.Select(name => $"{name}.dlq")).Concat(Groups.Select(group => $"{group}-changelog"))
            .Append("payment-provider.ledger").ToHashSet(StringComparer.Ordinal);
        using var admin = Admin(address);
        return [.. admin.GetMetadata(TimeSpan.FromSeconds(10)).Topics.Select(topic => topic.Topic).Where(mine.Contains)];
    }

    private static IAdminClient Admin(string address) => new AdminClientBuilder(new AdminClientConfig { BootstrapServers = address }).Build();
}

/// <summary>The tests on Kafka share a broker and run one after the other.</summary>
[CollectionDefinition(KafkaGround.Name)]
public sealed class KafkaTests : ICollectionFixture<KafkaGround>;

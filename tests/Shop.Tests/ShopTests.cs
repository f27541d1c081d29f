using Millrace.Servers;

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

/// <summary>A broker for all of them.</summary>
public sealed class KafkaGround : Ground, IAsyncLifetime
{
    public const string Name = "Kafka";

    private readonly SystemBroker _broker;

    public KafkaGround()
    {
        string[] groups = [.. Topology.Groups.Select(group => group.Group)];
        var names = Topology.Events().Contracts.Select(contract => contract.Topic).Distinct().ToList();
        var topics = names.Concat(names.Select(name => $"{name}.dlq")).Concat(groups.Select(group => $"{group}-changelog"))
            .Append("payment-provider.ledger").ToHashSet(StringComparer.Ordinal);
        _broker = new SystemBroker(topics.Contains, groups);
    }

    public async ValueTask InitializeAsync() => await _broker.StartAsync();

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    /// <summary>A test that asks is skipped where there is no broker.</summary>
    public override async Task<string?> ClearAsync()
    {
        Assert.SkipWhen(_broker.Address is null, _broker.WhyAbsent);
        await _broker.ClearAsync();
        return _broker.Address;
    }
}

/// <summary>The tests on Kafka share a broker and run one after the other.</summary>
[CollectionDefinition(KafkaGround.Name)]
public sealed class KafkaTests : ICollectionFixture<KafkaGround>;

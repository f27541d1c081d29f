using Millrace.Contract;

namespace Millrace.Kafka.Tests;

/// <summary>A Kafka engine per test, all on one broker.</summary>
internal sealed class BrokerHost(Func<KafkaOptions>? options = null) : EngineHost
{
    public override bool CanCrash => false;

    public override bool HasDenseOffsets => false;

    public override async ValueTask<Engine> OpenAsync(CancellationToken cancellation) =>
        await KafkaEngine.OpenAsync(options?.Invoke() ?? TestBroker.Options, cancellation);

    public override ValueTask CrashAsync(Engine engine) => throw new NotSupportedException();

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

public sealed class KafkaTopicContract : TopicContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaAppendContract : AppendContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaReadContract : ReadContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaConditionalAppendContract : ConditionalAppendContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaProducerContract : ProducerContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaGroupContract : GroupContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaOwnedCommitContract : OwnedCommitContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaStateContract : StateContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaLagContract : LagContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaStopContract : StopContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaConcurrencyContract : ConcurrencyContract
{
    protected override EngineHost CreateHost() => new BrokerHost();
}

public sealed class KafkaModelContract : ModelContract
{
    protected override int Steps => 100;

    protected override EngineHost CreateHost() => new BrokerHost();
}

/// <summary>The broker's own group protocol (KIP-848).</summary>
internal static class ConsumerProtocol
{
    public static BrokerHost Host() => new(() => TestBroker.Options with { GroupProtocol = GroupProtocol.Consumer });
}

public sealed class ConsumerProtocolGroupContract : GroupContract
{
    protected override EngineHost CreateHost() => ConsumerProtocol.Host();
}

public sealed class ConsumerProtocolConcurrencyContract : ConcurrencyContract
{
    protected override EngineHost CreateHost() => ConsumerProtocol.Host();
}

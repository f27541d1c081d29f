using Millrace.Contract;
using Millrace.Messaging.Contract;

namespace Millrace.Kafka.Tests;

/// <summary>The handler suite on the shared broker. Its records bear the times of a clock that the tests set, months ago.</summary>
internal static class HandlerHosts
{
    public static BrokerHost Create() => new(() => TestBroker.KeepingOptions);
}

public sealed class KafkaDeadLetterContract : DeadLetterContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaDeduplicationContract : DeduplicationContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaSayingContract : SayingContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaHandlerOrderContract : HandlerOrderContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaHandlerStateContract : HandlerStateContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaHandlerTelemetryContract : HandlerTelemetryContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

public sealed class KafkaHandlerHostContract : HandlerHostContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

using Millrace.Contract;
using Millrace.Streams.Contract;

namespace Millrace.Kafka.Tests;

/// <summary>The streams suite on the shared broker. Its records bear the times of a clock that the tests set, decades ago.</summary>
public sealed class KafkaStreamsContract : StreamsContract
{
    protected override int CrashStep => 13;

    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

/// <summary>Global tables on the shared broker.</summary>
public sealed class KafkaGlobalTableContract : GlobalTableContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

/// <summary>Repeated sources and hot keys on the shared broker.</summary>
public sealed class KafkaLoadContract : LoadContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

/// <summary>Lookups on the shared broker.</summary>
public sealed class KafkaLookupContract : LookupContract
{
    protected override int CrashStep => 11;

    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

/// <summary>Watermark alignment on the shared broker.</summary>
public sealed class KafkaAlignmentContract : AlignmentContract
{
    protected override EngineHost CreateHost() => HandlerHosts.Create();
}

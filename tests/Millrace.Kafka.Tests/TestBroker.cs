using Millrace.Servers;
using Millrace.Kafka.Tests;

[assembly: AssemblyFixture(typeof(TestBroker))]

namespace Millrace.Kafka.Tests;

/// <summary>The broker that all tests of this assembly share: the one that is named, or one that is started for them.</summary>
public sealed class TestBroker : IAsyncLifetime
{
    private static string? s_address;

    private KafkaBroker? _broker;

    /// <summary>Where it listens; a test that asks is skipped where there is none.</summary>
    public static string Address
    {
        get
        {
            Assert.SkipWhen(s_address is null, KafkaBroker.WhyAbsent);
            return s_address!;
        }
    }

    /// <summary>Options that suit tests: a group notices at once who comes and goes.</summary>
    public static KafkaOptions Options => new()
    {
        BootstrapServers = Address,
        HeartbeatInterval = TimeSpan.FromMilliseconds(50),
        SessionTimeout = TimeSpan.FromSeconds(6),
    };

    /// <summary>
    /// Options for tests that give records times of their own, long ago: topics that keep records for a week would lose them while a test
    /// runs.
    /// </summary>
    public static KafkaOptions KeepingOptions => Options with
    {
        TopicSettings = new Dictionary<string, string> { ["retention.ms"] = "-1" },
    };

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        s_address = KafkaBroker.Named;
        if (s_address is not null || !KafkaBroker.CanStart) return;
        _broker = await KafkaBroker.StartAsync(
            "group.consumer.min.heartbeat.interval.ms=50", "group.consumer.heartbeat.interval.ms=100");
        s_address = _broker.Address;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_broker is not null) await _broker.DisposeAsync();
    }
}

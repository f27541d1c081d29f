using Microsoft.Extensions.DependencyInjection;

namespace Millrace.Kafka.Tests;

/// <summary>What options are refused, and that printing them shows no secret.</summary>
public sealed class OptionsTests
{
    private static readonly KafkaOptions s_good = new() { BootstrapServers = "localhost:9092" };

    public static TheoryData<string, string, KafkaOptions> Wrong { get; } = new()
    {
        { "BootstrapServers", "'localhost'", s_good with { BootstrapServers = "localhost" } },
        { "BootstrapServers", "''", s_good with { BootstrapServers = "" } },
        { "BootstrapServers", "a:1,b:99999", s_good with { BootstrapServers = "a:1,b:99999" } },
        { "InstanceId", "'two words'", s_good with { InstanceId = "two words" } },
        { "StateDirectory", "' '", s_good with { StateDirectory = " " } },
        { "GroupProtocol", "7", s_good with { GroupProtocol = (GroupProtocol)7 } },
        { "SnapshotChangesMax", "999", s_good with { SnapshotChangesMax = 999 } },
        { "ReplicationFactor", "0", s_good with { ReplicationFactor = 0 } },
        { "ReplicationFactor", "101", s_good with { ReplicationFactor = 101 } },
        { "SessionTimeout", "00:00:00.5", s_good with { SessionTimeout = TimeSpan.FromMilliseconds(500) } },
        { "HeartbeatInterval", "00:00:04", s_good with { HeartbeatInterval = TimeSpan.FromSeconds(4) } },
        { "RebalanceTimeout", "00:00:09", s_good with { RebalanceTimeout = TimeSpan.FromSeconds(9) } },
        { "RebalanceTimeout", "01:00:01", s_good with { RebalanceTimeout = TimeSpan.FromSeconds(3601) } },
        { "TransactionTimeout", "00:16:00", s_good with { TransactionTimeout = TimeSpan.FromMinutes(16) } },
        { "DeliveryTimeout", "00:00:00", s_good with { DeliveryTimeout = TimeSpan.Zero } },
        { "ConnectTimeout", "00:00:00.05", s_good with { ConnectTimeout = TimeSpan.FromMilliseconds(50) } },
        { "PositionsRefreshInterval", "2.00:00:00", s_good with { PositionsRefreshInterval = TimeSpan.FromDays(2) } },
        { "CommitsWaitingMax", "0", s_good with { CommitsWaitingMax = 0 } },
        { "TransactionBytesMax", "1", s_good with { TransactionBytesMax = 1 } },
        { "RecordBytesMax", "1", s_good with { RecordBytesMax = 1 } },
        { "ReaderBytesMax", "1", s_good with { ReaderBytesMax = 1 } },
        { "Fetchers", "65", s_good with { Fetchers = 65 } },
        { "enable.idempotence", "ClientSettings", With("enable.idempotence") },
        { "transactional.id", "ClientSettings", With("transactional.id") },
        { "isolation.level", "ClientSettings", With("isolation.level") },
        { "max.poll.interval.ms", "ClientSettings", With("max.poll.interval.ms") },
        { "AuthoritiesFile", "/nowhere.pem", Secure(new KafkaSecurity { UsesTls = true, AuthoritiesFile = "/nowhere.pem" }) },
        { "UsesTls", "/nowhere.pem", Secure(new KafkaSecurity { AuthoritiesFile = "/nowhere.pem" }) },
        { "CertificateFile", "KeyFile", Secure(new KafkaSecurity { UsesTls = true, KeyFile = "/nowhere.pem" }) },
        { "user name", "empty", Secure(new KafkaSecurity { Sasl = new KafkaSasl.Plain("", "x") }) },
        { "password", "'me'", Secure(new KafkaSecurity { Sasl = new KafkaSasl.Scram("me", "") }) },
        { "Bits", "128", Secure(new KafkaSecurity { Sasl = new KafkaSasl.Scram("me", "x", 128) }) },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task An_option_that_breaks_its_limit_is_refused_by_name_and_value(string name, string value, KafkaOptions options)
    {
        var failure = await Assert.ThrowsAsync<ArgumentException>(
            async () => await KafkaEngine.OpenAsync(options, TestContext.Current.CancellationToken));

        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
        Assert.Contains(value, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_defaults_are_possible() => s_good.Validate();

    [Fact]
    public void A_rebalance_lasts_at_least_a_session()
    {
        Assert.Equal(TimeSpan.FromMinutes(1), s_good.EffectiveRebalanceTimeout);
        var longer = s_good with { SessionTimeout = TimeSpan.FromMinutes(2) };
        longer.Validate();
        Assert.Equal(longer.SessionTimeout, longer.EffectiveRebalanceTimeout);
    }

    [Fact]
    public void Printing_shows_no_secret()
    {
        const string secret = "hunter2";
        object[] printed =
        [
            With("ssl.keystore.password", secret),
            Secure(new KafkaSecurity { UsesTls = true, KeyPassword = secret, Sasl = new KafkaSasl.Plain("me", secret) }),
            Secure(new KafkaSecurity { Sasl = new KafkaSasl.Scram("me", secret) }),
            new KafkaSecurity { KeyPassword = secret },
            new KafkaSasl.Plain("me", secret),
            new KafkaSasl.Scram("me", secret),
            new KafkaToken(secret, DateTimeOffset.UnixEpoch, "me"),
        ];

        Assert.All(printed, options => Assert.DoesNotContain(secret, options.ToString(), StringComparison.Ordinal));
        Assert.Contains("me", printed[1].ToString(), StringComparison.Ordinal);
        Assert.Contains("ssl.keystore.password", printed[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_that_does_not_answer_is_named()
    {
        var options = s_good with { BootstrapServers = "127.0.0.1:1", ConnectTimeout = TimeSpan.FromMilliseconds(300) };

        var failure = await Assert.ThrowsAsync<MillraceException>(
            async () => await KafkaEngine.OpenAsync(options, TestContext.Current.CancellationToken));

        Assert.Equal(FailureCodes.Unreachable, failure.Code);
        Assert.Contains("127.0.0.1:1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_has_one_engine()
    {
        var services = new ServiceCollection();

        Assert.Throws<InvalidOperationException>(() => services.AddMillrace(
            millrace => millrace.UseKafka("localhost:9092").UseKafka("localhost:9093")));
    }

    private static KafkaOptions With(string setting, string value = "x") =>
        s_good with { ClientSettings = new Dictionary<string, string> { [setting] = value } };

    private static KafkaOptions Secure(KafkaSecurity security) => s_good with { Security = security };
}

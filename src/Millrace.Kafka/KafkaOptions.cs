using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace.Kafka;

/// <summary>How the members of a group find out who owns what.</summary>
public enum GroupProtocol
{
    /// <summary>Members share by the cooperative-sticky assignor (KIP-429). The default; every broker since 2.5.</summary>
    Classic = 0,

    /// <summary>The broker shares (KIP-848), without a pause for all. Kafka 4.0 and later.</summary>
    Consumer = 1,
}

/// <summary>How the Kafka engine works. Immutable. Printing it shows no secret.</summary>
public sealed record KafkaOptions
{
    /// <summary>The brokers to ask first: <c>host:port</c>, separated by commas.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>
    /// The name of this engine instance among all that share the brokers, 1 to 200 of <c>[a-zA-Z0-9._-]</c>: its transactional id is
    /// <c>millrace-NAME</c>, so an instance that starts again ends at once what its crash left open, and two that use one name at the same
    /// time fence each other. By default it is kept in <see cref="StateDirectory"/>, or drawn anew at each start when there is none.
    /// </summary>
    public string? InstanceId { get; init; }

    /// <summary>
    /// The folder for copies of keyed state, so that a restart reads only the changelogs' tails. One process at a time. Null, the default,
    /// keeps nothing on disk: each start reads the changelogs from their beginning.
    /// </summary>
    public string? StateDirectory { get; init; }

    /// <summary>Keeps the keyed state of a partition on this machine; in memory by default, with copies in the state directory.</summary>
    public OpenStateStore? OpenStateStore { get; init; }

    /// <summary>
    /// After how many changed keys of a partition its state is copied to the state directory while it works on: 1,000 to 1,000,000,000;
    /// 250,000 by default. It is copied as well when the partition is given up. A crash makes the next start read at most about so many
    /// changes.
    /// </summary>
    public int SnapshotChangesMax { get; init; } = 250_000;

    /// <summary>
    /// Whether each instance also keeps copies of the partitions that other members of its groups own, up to date, so that it takes one
    /// over without reading its changelog. Off by default: it costs the memory and the reading of the whole state.
    /// </summary>
    public bool KeepsStandbyCopies { get; init; }

    /// <summary>Replicas of topics that are created here: -1 (the broker's default) to 100.</summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Topic settings for topics that are created here, by Kafka's names, such as <c>min.insync.replicas</c>.</summary>
    public IReadOnlyDictionary<string, string> TopicSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>How the groups' members share partitions.</summary>
    public GroupProtocol GroupProtocol { get; init; } = GroupProtocol.Classic;

    /// <summary>
    /// How long a member may be silent before its partitions go to others: 1 s to 30 min, 10 s by default. The broker has limits of its own
    /// (group.min.session.timeout.ms, 6 s). With <see cref="GroupProtocol.Consumer"/> the broker decides.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How often a member reports, and so how soon it learns of a change: 50 ms to a third of <see cref="SessionTimeout"/>, 500 ms by
    /// default.
    /// </summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// How long a group that shares its partitions anew waits for a member (Kafka's max.poll.interval.ms): partitions that it has not
    /// handed over within nine tenths of it are lost to it, and a member that is gone without the broker having noticed is forgotten, which
    /// broker 4.3.1 was seen to need. From <see cref="SessionTimeout"/> to 1 h; null, the default, for 1 min, or the session's time where
    /// that is longer. What is being worked on when a partition is revoked is to end within it, or is done again by the next owner.
    /// </summary>
    public TimeSpan? RebalanceTimeout { get; init; }

    /// <summary>
    /// How long the broker lets a transaction be open before it ends it, which is how long readers wait behind one that a crash left: 1 s
    /// to 15 min, 10 s by default. Keep it below <see cref="DeliveryTimeout"/>, after which a partition's next owner gives a
    /// restore up that waits for one, and tries anew.
    /// </summary>
    public TimeSpan TransactionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a commit, an append or a request is tried before it fails with <see cref="FailureCodes.Unreachable"/>: 1 s to 1 h, 60 s by
    /// default.
    /// </summary>
    public TimeSpan DeliveryTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long opening the engine waits for the first answer of a broker: 100 ms to 10 min, 15 s by default.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How often the owner of a partition commits its positions again although nothing changed: 1 s to 1 day, 1 h by default. Brokers
    /// forget the positions of a topic that nobody commits to for offsets.retention.minutes (7 days), and a forgotten position is where a
    /// group would begin anew.
    /// </summary>
    public TimeSpan PositionsRefreshInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How many commits may wait for a transaction; callers beyond it wait: 1 to 1,000,000, 10,000 by default.</summary>
    public int CommitsWaitingMax { get; init; } = 10_000;

    /// <summary>How many bytes of waiting commits one transaction takes: 64 KiB to 1 GiB, 16 MiB by default.</summary>
    public int TransactionBytesMax { get; init; } = 16 << 20;

    /// <summary>
    /// The largest record in bytes (librdkafka's message.max.bytes): 1 KiB to 256 MiB, 1,000,000 by default, as Kafka has it.
    /// </summary>
    public int RecordBytesMax { get; init; } = 1_000_000;

    /// <summary>How many bytes one open reader holds that were fetched and not yet taken: 64 KiB to 1 GiB, 8 MiB by default.</summary>
    public int ReaderBytesMax { get; init; } = 8 << 20;

    /// <summary>
    /// How many consumers, each with a thread, all open readers are spread over: 1 to 64, 2 by default. More come and stay when one
    /// partition is read more often than that at once.
    /// </summary>
    public int Fetchers { get; init; } = 2;

    /// <summary>How the brokers are reached safely; in the clear by default.</summary>
    public KafkaSecurity Security { get; init; } = KafkaSecurity.None;

    /// <summary>
    /// Any other setting of librdkafka, for all of the engine's clients. It wins over what the engine sets, but for what its promises rest
    /// on, which is refused. Values are never printed: they may be secrets.
    /// </summary>
    public IReadOnlyDictionary<string, string> ClientSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The clock of time-outs and pauses. The system's by default.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where logs go; nowhere by default.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary><see cref="RebalanceTimeout"/>, or what stands for it.</summary>
    internal TimeSpan EffectiveRebalanceTimeout =>
        RebalanceTimeout ?? (SessionTimeout > RebalanceTimeoutDefault ? SessionTimeout : RebalanceTimeoutDefault);

    private static TimeSpan RebalanceTimeoutDefault { get; } = TimeSpan.FromMinutes(1);

    /// <summary>The settings that the engine's promises rest on.</summary>
    internal static readonly IReadOnlyList<string> Reserved =
    [
        "bootstrap.servers", "metadata.broker.list", "group.id", "group.instance.id", "group.protocol", "transactional.id",
        "enable.idempotence", "isolation.level", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset",
        "enable.partition.eof", "partition.assignment.strategy", "acks", "request.required.acks", "session.timeout.ms",
        "heartbeat.interval.ms", "max.poll.interval.ms", "transaction.timeout.ms", "message.max.bytes", "partitioner",
        "allow.auto.create.topics",
    ];

    /// <summary>Throws an <see cref="ArgumentException"/> that names the option and its value when a limit is broken.</summary>
    public void Validate()
    {
        DemandServers();
        if (InstanceId is not null && (InstanceId.Length > 200 || !TopicSpecification.IsValidName(InstanceId)))
            throw new ArgumentException($"{nameof(InstanceId)} is '{InstanceId}'; it must be 1 to 200 of [a-zA-Z0-9._-].");
        if (StateDirectory is not null && string.IsNullOrWhiteSpace(StateDirectory))
            throw new ArgumentException($"{nameof(StateDirectory)} is '{StateDirectory}'; give a folder, or null for none.");
        if (!Enum.IsDefined(GroupProtocol))
            throw new ArgumentException($"{nameof(GroupProtocol)} is {(int)GroupProtocol}, which is not known.");
        Demand(nameof(SnapshotChangesMax), SnapshotChangesMax, 1_000, 1_000_000_000);
        Demand(nameof(ReplicationFactor), ReplicationFactor, -1, 100);
        if (ReplicationFactor == 0) throw new ArgumentException($"{nameof(ReplicationFactor)} is 0; a topic has at least one replica.");
        Demand(nameof(SessionTimeout), SessionTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(30));
        Demand(nameof(HeartbeatInterval), HeartbeatInterval, TimeSpan.FromMilliseconds(50), SessionTimeout / 3);
        Demand(nameof(RebalanceTimeout), EffectiveRebalanceTimeout, SessionTimeout, TimeSpan.FromHours(1));
        Demand(nameof(TransactionTimeout), TransactionTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(15));
        Demand(nameof(DeliveryTimeout), DeliveryTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        Demand(nameof(ConnectTimeout), ConnectTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        Demand(nameof(PositionsRefreshInterval), PositionsRefreshInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        Demand(nameof(CommitsWaitingMax), CommitsWaitingMax, 1, 1_000_000);
        Demand(nameof(TransactionBytesMax), TransactionBytesMax, 64 << 10, 1 << 30);
        Demand(nameof(RecordBytesMax), RecordBytesMax, 1 << 10, 256 << 20);
        Demand(nameof(ReaderBytesMax), ReaderBytesMax, 64 << 10, 1 << 30);
        Demand(nameof(Fetchers), Fetchers, 1, 64);
        ArgumentNullException.ThrowIfNull(Security);
        Security.Validate();
        foreach (var setting in ClientSettings.Keys)
        {
            if (Reserved.Contains(setting, StringComparer.Ordinal))
                throw new ArgumentException(
                    $"{nameof(ClientSettings)} holds '{setting}', which the engine sets itself: its promises rest on it.");
        }

        ArgumentNullException.ThrowIfNull(Time);
        ArgumentNullException.ThrowIfNull(LoggerFactory);
    }

    private void DemandServers()
    {
        foreach (var server in (BootstrapServers ?? "").Split(',', StringSplitOptions.TrimEntries))
        {
            var colon = server.LastIndexOf(':');
            if (colon > 0 && ushort.TryParse(server.AsSpan(colon + 1), out var port) && port > 0) continue;
            throw new ArgumentException(
                $"{nameof(BootstrapServers)} is '{BootstrapServers}'; it must be host:port, several separated by commas.");
        }
    }

    private static void Demand(string option, long value, long from, long to)
    {
        if (value < from || value > to) throw new ArgumentException($"{option} is {value}; it must be from {from} to {to}.");
    }

    private static void Demand(string option, TimeSpan value, TimeSpan from, TimeSpan to)
    {
        if (value < from || value > to) throw new ArgumentException($"{option} is {value}; it must be from {from} to {to}.");
    }

    /// <summary>What a record prints, less the values of settings, any of which may be a secret.</summary>
    private bool PrintMembers(StringBuilder text)
    {
        text.Append(System.Globalization.CultureInfo.InvariantCulture,
            $"BootstrapServers = {BootstrapServers}, InstanceId = {InstanceId}, StateDirectory = {StateDirectory}, ");
        text.Append(System.Globalization.CultureInfo.InvariantCulture,
            $"Security = {Security}, ClientSettings = [{string.Join(", ", ClientSettings.Keys.Order(StringComparer.Ordinal))}]");
        return true;
    }
}

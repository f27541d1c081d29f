using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Mqtt.Mapping;

namespace Millrace.Mqtt;

/// <summary>The version of MQTT that is spoken with a broker.</summary>
public enum MqttVersion
{
    /// <summary>MQTT 3.1.1: no Receive Maximum, no session expiry.</summary>
    V311 = 4,

    /// <summary>MQTT 5. The default.</summary>
    V5 = 5,
}

/// <summary>A broker by its address.</summary>
public sealed record MqttServerAddress
{
    /// <summary>The host's name or address.</summary>
    public required string Host { get; init; }

    /// <summary>The port: 1 to 65,535; 1883 by default, 8883 is usual with TLS.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>The version; <see cref="MqttVersion.V5"/> by default.</summary>
    public MqttVersion Version { get; init; } = MqttVersion.V5;

    /// <summary>The user's name; none by default.</summary>
    public string? User { get; init; }

    /// <summary>The user's password; none by default. It is never logged.</summary>
    public string? Password { get; init; }

    /// <summary>Whether TLS is used; not by default. The broker's certificate is checked against the system's authorities.</summary>
    public bool UsesTls { get; init; }

    /// <summary>Authorities that are trusted instead of the system's; none by default.</summary>
    public X509Certificate2Collection? TrustedAuthorities { get; init; }

    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Host);
        Limits.Check("MqttServerAddress.Port", Port, 1, 65_535);
        if (!Enum.IsDefined(Version)) throw new ArgumentException($"MqttServerAddress.Version is {Version}, which is not known.");
    }
}

/// <summary>What users may do with topics. A client may do what any of the rules that are for it allows.</summary>
public sealed record MqttAccessRule
{
    /// <summary>The user's name; every user, and clients without one, by default.</summary>
    public string? User { get; init; }

    /// <summary>The topics. <c>{user}</c> and <c>{client}</c> stand for the client's own, as whole levels.</summary>
    public required string Filter { get; init; }

    /// <summary>Whether messages may be published to them; so by default.</summary>
    public bool CanPublish { get; init; } = true;

    /// <summary>Whether they may be subscribed to; so by default.</summary>
    public bool CanSubscribe { get; init; } = true;
}

/// <summary>
/// The embedded broker. Its sessions and retained messages live in memory; what routes take is durable before it is acknowledged.
/// </summary>
public sealed record MqttBrokerOptions
{
    /// <summary>The address to listen at; loopback by default: clients of other machines are let in by choice only.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port: 0 to 65,535, 1883 by default; 0 takes a free one, which <see cref="MqttSource.Ready"/> tells.</summary>
    public int Port { get; init; } = 1883;

    /// <summary>The certificate, with its private key, for TLS; without one, the default, connections are not encrypted.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Passwords by user; when empty, the default, every client is let in.</summary>
    public IReadOnlyDictionary<string, string> Users { get; init; } = new Dictionary<string, string>();

    /// <summary>What clients may do; when empty, the default, everything.</summary>
    public IReadOnlyList<MqttAccessRule> Access { get; init; } = [];

    /// <summary>How many messages wait for a client that subscribes, before the oldest is dropped: 1 to 1,000,000; 1,000.</summary>
    public int PendingMessagesMax { get; init; } = 1_000;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Address);
        Limits.Check("MqttBrokerOptions.Port", Port, 0, 65_535);
        Limits.Check("MqttBrokerOptions.PendingMessagesMax", PendingMessagesMax, 1, 1_000_000);
        if (Certificate is { HasPrivateKey: false }) throw new ArgumentException("MqttBrokerOptions.Certificate has no private key.");
        foreach (var rule in Access)
        {
            if (TopicFilter.Fault(rule.Filter) is { } fault)
                throw new ArgumentException($"MqttAccessRule.Filter is '{rule.Filter}', which is no filter: {fault}.");
        }
    }
}

/// <summary>What a source takes, from where, and its limits. Immutable.</summary>
public sealed record MqttSourceOptions
{
    /// <summary>The source's name: its group's id and the stem of its client ids, which must not change between runs.</summary>
    public required string Name { get; init; }

    /// <summary>What is taken.</summary>
    public required IReadOnlyList<MqttRoute> Routes { get; init; }

    /// <summary>The broker to subscribe at; the embedded broker when null, the default.</summary>
    public MqttServerAddress? Server { get; init; }

    /// <summary>The embedded broker, where <see cref="Server"/> is null.</summary>
    public MqttBrokerOptions Broker { get; init; } = new();

    /// <summary>
    /// How many clients subscribe, each with a stable id and a persistent session of its own: 1 to 1,000, 1 by default. Members of the
    /// source's group in all processes share them. It cannot change for a name. The embedded broker needs 1.
    /// </summary>
    public int Clients { get; init; } = 1;

    /// <summary>
    /// How many messages may wait for durability per client: 1 to 65,535, 1,000 by default. MQTT 5's Receive Maximum; with 3.1.1 the
    /// connection is not read while as many wait.
    /// </summary>
    public int ReceiveMaximum { get; init; } = 1_000;

    /// <summary>How long the broker keeps a session for a client that is away (MQTT 5): 1 s to 136 years, 7 days by default.</summary>
    public TimeSpan SessionExpiry { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How often a silent connection is probed: 1 s to 18 hours, 30 s by default.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a broker may take to answer when a client connects: 1 ms to 1 hour, 10 s by default.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How many messages one commit takes at most: 1 to 65,535, 1,000 by default.</summary>
    public int CommitMessagesMax { get; init; } = 1_000;

    /// <summary>How many bytes of payload one commit gathers before it is made: 1 KiB to 64 MiB, 4 MiB by default.</summary>
    public int CommitBytesMax { get; init; } = 4 << 20;

    /// <summary>The largest payload that is taken: 1 to 16 MiB, 1 MiB by default. A larger one becomes a dead letter without it.</summary>
    public int PayloadBytesMax { get; init; } = 1 << 20;

    /// <summary>
    /// How many packet ids of quality 2 that are not released yet, and how many topics of <see cref="MqttRetained.OnlyWhenNew"/>, are
    /// remembered: each 1 to 10,000,000, 1,000,000 by default. Beyond, a packet is refused, and a topic's retained message is always new.
    /// </summary>
    public int RememberedMax { get; init; } = 1_000_000;

    /// <summary>Where messages go that cannot be taken; the name with <c>.dlq</c> by default. It is made where it is missing.</summary>
    public string? DeadLetterTopic { get; init; }

    /// <summary>
    /// The first pause after a failure, then doubled until something becomes durable or a connection has held for longer than
    /// <see cref="RestartBackoffMax"/>: 1 ms to 1 hour, 100 ms by default.
    /// </summary>
    public TimeSpan RestartBackoffMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause after a failure: up to 1 hour, 30 s by default.</summary>
    public TimeSpan RestartBackoffMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a stop waits for a commit under way before it is left behind: 1 ms to 1 hour, 10 s by default.</summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The clock. The system's by default.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where ids of events come from that have no template for it. Version 7 UUIDs by default.</summary>
    public Func<string>? NewId { get; init; }

    /// <summary>Where loops run. The thread pool by default.</summary>
    public TaskScheduler Scheduler { get; init; } = TaskScheduler.Default;

    /// <summary>Told of changes and failures. Nothing by default.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Where the meter comes from; a meter of the source's own by default.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    internal string DeadLetters => DeadLetterTopic ?? Name + ".dlq";

    internal void Validate()
    {
        if (!TopicSpecification.IsValidName(Name) || Name.Length > 200)
            throw new ArgumentException($"MqttSourceOptions.Name is '{Name}'; 1 to 200 characters of [a-zA-Z0-9._-] are possible.");
        if (!TopicSpecification.IsValidName(DeadLetters))
            throw new ArgumentException($"MqttSourceOptions.DeadLetterTopic is '{DeadLetters}', which is no topic's name.");
        Limits.Check("MqttSourceOptions.Clients", Clients, 1, Server is null ? 1 : 1_000);
        Limits.Check("MqttSourceOptions.ReceiveMaximum", ReceiveMaximum, 1, 65_535);
        Limits.Check("MqttSourceOptions.SessionExpiry", SessionExpiry, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(uint.MaxValue));
        Limits.Check("MqttSourceOptions.KeepAlive", KeepAlive, TimeSpan.FromSeconds(1), TimeSpan.FromHours(18));
        Limits.Check("MqttSourceOptions.ConnectTimeout", ConnectTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        Limits.Check("MqttSourceOptions.CommitMessagesMax", CommitMessagesMax, 1, 65_535);
        Limits.Check("MqttSourceOptions.CommitBytesMax", CommitBytesMax, 1_024, 64 << 20);
        Limits.Check("MqttSourceOptions.PayloadBytesMax", PayloadBytesMax, 1, 16 << 20);
        Limits.Check("MqttSourceOptions.RememberedMax", RememberedMax, 1, 10_000_000);
        Limits.Check("MqttSourceOptions.RestartBackoffMin", RestartBackoffMin, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        Limits.Check("MqttSourceOptions.RestartBackoffMax", RestartBackoffMax, RestartBackoffMin, TimeSpan.FromHours(1));
        Limits.Check("MqttSourceOptions.StopDeadline", StopDeadline, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        if (Routes.Count == 0) throw new ArgumentException("MqttSourceOptions.Routes is empty: nothing would be taken.");
        foreach (var route in Routes) route.Validate(Clients);
        Server?.Validate();
        Broker.Validate();
    }
}

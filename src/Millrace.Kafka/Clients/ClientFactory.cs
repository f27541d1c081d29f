using System.Globalization;
using Confluent.Kafka;

namespace Millrace.Kafka.Clients;

/// <summary>Makes the engine's librdkafka clients, all with the same brokers, security and logging. Thread safe.</summary>
internal sealed class ClientFactory
{
    private readonly KafkaOptions _options;
    private readonly ClientLog _log;
    private readonly Tokens? _tokens;

    public ClientFactory(KafkaOptions options, ClientLog log)
    {
        (_options, _log) = (options, log);
        if (options.Security.Sasl is KafkaSasl.OAuthBearer bearer) _tokens = new Tokens(bearer, log);
    }

    /// <summary>The admin client.</summary>
    public IAdminClient Admin()
    {
        var builder = new AdminClientBuilder(Common("admin"))
            .SetLogHandler((_, message) => _log.Client(message))
            .SetErrorHandler((_, error) => _log.Error(error));
        if (_tokens is not null) builder.SetOAuthBearerTokenRefreshHandler(_tokens.Refresh);
        return builder.Build();
    }

    /// <summary>
    /// A producer: transactional under an id, or idempotent without one. A record is sent when the thread that batches gets to it, or the
    /// transaction is committed, which waits for nothing.
    /// </summary>
    public IProducer<byte[]?, byte[]?> Producer(string? transactionalId)
    {
        var settings = Common(transactionalId is null ? "appender" : "writer");
        settings["enable.idempotence"] = "true";
        settings["acks"] = "all";
        settings["linger.ms"] = transactionalId is null ? "0" : "5";
        settings["message.max.bytes"] = Number(_options.RecordBytesMax);
        settings["queue.buffering.max.messages"] = "2000000";
        settings["queue.buffering.max.kbytes"] = "2097151";
        settings["delivery.timeout.ms"] = Milliseconds(
            transactionalId is null ? _options.DeliveryTimeout : Min(_options.DeliveryTimeout, _options.TransactionTimeout));
        settings["dotnet.producer.delivery.report.fields"] = "none";
        if (transactionalId is not null)
        {
            settings["transactional.id"] = transactionalId;
            settings["transaction.timeout.ms"] = Milliseconds(_options.TransactionTimeout);
        }

        Override(settings);
        var builder = new ProducerBuilder<byte[]?, byte[]?>(settings)
            .SetKeySerializer(Serializers.ByteArray!)
            .SetValueSerializer(Serializers.ByteArray!)
            .SetLogHandler((_, message) => _log.Client(message))
            .SetErrorHandler((_, error) => _log.Error(error));
        if (_tokens is not null) builder.SetOAuthBearerTokenRefreshHandler(_tokens.Refresh);
        return builder.Build();
    }

    /// <summary>A consumer that reads assigned partitions, committed records only, and says when it is at an end.</summary>
    public IConsumer<byte[]?, byte[]?> Fetcher()
    {
        var settings = Common("reader");
        settings["group.id"] = "millrace-readers"; // librdkafka wants one; nothing is joined and nothing committed
        settings["isolation.level"] = "read_committed";
        settings["enable.auto.commit"] = "false";
        settings["enable.auto.offset.store"] = "false";
        settings["enable.partition.eof"] = "true";
        settings["auto.offset.reset"] = "error";
        settings["allow.auto.create.topics"] = "false";
        settings["check.crcs"] = "true";

        // The end of a partition is told with the answer to a fetch, which an idle partition gives after this long at most.
        settings["fetch.wait.max.ms"] = "100";
        settings["fetch.queue.backoff.ms"] = "20";
        settings["fetch.error.backoff.ms"] = "100";
        settings["queued.max.messages.kbytes"] = "32768";
        settings["topic.metadata.propagation.max.ms"] = "5000";
        Override(settings);
        return Build(new ConsumerBuilder<byte[]?, byte[]?>(settings));
    }

    /// <summary>A consumer that is a member of a group and reads nothing.</summary>
    public IConsumer<byte[]?, byte[]?> Member(string group, Action<ConsumerBuilder<byte[]?, byte[]?>> handlers)
    {
        var settings = Common("member");
        settings["group.id"] = group;
        settings["isolation.level"] = "read_committed";
        settings["enable.auto.commit"] = "false";
        settings["enable.auto.offset.store"] = "false";
        settings["auto.offset.reset"] = "latest";
        settings["allow.auto.create.topics"] = "false";
        settings["queued.max.messages.kbytes"] = "64";
        settings["topic.metadata.propagation.max.ms"] = "5000";
        settings["max.poll.interval.ms"] = Milliseconds(_options.EffectiveRebalanceTimeout);
        if (_options.GroupProtocol == GroupProtocol.Consumer)
        {
            settings["group.protocol"] = "consumer";
        }
        else
        {
            settings["partition.assignment.strategy"] = "cooperative-sticky";
            settings["session.timeout.ms"] = Milliseconds(_options.SessionTimeout);
            settings["heartbeat.interval.ms"] = Milliseconds(_options.HeartbeatInterval);
        }

        Override(settings);
        var builder = new ConsumerBuilder<byte[]?, byte[]?>(settings);
        handlers(builder);
        return Build(builder);
    }

    /// <summary>A consumer that asks for its group's positions, as of decided transactions or not, and does nothing else.</summary>
    public IConsumer<byte[]?, byte[]?> Asker(string group, bool isDecided)
    {
        var settings = Common("asker");
        settings["group.id"] = group;
        settings["isolation.level"] = isDecided ? "read_committed" : "read_uncommitted";
        settings["enable.auto.commit"] = "false";
        settings["allow.auto.create.topics"] = "false";
        Override(settings);
        return Build(new ConsumerBuilder<byte[]?, byte[]?>(settings));
    }

    private IConsumer<byte[]?, byte[]?> Build(ConsumerBuilder<byte[]?, byte[]?> builder)
    {
        builder.SetKeyDeserializer(Deserializers.ByteArray!)
            .SetValueDeserializer(Deserializers.ByteArray!)
            .SetLogHandler((_, message) => _log.Client(message))
            .SetErrorHandler((_, error) => _log.Error(error));
        if (_tokens is not null) builder.SetOAuthBearerTokenRefreshHandler(_tokens.Refresh);
        return builder.Build();
    }

    private Dictionary<string, string> Common(string role)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["bootstrap.servers"] = _options.BootstrapServers,
            ["client.id"] = $"millrace-{role}",
            ["reconnect.backoff.ms"] = "50",
            ["reconnect.backoff.max.ms"] = "1000",

            // When all brokers are away librdkafka would forget what it knows of them and begin anew, at once and again and again: a fifth
            // of a core for each process.
            ["metadata.recovery.strategy"] = "none",
            ["retry.backoff.ms"] = "20",
            ["socket.nagle.disable"] = "true",
            ["log.connection.close"] = "false",
        };
        Secure(settings);
        if (role == "admin") Override(settings);
        return settings;
    }

    private void Override(Dictionary<string, string> settings)
    {
        foreach (var (name, value) in _options.ClientSettings) settings[name] = value;
    }

    private void Secure(Dictionary<string, string> settings)
    {
        var security = _options.Security;
        settings["security.protocol"] = (security.UsesTls, security.Sasl) switch
        {
            (false, null) => "plaintext",
            (true, null) => "ssl",
            (false, _) => "sasl_plaintext",
            (true, _) => "sasl_ssl",
        };
        if (security.UsesTls) settings["ssl.endpoint.identification.algorithm"] = "https";
        Put("ssl.ca.location", security.AuthoritiesFile);
        Put("ssl.certificate.location", security.CertificateFile);
        Put("ssl.key.location", security.KeyFile);
        Put("ssl.key.password", security.KeyPassword);
        switch (security.Sasl)
        {
            case null:
                return;
            case KafkaSasl.Plain plain:
                settings["sasl.mechanism"] = "PLAIN";
                (settings["sasl.username"], settings["sasl.password"]) = (plain.UserName, plain.Password);
                return;
            case KafkaSasl.Scram scram:
                settings["sasl.mechanism"] = $"SCRAM-SHA-{scram.Bits}";
                (settings["sasl.username"], settings["sasl.password"]) = (scram.UserName, scram.Password);
                return;
            case KafkaSasl.OAuthBearer:
                settings["sasl.mechanism"] = "OAUTHBEARER";
                return;
            default:
                throw new InvalidOperationException($"Unknown SASL mechanism {security.Sasl.GetType().Name}.");
        }

        void Put(string name, string? value)
        {
            if (value is not null) settings[name] = value;
        }
    }

    private static string Milliseconds(TimeSpan time) => Number((long)time.TotalMilliseconds);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>Gives each client a token when it asks for one, which it does on a thread of librdkafka's.</summary>
    private sealed class Tokens(KafkaSasl.OAuthBearer bearer, ClientLog log)
    {
        public void Refresh(IClient client, string config)
        {
            try
            {
                var token = bearer.GetToken(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                client.OAuthBearerSetToken(token.Value, token.Expires.ToUnixTimeMilliseconds(), token.Principal);
            }
            catch (Exception failure)
            {
                // The edge of a callback: librdkafka asks again after ten seconds.
                log.TokenFailed(failure);
                client.OAuthBearerSetTokenFailure(failure.Message);
            }
        }
    }
}

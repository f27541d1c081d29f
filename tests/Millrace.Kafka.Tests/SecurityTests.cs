using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Millrace.Servers;

namespace Millrace.Kafka.Tests;

/// <summary>A broker that asks who comes: by PLAIN and SCRAM in the clear and over TLS, and by bearer token; with rights by user.</summary>
public sealed class SecureBroker : IAsyncLifetime
{
    public const string Secret = "the-secret-of-the-shop";

    /// <summary>Kafka's TRANSACTIONAL_ID, which the client has no name for.</summary>
    private const ResourceType TransactionalId = (ResourceType)5;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("millrace-tls-");
    private readonly int _saslPort = Ports.Free(), _otherPorts = Ports.Free();
    private KafkaBroker? _broker;

    public string Sasl => $"127.0.0.1:{_saslPort}";

    public string OAuth => $"127.0.0.1:{_otherPorts}";

    public string Tls => $"localhost:{_otherPorts + 1}";

    public string Plaintext => (_broker ?? throw new InvalidOperationException("The broker is not there.")).Address;

    public string Authorities => Path.Combine(_folder.FullName, "ca.pem");

    public string OtherAuthorities => Path.Combine(_folder.FullName, "other.pem");

    public bool IsThere => _broker is not null;

    public async ValueTask InitializeAsync()
    {
        if (!KafkaBroker.CanStart) return;
        var server = MakeCertificates();
        const string plain = "org.apache.kafka.common.security.plain.PlainLoginModule required " +
            $"user_shop=\"{Secret}\" user_clerk=\"{Secret}\" user_guest=\"{Secret}\";";
        const string scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        _broker = await KafkaBroker.StartAsync(
            $"listeners=PLAINTEXT://127.0.0.1:{{port}},SASL://{Sasl},OAUTH://{OAuth},TLS://{Tls},CONTROLLER://127.0.0.1:{{controller}}",
            $"advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SASL://{Sasl},OAUTH://{OAuth},TLS://{Tls}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,OAUTH:SASL_PLAINTEXT,TLS:SASL_SSL",
            "inter.broker.listener.name=PLAINTEXT",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS;User:shop",
            "listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            $"listener.name.sasl.plain.sasl.jaas.config={plain}",
            $"listener.name.sasl.scram-sha-256.sasl.jaas.config={scram}",
            $"listener.name.sasl.scram-sha-512.sasl.jaas.config={scram}",
            "listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER",
            "listener.name.oauth.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule " +
                "required unsecuredLoginStringClaim_sub=\"broker\";",
            "listener.name.tls.sasl.enabled.mechanisms=PLAIN",
            $"listener.name.tls.plain.sasl.jaas.config={plain}",
            "listener.name.tls.ssl.keystore.type=PEM",
            $"listener.name.tls.ssl.keystore.location={server}");
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Plaintext }).Build();
        await admin.AlterUserScramCredentialsAsync([Upsert(ScramMechanism.ScramSha256)]);
        await admin.AlterUserScramCredentialsAsync([Upsert(ScramMechanism.ScramSha512)]);
        await admin.CreateAclsAsync(ClerkMayDoAllBut("closed"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_broker is not null) await _broker.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static UserScramCredentialUpsertion Upsert(ScramMechanism mechanism) => new()
    {
        User = "shop",
        ScramCredentialInfo = new ScramCredentialInfo { Mechanism = mechanism, Iterations = 4096 },
        Password = Encoding.UTF8.GetBytes(Secret),
        Salt = RandomNumberGenerator.GetBytes(16),
    };

    private static IEnumerable<AclBinding> ClerkMayDoAllBut(string closed)
    {
        foreach (var (type, name, permission) in new[]
        {
            (ResourceType.Topic, "*", AclPermissionType.Allow), (ResourceType.Group, "*", AclPermissionType.Allow),
            (TransactionalId, "*", AclPermissionType.Allow), (ResourceType.Broker, "kafka-cluster", AclPermissionType.Allow),
            (ResourceType.Topic, closed, AclPermissionType.Deny),
        })
        {
            yield return new AclBinding
            {
                Pattern = new ResourcePattern { Type = type, Name = name, ResourcePatternType = ResourcePatternType.Literal },
                Entry = new AccessControlEntry
                {
                    Principal = "User:clerk",
                    Host = "*",
                    Operation = permission == AclPermissionType.Deny ? AclOperation.Write : AclOperation.All,
                    PermissionType = permission,
                },
            };
        }
    }

    /// <summary>An authority, another one, and a server's certificate of the first with its key; returns the server's file.</summary>
    private string MakeCertificates()
    {
        using var key = RSA.Create(2048);
        using var authority = Authority("CN=millrace tests", key);
        File.WriteAllText(Authorities, authority.ExportCertificatePem());
        using var otherKey = RSA.Create(2048);
        using var other = Authority("CN=somebody else", otherKey);
        File.WriteAllText(OtherAuthorities, other.ExportCertificatePem());

        using var serverKey = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", serverKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var server = request.Create(authority, authority.NotBefore, authority.NotAfter, RandomNumberGenerator.GetBytes(8));
        var file = Path.Combine(_folder.FullName, "server.pem");
        File.WriteAllText(
            file, $"{serverKey.ExportPkcs8PrivateKeyPem()}\n{server.ExportCertificatePem()}\n{authority.ExportCertificatePem()}\n");
        return file;
    }

    private static X509Certificate2 Authority(string name, RSA key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
    }
}

/// <summary>The engine with every kind of security that it has options for, against a broker that asks for it.</summary>
public sealed class SecurityTests(SecureBroker broker) : EngineRig, IClassFixture<SecureBroker>
{
    [Theory]
    [InlineData("plain")]
    [InlineData("scram-256")]
    [InlineData("scram-512")]
    [InlineData("oauth")]
    [InlineData("plain over tls")]
    public async Task Who_is_known_may_work(string how)
    {
        var engine = await OpenAsync(options => SecuredBy(how, options) with
        {
            ClientSettings = new Dictionary<string, string> { ["debug"] = "security,broker,conf" },
        });
        var topic = await CreateTopicAsync(engine);
        await using var group = Group(engine, topic);
        var member = await group.JoinAsync();
        await group.UntilOwnedAsync(1);

        await PutAsync(member.Owned[0], ("key", "value"));
        await engine.AppendAsync(new TopicPartition(topic, 0), batch => batch.Add(1, Bytes("k"), Bytes("v")), null, Cancellation);

        Assert.Equal("key=value", TextsOf(member.Owned[0]));
        Assert.NotEmpty(Book.Texts);
        Assert.DoesNotContain(Book.Texts, text => text.Contains(SecureBroker.Secret, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("scram-512")]
    [InlineData("plain over tls")]
    public async Task A_wrong_password_is_refused_and_not_shown(string how)
    {
        const string wrong = "the-wrong-secret";

        var failure = await Assert.ThrowsAsync<MillraceException>(
            () => OpenAsync(options => SecuredBy(how, options, wrong) with { ConnectTimeout = TimeSpan.FromSeconds(3) }));

        Assert.Equal(FailureCodes.NotAuthorized, failure.Code);
        Assert.DoesNotContain(wrong, $"{failure}", StringComparison.Ordinal);
        Assert.DoesNotContain(Book.Texts, text => text.Contains(wrong, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_certificate_of_another_authority_is_refused()
    {
        var failure = await Assert.ThrowsAsync<MillraceException>(() => OpenAsync(options => SecuredBy("plain over tls", options) with
        {
            ConnectTimeout = TimeSpan.FromSeconds(3),
            Security = new KafkaSecurity
            {
                UsesTls = true,
                AuthoritiesFile = broker.OtherAuthorities,
                Sasl = new KafkaSasl.Plain("shop", SecureBroker.Secret),
            },
        }));

        Assert.Equal(FailureCodes.NotAuthorized, failure.Code);
        Assert.Contains("certificate", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_do_nothing_is_told_at_the_start()
    {
        var failure = await Assert.ThrowsAsync<MillraceException>(() => OpenAsync(options => As("guest", options)));

        Assert.Equal(FailureCodes.NotAuthorized, failure.Code);
        Assert.Contains("millrace-", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Who_may_not_write_to_one_topic_may_write_to_others(int records)
    {
        var owner = await OpenAsync(options => SecuredBy("plain", options));
        await owner.EnsureTopicAsync(new TopicSpecification { Name = "closed", Partitions = 1 }, Cancellation);
        var open = await CreateTopicAsync(owner);
        var clerk = await OpenAsync(options => As("clerk", options));

        var commits = new[] { open, "closed", open }.Select(topic => AppendAsync(clerk, topic, records)).ToList();
        var failure = await Assert.ThrowsAsync<MillraceException>(() => commits[1]);
        await commits[0];
        await commits[2];
        await AppendAsync(clerk, open, records);

        Assert.Equal(FailureCodes.NotAuthorized, failure.Code);
    }

    private async Task AppendAsync(Engine engine, string topic, int records) =>
        await engine.AppendAsync(new TopicPartition(topic, 0), batch =>
    {
        for (var record = 0; record < records; record++) batch.Add(1, Bytes("k"), Bytes("v"));
    }, null, Cancellation);

    private KafkaOptions As(string user, KafkaOptions options) => SecuredBy("plain", options) with
    {
        Security = new KafkaSecurity { Sasl = new KafkaSasl.Plain(user, SecureBroker.Secret) },
    };

    private KafkaOptions SecuredBy(string how, KafkaOptions options, string secret = SecureBroker.Secret)
    {
        Assert.SkipUnless(broker.IsThere, KafkaBroker.WhyAbsent);
        return how switch
        {
            "plain" => options with { BootstrapServers = broker.Sasl,
                Security = new KafkaSecurity { Sasl = new KafkaSasl.Plain("shop", secret) } },
            "scram-256" => options with { BootstrapServers = broker.Sasl,
                Security = new KafkaSecurity { Sasl = new KafkaSasl.Scram("shop", secret, 256) } },
            "scram-512" => options with { BootstrapServers = broker.Sasl,
                Security = new KafkaSecurity { Sasl = new KafkaSasl.Scram("shop", secret) } },
            "oauth" => options with { BootstrapServers = broker.OAuth,
                Security = new KafkaSecurity { Sasl = new KafkaSasl.OAuthBearer(TokenAsync) } },
            "plain over tls" => options with
            {
                BootstrapServers = broker.Tls,
                Security = new KafkaSecurity
                {
                    UsesTls = true,
                    AuthoritiesFile = broker.Authorities,
                    Sasl = new KafkaSasl.Plain("shop", secret),
                },
            },
            _ => throw new ArgumentException($"Unknown: {how}."),
        };
    }

    /// <summary>A token without a signature (RFC 7515, "none"), which a broker without further configuration accepts.</summary>
    private static ValueTask<KafkaToken> TokenAsync(CancellationToken cancellation)
    {
        var now = TimeProvider.System.GetUtcNow();
        var expires = now.AddHours(1);
        var claims = $"{{\"sub\":\"shop\",\"iat\":{now.ToUnixTimeSeconds() - 5},\"exp\":{expires.ToUnixTimeSeconds()}}}";
        var token = $"{Base64Url.EncodeToString("{\"alg\":\"none\"}"u8)}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}.";
        return ValueTask.FromResult(new KafkaToken(token, expires, "shop"));
    }
}

using System.Text;

namespace Millrace.Kafka;

/// <summary>How the brokers are reached: over TLS or not, and as whom. Immutable. Printing it shows no secret.</summary>
public sealed record KafkaSecurity
{
    /// <summary>In the clear and as nobody: for a broker on the same machine or behind other walls.</summary>
    public static KafkaSecurity None { get; } = new();

    /// <summary>Who this is; nobody by default.</summary>
    public KafkaSasl? Sasl { get; init; }

    /// <summary>Whether connections are encrypted and the broker's certificate is checked, its host name included.</summary>
    public bool UsesTls { get; init; }

    /// <summary>
    /// The file with the certificate authorities in PEM that the broker's certificate must come from; the system's by default.
    /// </summary>
    public string? AuthoritiesFile { get; init; }

    /// <summary>The file with this client's certificate in PEM, where brokers ask for one.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>The file with the private key of <see cref="CertificateFile"/> in PEM.</summary>
    public string? KeyFile { get; init; }

    /// <summary>The password of <see cref="KeyFile"/>, if it has one. A secret.</summary>
    public string? KeyPassword { get; init; }

    internal void Validate()
    {
        if (!UsesTls && (AuthoritiesFile ?? CertificateFile ?? KeyFile) is { } unused)
            throw new ArgumentException($"Security names the file '{unused}' but {nameof(UsesTls)} is false.");
        if (CertificateFile is null != KeyFile is null)
            throw new ArgumentException($"Security needs both {nameof(CertificateFile)} and {nameof(KeyFile)}, or neither.");
        DemandFile(nameof(AuthoritiesFile), AuthoritiesFile);
        DemandFile(nameof(CertificateFile), CertificateFile);
        DemandFile(nameof(KeyFile), KeyFile);
        Sasl?.Validate();
    }

    private static void DemandFile(string option, string? file)
    {
        if (file is not null && !File.Exists(file)) throw new ArgumentException($"{option} is '{file}', which is no file.");
    }

    private bool PrintMembers(StringBuilder text)
    {
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"UsesTls = {UsesTls}, Sasl = {Sasl}, ");
        text.Append(System.Globalization.CultureInfo.InvariantCulture,
            $"AuthoritiesFile = {AuthoritiesFile}, CertificateFile = {CertificateFile}, KeyFile = {KeyFile}");
        return true;
    }
}

/// <summary>Who connects, by one of SASL's mechanisms. Printing it shows no secret.</summary>
public abstract record KafkaSasl
{
    private KafkaSasl()
    {
    }

    internal abstract void Validate();

    /// <summary>A user name and a password, sent as they are: use it over TLS only (RFC 4616).</summary>
    /// <param name="UserName">The user.</param>
    /// <param name="Password">The password. A secret.</param>
    public sealed record Plain(string UserName, string Password) : KafkaSasl
    {
        /// <inheritdoc/>
        public override string ToString() => $"PLAIN as '{UserName}'";

        internal override void Validate() => Demand(UserName, Password);
    }

    /// <summary>A user name and a password that is proven without being sent (RFC 5802).</summary>
    /// <param name="UserName">The user.</param>
    /// <param name="Password">The password. A secret.</param>
    /// <param name="Bits">The hash: 256 or 512.</param>
    public sealed record Scram(string UserName, string Password, int Bits = 512) : KafkaSasl
    {
        /// <inheritdoc/>
        public override string ToString() => $"SCRAM-SHA-{Bits} as '{UserName}'";

        internal override void Validate()
        {
            Demand(UserName, Password);
            if (Bits is not (256 or 512)) throw new ArgumentException($"SCRAM {nameof(Bits)} is {Bits}; Kafka knows 256 and 512.");
        }
    }

    /// <summary>A bearer token (RFC 7628), asked for anew whenever the last one is about to expire.</summary>
    /// <param name="GetToken">
    /// Gets a token; called from any thread, several times at once by different clients. What it throws is logged, and asked again later.
    /// </param>
    public sealed record OAuthBearer(Func<CancellationToken, ValueTask<KafkaToken>> GetToken) : KafkaSasl
    {
        /// <inheritdoc/>
        public override string ToString() => "OAUTHBEARER";

        internal override void Validate() => ArgumentNullException.ThrowIfNull(GetToken);
    }

    private static void Demand(string userName, string password)
    {
        if (string.IsNullOrEmpty(userName)) throw new ArgumentException("The SASL user name is empty.");
        if (string.IsNullOrEmpty(password)) throw new ArgumentException($"The SASL password of '{userName}' is empty.");
    }
}

/// <summary>A bearer token. Printing it shows no secret.</summary>
/// <param name="Value">The token as it is sent. A secret.</param>
/// <param name="Expires">Until when it is valid; another one is asked for at four fifths of the time.</param>
/// <param name="Principal">Whose it is, for the broker's log.</param>
public sealed record KafkaToken(string Value, DateTimeOffset Expires, string Principal)
{
    /// <inheritdoc/>
    public override string ToString() => $"a token of '{Principal}' that expires {Expires:O}";
}

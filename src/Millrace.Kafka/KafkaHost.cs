using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Millrace.Kafka;

/// <summary>Chooses Apache Kafka for a host.</summary>
public static class KafkaHost
{
    /// <summary>The host runs on Kafka: several processes share the work of each group.</summary>
    /// <param name="builder">What the host runs.</param>
    /// <param name="bootstrapServers">The brokers to ask first: <c>host:port</c>, separated by commas.</param>
    /// <param name="change">Changes the options; they begin with the host's <see cref="TimeProvider"/> and logger factory.</param>
    /// <exception cref="InvalidOperationException">An engine is chosen already.</exception>
    public static MillraceBuilder UseKafka(
        this MillraceBuilder builder, string bootstrapServers, Func<KafkaOptions, KafkaOptions>? change = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(bootstrapServers);
        return builder.UseEngine(async (services, cancellation) =>
        {
            var options = new KafkaOptions { BootstrapServers = bootstrapServers };
            if (services.GetService<TimeProvider>() is { } time) options = options with { Time = time };
            if (services.GetService<ILoggerFactory>() is { } logs) options = options with { LoggerFactory = logs };
            return await KafkaEngine.OpenAsync(change?.Invoke(options) ?? options, cancellation);
        });
    }
}

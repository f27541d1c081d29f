using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Millrace.Mqtt.Links;

namespace Millrace.Mqtt;

/// <summary>Adds MQTT to a host.</summary>
public static class MqttServices
{
    /// <summary>
    /// Adds a source, which starts with the host's services, after the engine is open and topics are there, and stops before the engine.
    /// Its clock and logger are the host's. It is a singleton service under its name, once the host has started: that is how the embedded
    /// broker's port is found, by <see cref="MqttSource.Ready"/>.
    /// </summary>
    public static MillraceBuilder AddMqttSource(this MillraceBuilder builder, MqttSourceOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        builder.Services.AddKeyedSingleton(options.Name, (services, _) => new MqttSource(
            services.GetRequiredService<Engine>(), options with
            {
                Time = services.GetService<TimeProvider>() ?? options.Time,
                LoggerFactory = services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance,
            }));
        builder.Services.AddSingleton<IHostedService>(
            services => new HostedSource(() => services.GetRequiredKeyedService<MqttSource>(options.Name)));
        return builder;
    }

    /// <summary>Adds a sink.</summary>
    public static MillraceBuilder AddMqttSink(this MillraceBuilder builder, MqttSinkOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var processor = MqttSink.Create(options);
        return builder.AddProcessor(_ => processor);
    }
}

using System.Security.Cryptography;
using Millrace;
using Millrace.Kafka;
using Millrace.Log;
using Millrace.Mqtt;
using Sensors.Readings;
using Sensors.Simulation;

namespace Sensors;

/// <summary>Chooses the engine and the MQTT broker: options, and nothing else of the system knows which they are.</summary>
internal static class EngineChoice
{
    /// <summary>The MQTT source, under which it is found as a service.</summary>
    public const string MqttSourceName = "sensors-mqtt";

    /// <summary>The sink of alerts, and its group.</summary>
    public const string MqttSinkName = "sensors-alerts-mqtt";

    /// <summary>The embedded log in the data folder, or Kafka.</summary>
    public static MillraceBuilder UseEngine(this MillraceBuilder millrace, SensorsOptions options) => (options.Engine switch
    {
        SensorsEngine.Embedded => millrace.UseEmbeddedLog(Path.Combine(options.DataDirectory, "log")),
        SensorsEngine.Kafka => millrace.UseKafka(
            options.Bootstrap!, kafka => kafka with { StateDirectory = Path.Combine(options.DataDirectory, "state") }),
        _ => throw new InvalidOperationException($"Unknown engine {options.Engine}."),
    }).ConfigureRuntime(runtime => ForReadings(runtime) with
    {
        StopDeadline = TimeSpan.FromMilliseconds(700),
        CancelGrace = TimeSpan.FromMilliseconds(200),
        Seed = RandomNumberGenerator.GetInt32(int.MaxValue),
    });

    /// <summary>
    /// Commits of twice the usual size: what a device has of state is written once per commit, however many of its readings are in it.
    /// </summary>
    public static ProcessorRuntimeOptions ForReadings(ProcessorRuntimeOptions runtime) => runtime with
    {
        FetchBytesMax = 2 << 20,
        CommitBytesMax = 8 << 20,
    };

    /// <summary>
    /// Readings from MQTT to <see cref="ReadingTopics.Raw"/>, acknowledged when they are durable, and alerts back to MQTT.
    /// </summary>
    public static MillraceBuilder AddMqtt(this MillraceBuilder millrace, SensorsOptions options)
    {
        millrace.AddMqttSource(new MqttSourceOptions
        {
            Name = MqttSourceName,
            Routes = [new MqttRoute { Topics = DeviceTopic.Pattern, Target = ReadingTopics.Raw, Key = "{device}" }],
            Server = options.MqttServer is null ? null : AddressOf(options),
            Broker = new MqttBrokerOptions { Port = options.MqttPort },
        });
        if (options.MqttServer is null && options.MqttPort == 0) return millrace; // nobody but this process knows the port
        return millrace.AddMqttSink(new MqttSinkOptions
        {
            Name = MqttSinkName,
            Topics = [Alerts.AlertTopics.Triggered],
            Server = AddressOf(options),
            MqttTopic = DeviceTopic.Alerts,
        });
    }

    /// <summary>Where devices publish to, but for an embedded broker on a free port.</summary>
    public static MqttServerAddress AddressOf(SensorsOptions options)
    {
        if (options.MqttServer is not { } server) return new MqttServerAddress { Host = "127.0.0.1", Port = options.MqttPort };
        var colon = server.LastIndexOf(':');
        return new MqttServerAddress
        {
            Host = server[..colon],
            Port = int.Parse(server.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture),
            User = options.MqttUser,
            Password = options.MqttUser is null ? null : Environment.GetEnvironmentVariable("SENSORS_MQTT_PASSWORD"),
        };
    }
}

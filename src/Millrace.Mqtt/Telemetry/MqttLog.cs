using Microsoft.Extensions.Logging;

namespace Millrace.Mqtt.Telemetry;

/// <summary>Every line that MQTT logs. The ids are fixed.</summary>
internal static partial class MqttLog
{
    [LoggerMessage(5000, LogLevel.Information, "MQTT source {Source} got client {Client}, epoch {Epoch}")]
    public static partial void Assigned(this ILogger log, string source, int client, long epoch);

    [LoggerMessage(5001, LogLevel.Information, "MQTT source {Source} gave up client {Client}")]
    public static partial void Released(this ILogger log, string source, int client);

    [LoggerMessage(5002, LogLevel.Information,
        "MQTT client {Client} is connected to {Host}:{Port}; the broker knew its session: {IsKnown}")]
    public static partial void Connected(this ILogger log, string client, string host, int port, bool isKnown);

    [LoggerMessage(5003, LogLevel.Warning,
        "MQTT source {Source}, client {Client}, failed and begins again in {Pause}; nothing of it was acknowledged")]
    public static partial void Restarts(this ILogger log, string source, int client, TimeSpan pause, Exception failure);

    [LoggerMessage(5004, LogLevel.Error, "MQTT source {Source} ended: the engine failed")]
    public static partial void EngineFailed(this ILogger log, string source, Exception failure);

    [LoggerMessage(5005, LogLevel.Warning, "MQTT source {Source} fell out of its group and joins again in {Pause}")]
    public static partial void Rejoins(this ILogger log, string source, TimeSpan pause, Exception failure);

    [LoggerMessage(5006, LogLevel.Information,
        "The embedded MQTT broker of source {Source} listens at {Address}:{Port}, TLS: {IsEncrypted}")]
    public static partial void Listens(this ILogger log, string source, string address, int port, bool isEncrypted);

    [LoggerMessage(5007, LogLevel.Information, "The embedded MQTT broker of source {Source} stopped")]
    public static partial void BrokerStopped(this ILogger log, string source);

    [LoggerMessage(5008, LogLevel.Warning, "The embedded MQTT broker of source {Source} refused client {Client}: {Reason}")]
    public static partial void Refused(this ILogger log, string source, string client, string reason);
}

using System.Buffers;
using Millrace;
using Millrace.Mqtt;
using MQTTnet;
using MQTTnet.Exceptions;
using MQTTnet.Protocol;
using Sensors.Readings;

namespace Sensors.Simulation;

/// <summary>
/// A gateway: publishes readings of devices over one MQTT connection, with quality 1 and in order. What was not acknowledged when the
/// connection broke is sent again, from the first one on, under the same ids. Not thread safe.
/// </summary>
/// <param name="server">The broker.</param>
/// <param name="clientId">The client's id.</param>
/// <param name="time">The clock, for pauses.</param>
internal sealed class DevicePublisher(MqttServerAddress server, string clientId, TimeProvider time) : IAsyncDisposable
{
    /// <summary>
    /// As many are under way at once: no more than the platform remembers of a device, so that all that is sent again is recognised.
    /// </summary>
    private const int InFlightMax = RecentIds.Max;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(20);

    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly ArrayBufferWriter<byte> _payload = new(1_024);

    /// <summary>Publishes readings and returns when all are acknowledged.</summary>
    public async Task PublishAsync(IReadOnlyList<SensorReading> readings, CancellationToken cancellation)
    {
        for (var first = 0; first < readings.Count; first += InFlightMax)
            await PublishSomeAsync(readings, first, Math.Min(InFlightMax, readings.Count - first), cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_client.IsConnected)
        {
            try
            {
                await _client.DisconnectAsync();
            }
            catch (Exception failure) when (IsOfTheNetwork(failure))
            {
                // It is gone already.
            }
        }

        _client.Dispose();
    }

    private async Task PublishSomeAsync(IReadOnlyList<SensorReading> readings, int first, int count, CancellationToken cancellation)
    {
        var done = 0;
        while (done < count)
        {
            try
            {
                await ConnectAsync(cancellation);
                var sent = new List<Task<MqttClientPublishResult>>(count - done);
                for (var i = first + done; i < first + count; i++) sent.Add(_client.PublishAsync(MessageOf(readings[i]), cancellation));
                foreach (var one in sent)
                {
                    var answer = await one;
                    if (!answer.IsSuccess) throw new InvalidOperationException($"The broker refused a reading: {answer.ReasonCode}.");
                    done++;
                }
            }
            catch (Exception failure) when (IsOfTheNetwork(failure))
            {
                cancellation.ThrowIfCancellationRequested();
                await Task.Delay(Pause, time, cancellation);
            }
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        if (_client.IsConnected) return;
        var options = new MqttClientOptionsBuilder()
            .WithTcpServer(server.Host, server.Port)
            .WithClientId(clientId)
            .WithTimeout(AnswerTimeout)
            .WithProtocolVersion(MQTTnet.Formatter.MqttProtocolVersion.V500);
        if (server.User is { } user) options = options.WithCredentials(user, server.Password);
        await _client.ConnectAsync(options.Build(), cancellation);
    }

    private MqttApplicationMessage MessageOf(SensorReading reading)
    {
        _payload.ResetWrittenCount();
        EventCodec.WriteJson(ReadingCodec.ToEvent(reading), _payload);
        return new MqttApplicationMessage
        {
            Topic = DeviceTopic.Of(reading.DeviceId),
            QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
            PayloadSegment = _payload.WrittenSpan.ToArray(),
        };
    }

    private static bool IsOfTheNetwork(Exception failure) =>
        failure is MqttCommunicationException or MqttClientNotConnectedException or IOException or System.Net.Sockets.SocketException
            or ObjectDisposedException or TimeoutException or OperationCanceledException or MqttClientDisconnectedException;
}

using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Millrace.Mqtt.Mapping;
using MQTTnet;
using MQTTnet.Formatter;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Links;

/// <summary>Publishes the records of one partition over a connection of its own and returns when all are acknowledged.</summary>
internal sealed class SinkPartition(MqttSinkOptions options, ProcessorScope scope) : IPartitionProcessor, IAsyncDisposable
{
    private readonly IMqttClient _client = new MqttClientFactory().CreateMqttClient();
    private readonly Template _topic = new(options.MqttTopic);
    private readonly Queue<Task<MqttClientPublishResult>> _underWay = new();
    private int _inFlightMax = options.InFlightMax;

    public async ValueTask ProcessAsync(FetchedRecords records, CancellationToken cancellation)
    {
        if (!_client.IsConnected) await ConnectAsync(cancellation);
        using var deadline = new CancellationTokenSource(Timeout.InfiniteTimeSpan, scope.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        try
        {
            foreach (var record in records)
            {
                if (TryMake(records.Source.Topic, record) is not { } message) continue;
                if (_underWay.Count >= _inFlightMax) await AcknowledgedAsync(deadline);
                _underWay.Enqueue(_client.PublishAsync(message, both.Token));
            }

            while (_underWay.Count > 0) await AcknowledgedAsync(deadline);
        }
        catch (Exception failure) when (failure is not MillraceException && !cancellation.IsCancellationRequested)
        {
            throw new MillraceException(
                FailureCodes.Unreachable, $"The MQTT broker {Address} did not acknowledge a message of '{scope.Processor}'.", failure);
        }
        finally
        {
            await both.CancelAsync(); // what is still under way after a failure ends here; it is published again
            while (_underWay.TryDequeue(out var left)) _ = left.ContinueWith(
                static task => task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    public ValueTask OnTimerAsync(DueTimer timer, CancellationToken cancellation) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private string Address => string.Create(CultureInfo.InvariantCulture, $"{options.Server.Host}:{options.Server.Port}");

    private async Task AcknowledgedAsync(CancellationTokenSource deadline)
    {
        deadline.CancelAfter(options.AnswerTimeout);
        var answer = await _underWay.Dequeue();
        if (!answer.IsSuccess)
        {
            throw new MillraceException(
                FailureCodes.NotAuthorized, $"The MQTT broker {Address} refused a message of '{scope.Processor}': {answer.ReasonCode}.");
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        var server = options.Server;
        using var deadline = new CancellationTokenSource(options.AnswerTimeout, scope.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        var tls = new MqttClientTlsOptions { UseTls = server.UsesTls, TargetHost = server.Host };
        tls.RevocationMode = X509RevocationMode.NoCheck;
        if (server.TrustedAuthorities is { } authorities) tls.TrustChain = authorities;
        var answer = await _client.ConnectAsync(new MqttClientOptions
        {
            ClientId = string.Create(CultureInfo.InvariantCulture, $"{options.Name}-{scope.Partition}"),
            ProtocolVersion = server.Version == MqttVersion.V5 ? MqttProtocolVersion.V500 : MqttProtocolVersion.V311,
            Credentials = server.User is null
                ? null
                : new MqttClientCredentials(server.User, Encoding.UTF8.GetBytes(server.Password ?? "")),
            ChannelOptions = new MqttClientTcpOptions { RemoteEndpoint = new DnsEndPoint(server.Host, server.Port), TlsOptions = tls },
        }, both.Token);
        if (answer.ResultCode != MqttClientConnectResultCode.Success)
            throw new MillraceException(
                FailureCodes.NotAuthorized, $"The MQTT broker {Address} refused '{options.Name}': {answer.ResultCode}.");
        _inFlightMax = Math.Min(options.InFlightMax, answer.ReceiveMaximum is > 0 and var most ? (int)most : options.InFlightMax);
    }

    /// <summary>The message of a record; null when it makes none and was said as a dead letter.</summary>
    private MqttApplicationMessage? TryMake(string source, in Record record)
    {
        try
        {
            var key = Encoding.UTF8.GetString(record.Key.Span);
            var isEvent = EventCodec.TryRead(record, out var view, out var reason);
            if (!isEvent && options.Payload == MqttSinkPayload.Data) throw new UnusableException($"it is not an event: {reason}");
            var topic = _topic.Text(name => name == "key" ? Template.Value.Of(key) : ValueOf(name, isEvent ? view.ToEvent() : null));
            if (!TopicFilter.IsTopic(topic)) throw new UnusableException($"'{topic}' is no MQTT topic");
            var payload = options.Payload == MqttSinkPayload.Data ? view.Data : record.Value;
            return new MqttApplicationMessage
            {
                Topic = topic,
                PayloadSegment = payload.ToArray(),
                QualityOfServiceLevel = MqttQualityOfServiceLevel.AtLeastOnce,
                Retain = options.IsRetained,
            };
        }
        catch (UnusableException unusable)
        {
            var reason = unusable.Message[..Math.Min(unusable.Message.Length, MqttHeaders.ReasonCharactersMax)];
            var headers = new List<RecordHeader>();
            foreach (var header in record.Headers) headers.Add(header);
            headers.Add(new RecordHeader(MqttHeaders.Reason, reason));
            headers.Add(new RecordHeader(MqttHeaders.Time, scope.Time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)));
            scope.To(source + MqttSink.DeadLetterSuffix, record.Key.Span).Add(
                record.Timestamp, record.HasKey, record.Key.Span, record.HasValue, record.Value.Span, [.. headers]);
            return null;
        }
    }

    private static Template.Value ValueOf(string name, CloudEvent? cloudEvent)
    {
        if (cloudEvent is null) throw new UnusableException($"it is not an event, so it has no '{name}'");
        var text = name switch
        {
            "id" => cloudEvent.Id,
            "type" => cloudEvent.Type,
            "source" => cloudEvent.Source,
            "subject" => cloudEvent.Subject,
            _ => FieldOf(name, cloudEvent.Data),
        };
        return Template.Value.Of(text ?? throw new UnusableException($"the event has no '{name}'"));
    }

    private static string? FieldOf(string name, ReadOnlyMemory<byte> data)
    {
        try
        {
            using var document = JsonDocument.Parse(data);
            var found = document.RootElement;
            foreach (var field in name.Split('.').AsSpan(1))
            {
                if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(field, out found)) return null;
            }

            return found.ValueKind == JsonValueKind.Null ? null : Template.Value.Of(found).Text;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

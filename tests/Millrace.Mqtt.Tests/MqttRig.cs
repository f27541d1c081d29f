using System.Net;
using System.Net.Sockets;
using System.Text;
using Millrace.Log;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Tests;

/// <summary>An engine on a directory of a test's own, and what tests do again and again.</summary>
public abstract class MqttRig : IAsyncLifetime
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("millrace-mqtt-");
    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    protected GatedEngine Engine { get; private set; } = null!;

    protected TcpListener Listener { get; } = new(IPAddress.Loopback, 0);

    /// <summary>The test's own, and over after five minutes: what never comes is a failure, not a hang.</summary>
    protected CancellationToken Cancellation => _deadline.Token;

    protected string Root => _root.FullName;

    protected static MqttRoute Readings => new()
    {
        Topics = "sensors/{zone}/{device}/reading",
        Target = "sensors.raw",
        Key = "{device}",
        Quality = MqttQuality.ExactlyOnce,
        Payload = new MqttPayload.Json { Type = "reading", Source = "/devices/{device}", Subject = "{zone}" },
    };

    public async ValueTask InitializeAsync()
    {
        _deadline.CancelAfter(TimeSpan.FromMinutes(5)); // a broker in Java starts slowly beside other tests
        Listener.Start();
        await OpenAsync();
        await Engine.EnsureTopicAsync(new TopicSpecification { Name = "sensors.raw", Partitions = 2 }, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        Listener.Dispose();
        _deadline.Dispose();
        _root.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the engine and opens it again on what is on the disk.</summary>
    protected async Task ReopenAsync()
    {
        await Engine.DisposeAsync();
        await OpenAsync();
    }

    /// <summary>A source at the scripted broker, or at one by its port.</summary>
    protected MqttSourceOptions AtListener(params MqttRoute[] routes) => new()
    {
        Name = "readings",
        Routes = routes,
        Server = new MqttServerAddress { Host = "127.0.0.1", Port = ((IPEndPoint)Listener.LocalEndpoint).Port },
        RestartBackoffMin = TimeSpan.FromMilliseconds(1),
    };

    /// <summary>
    /// A source that does not connect again before the test ends it: such a connection would wait at the listener and be taken for that of
    /// the next source.
    /// </summary>
    protected MqttSourceOptions WithoutReturn(params MqttRoute[] routes) =>
        AtListener(routes) with { RestartBackoffMin = TimeSpan.FromSeconds(30) };

    /// <summary>A source with the embedded broker.</summary>
    protected static MqttSourceOptions Embedded(params MqttRoute[] routes) => new()
    {
        Name = "readings",
        Routes = routes,
        Broker = new MqttBrokerOptions { Port = 0 },
        RestartBackoffMin = TimeSpan.FromMilliseconds(1),
    };

    protected async Task<MqttSource> StartAsync(MqttSourceOptions options)
    {
        var source = new MqttSource(Engine, options);
        await source.StartAsync(Cancellation);
        return source;
    }

    protected static MqttPublishPacket Publish(ushort id, string payload, int quality = 1, bool isAgain = false, string device = "d1", bool retain = false) => new()
    {
        Topic = $"sensors/hall/{device}/reading",
        PacketIdentifier = id,
        QualityOfServiceLevel = (MqttQualityOfServiceLevel)quality,
        Dup = isAgain,
        Retain = retain,
        PayloadSegment = Encoding.UTF8.GetBytes(payload),
    };

    /// <summary>What a topic holds now: key, value and headers of each record as text, partition by partition.</summary>
    protected async Task<List<(string Key, string Value, Dictionary<string, string> Headers, long Timestamp)>> ReadAsync(string topic)
    {
        var found = new List<(string, string, Dictionary<string, string>, long)>();
        foreach (var partition in (await Engine.FindTopicAsync(topic, Cancellation))!.Partitions)
        {
            using var reader = Engine.OpenReader(new TopicPartition(topic, partition.Partition), partition.StartOffset);
            while (reader.Offset < partition.EndOffset)
            {
                using var records = await reader.ReadAsync(1 << 20, Cancellation);
                foreach (var record in records)
                {
                    var headers = new Dictionary<string, string>();
                    foreach (var header in record.Headers) headers[Encoding.UTF8.GetString(header.Name.Span)] = Encoding.UTF8.GetString(header.Value.Span);
                    found.Add((Encoding.UTF8.GetString(record.Key.Span), Encoding.UTF8.GetString(record.Value.Span), headers, record.Timestamp));
                }
            }
        }

        return found;
    }

    /// <summary>The data of the events in a topic, as text.</summary>
    protected async Task<List<string>> DataAsync(string topic = "sensors.raw")
    {
        var data = new List<string>();
        foreach (var (_, value, _, _) in await ReadAsync(topic))
        {
            Assert.True(EventCodec.TryReadJson(Encoding.UTF8.GetBytes(value), out var view, out var reason), reason);
            data.Add(Encoding.UTF8.GetString(view.Data.Span));
        }

        return data;
    }

    /// <summary>Waits until the topic holds at least so many records.</summary>
    protected async Task WaitForAsync(string topic, int partition, long records)
    {
        using var reader = Engine.OpenReader(new TopicPartition(topic, partition), 0);
        while (reader.Offset < records) (await reader.ReadAsync(1 << 20, Cancellation)).Dispose();
    }

    private async Task OpenAsync() =>
        Engine = new GatedEngine(await LogEngine.OpenAsync(Path.Combine(_root.FullName, "log"), cancellation: Cancellation));
}

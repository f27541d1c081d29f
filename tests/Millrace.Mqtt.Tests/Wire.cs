using System.Net;
using System.Net.Sockets;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Implementations;
using MQTTnet.Packets;
using MQTTnet.Protocol;

namespace Millrace.Mqtt.Tests;

/// <summary>One end of a connection, packet by packet: a test sees and says exactly what is on the wire.</summary>
public sealed class Wire : IDisposable
{
    private readonly TcpClient _client;
    private readonly MqttChannelAdapter _adapter;

    private Wire(TcpClient client, MqttProtocolVersion version)
    {
        _client = client;
        var formatter = new MqttPacketFormatterAdapter(version, new MqttBufferWriter(4096, 65535));
        var channel = new MqttTcpChannel(client.GetStream(), client.Client.LocalEndPoint, client.Client.RemoteEndPoint, null);
        _adapter = new MqttChannelAdapter(channel, formatter, MqttNetNullLogger.Instance);
    }

    /// <summary>
    /// Takes the next connection on which something comes. A source that ends while it connects again leaves one behind that is closed.
    /// </summary>
    public static async Task<Wire> AcceptAsync(
        TcpListener listener, CancellationToken cancellation, MqttProtocolVersion version = MqttProtocolVersion.V500)
    {
        while (true)
        {
            var client = await listener.AcceptTcpClientAsync(cancellation);
            if (await HasSomethingAsync(client.Client, cancellation)) return new Wire(client, version);
            client.Dispose();
        }
    }

    /// <summary>Connects as a device and awaits the broker's answer.</summary>
    public static async Task<(Wire Wire, MqttConnAckPacket Answer)> ConnectAsync(
        int port, MqttConnectPacket packet, CancellationToken cancellation, MqttProtocolVersion version = MqttProtocolVersion.V500)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
        var wire = new Wire(client, version);
        await wire.SendAsync(packet, cancellation);
        return (wire, await wire.ReceiveAsync<MqttConnAckPacket>(cancellation));
    }

    public Task SendAsync(MqttPacket packet, CancellationToken cancellation) => _adapter.SendPacketAsync(packet, cancellation);

    public async Task<T> ReceiveAsync<T>(CancellationToken cancellation)
        where T : MqttPacket => Assert.IsType<T>(await ReceiveAsync(cancellation));

    /// <summary>The next packet; null when the other end closed the connection.</summary>
    public async Task<MqttPacket?> ReceiveAsync(CancellationToken cancellation)
    {
        try
        {
            return await _adapter.ReceivePacketAsync(cancellation).WaitAsync(cancellation);
        }
        catch (MQTTnet.Exceptions.MqttCommunicationException)
        {
            return null;
        }
    }

    /// <summary>Everything that comes until the other end closes.</summary>
    public async Task<List<MqttPacket>> ReceiveToEndAsync(CancellationToken cancellation)
    {
        var packets = new List<MqttPacket>();
        while (await ReceiveAsync(cancellation) is { } packet) packets.Add(packet);
        return packets;
    }

    /// <summary>Plays the broker until the source has subscribed.</summary>
    public async Task<(MqttConnectPacket Connect, MqttSubscribePacket Subscribe)> WelcomeAsync(bool isSessionKnown, CancellationToken cancellation)
    {
        var connect = await ReceiveAsync<MqttConnectPacket>(cancellation);
        await SendAsync(new MqttConnAckPacket { IsSessionPresent = isSessionKnown }, cancellation);
        var subscribe = await ReceiveAsync<MqttSubscribePacket>(cancellation);
        await SendAsync(new MqttSubAckPacket
        {
            PacketIdentifier = subscribe.PacketIdentifier,
            ReasonCodes = [.. subscribe.TopicFilters.Select(filter => (MqttSubscribeReasonCode)filter.QualityOfServiceLevel)],
        }, cancellation);
        return (connect, subscribe);
    }

    public void Dispose()
    {
        _adapter.Dispose();
        _client.Dispose();
    }

    private static async Task<bool> HasSomethingAsync(Socket socket, CancellationToken cancellation)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1], SocketFlags.Peek, cancellation) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

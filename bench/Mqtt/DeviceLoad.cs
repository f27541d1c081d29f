using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MqttFigures;

/// <summary>
/// The process that publishes: connections that carry many devices each, MQTT 3.1.1 written by hand so that it takes as little as may be
/// of the cores that it shares with the platform. It reads how many messages to publish, a line each time, and answers with its processor time.
/// </summary>
internal static class DeviceLoad
{
    /// <summary>By which the program is told that it is the child.</summary>
    public const string Name = "device-load";

    public static async Task<int> RunAsync(string[] numbers)
    {
        var read = numbers.Select(text => int.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        var (port, devices, connections, window) = (read[0], read[1], read[2], read[3]);
        var all = new List<DeviceGateway>();
        for (var number = 0; number < connections; number++)
            all.Add(await DeviceGateway.ConnectAsync(port, number, devices, connections, window));
        using var here = Process.GetCurrentProcess();
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var messages = int.Parse(line, CultureInfo.InvariantCulture);
            here.Refresh();
            var used = here.TotalProcessorTime;
            await Task.WhenAll(all.Select((gateway, number) =>
                gateway.PublishAsync((messages / connections) + (number < messages % connections ? 1 : 0))));
            here.Refresh();
            Console.WriteLine((here.TotalProcessorTime - used).TotalSeconds.ToString(CultureInfo.InvariantCulture));
        }

        all.ForEach(static gateway => gateway.Dispose());
        return 0;
    }
}

/// <summary>One connection: publishes for its devices in turn, with so many messages unacknowledged, and counts PUBACKs.</summary>
internal sealed class DeviceGateway : IDisposable
{
    private const int PacketBytesMax = 128;

    private readonly Socket _socket;
    private readonly byte[][] _topics;
    private readonly int _window;
    private readonly byte[] _outgoing;
    private readonly byte[] _incoming = new byte[16 << 10];
    private long _sent, _acknowledged;

    private DeviceGateway(Socket socket, byte[][] topics, int window) =>
        (_socket, _topics, _window, _outgoing) = (socket, topics, window, new byte[window * PacketBytesMax]);

    public static async Task<DeviceGateway> ConnectAsync(int port, int number, int devices, int connections, int window)
    {
        var topics = Enumerable.Range(0, devices).Where(device => device % connections == number)
            .Select(device => Encoding.UTF8.GetBytes($"sensors/zone-{device % 10}/device-{device}/reading")).ToArray();
        if (topics.Length == 0) throw new ArgumentException("There are fewer devices than connections.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var id = Encoding.UTF8.GetBytes($"gateway-{number}");
        byte[] connect = [0x10, (byte)(12 + id.Length), 0, 4, .. "MQTT"u8, 4, 0, 0, 0, 0, (byte)id.Length, .. id];
        await socket.SendAsync(connect);
        var answer = new byte[4];
        for (var read = 0; read < answer.Length;) read += await socket.ReceiveAsync(answer.AsMemory(read));
        return answer[3] == 0 ? new DeviceGateway(socket, topics, window) : throw new InvalidOperationException("The broker refused.");
    }

    public async Task PublishAsync(int messages)
    {
        var end = _sent + messages;
        while (_acknowledged < end)
        {
            var bytes = 0;
            while (_sent < end && _sent - _acknowledged < _window) bytes += Write(_outgoing.AsSpan(bytes), _sent++);
            for (var done = 0; done < bytes;) done += await _socket.SendAsync(_outgoing.AsMemory(done, bytes - done));
            await ReceiveAsync();
        }
    }

    public void Dispose() => _socket.Dispose();

    private async ValueTask ReceiveAsync()
    {
        // PUBACKs have four bytes; the next expected one says whether the order is kept.
        var filled = 0;
        do
        {
            var read = await _socket.ReceiveAsync(_incoming.AsMemory(filled));
            if (read == 0) throw new InvalidOperationException("The broker closed the connection.");
            filled += read;
        }
        while (filled % 4 != 0);

        for (var at = 0; at < filled; at += 4)
        {
            var id = (_incoming[at + 2] << 8) | _incoming[at + 3];
            if (_incoming[at] != 0x40 || id != IdOf(_acknowledged))
                throw new InvalidOperationException($"Packet {_incoming[at]:x2} {id} came, a PUBACK for {IdOf(_acknowledged)} was to come.");
            _acknowledged++;
        }
    }

    private int Write(Span<byte> packet, long number)
    {
        var topic = _topics[number % _topics.Length];
        Span<byte> payload = stackalloc byte[48];
        var value = number % 1_000 / 10.0;
        _ = value.TryFormat(payload[10..], out var digits, "0.0", CultureInfo.InvariantCulture);
        "{\"value\": "u8.CopyTo(payload);
        payload[10 + digits] = (byte)'}';
        var payloadBytes = 11 + digits;
        var length = 2 + topic.Length + 2 + payloadBytes;
        (packet[0], packet[1], packet[2], packet[3]) = (0x32, (byte)length, 0, (byte)topic.Length);
        topic.CopyTo(packet[4..]);
        (packet[4 + topic.Length], packet[5 + topic.Length]) = ((byte)(IdOf(number) >> 8), (byte)IdOf(number));
        payload[..payloadBytes].CopyTo(packet[(6 + topic.Length)..]);
        return 2 + length;
    }

    private static int IdOf(long number) => (int)(number % 60_000) + 1;
}

using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Millrace.Crash.Mqtt;

/// <summary>
/// Stands between HiveMQ and the platform and counts how often HiveMQ delivered each message of quality 2, by the receiver's rules (MQTT 5,
/// section 4.3.3): a PUBLISH is the delivery of before when it has DUP and an id that is not released, of the same message, in a session
/// that goes on; else it is another one, and a receiver that takes it again does as it should.
/// </summary>
internal sealed class DeliveryRecorder : IDisposable
{
    private const int Publish = 3, Release = 6, ConnectAnswer = 2;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly MqttPlan _plan;
    private readonly byte[] _deliveries;
    private readonly Dictionary<ushort, int> _open = []; // the one session's ids that are not released; guarded by its own lock

    private volatile TaskCompletionSource _passing = new();

    public DeliveryRecorder(int target, MqttPlan plan)
    {
        (_target, _plan, _deliveries) = (target, plan, new byte[plan.Count]);
        _passing.SetResult();
        _listener.Start();
        Accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    private Task Accepting { get; }

    /// <summary>Keeps back what the broker sends, until <see cref="PassOn"/>: then it comes all at once.</summary>
    public void KeepBack() => _passing = new TaskCompletionSource();

    public void PassOn() => _passing.TrySetResult();

    /// <summary>How often the broker delivered a message of quality 2 as one that is to be taken.</summary>
    public int DeliveriesOf(int message) => _deliveries[message];

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(TcpClient platform)
    {
        using var toPlatform = platform;
        using var toBroker = new TcpClient();
        try
        {
            toPlatform.NoDelay = toBroker.NoDelay = true;
            await toBroker.ConnectAsync(IPAddress.Loopback, _target);
            var up = toPlatform.GetStream().CopyToAsync(toBroker.GetStream());
            await Task.WhenAny(up, WatchAsync(toBroker.GetStream(), toPlatform.GetStream()));
        }
        catch (Exception failure) when (failure is SocketException or IOException)
        {
            // One of the ends is gone; so is the connection.
        }
    }

    /// <summary>Passes on what the broker sends, packet by packet: one that the platform may not have got whole is counted before.</summary>
    private async Task WatchAsync(NetworkStream from, NetworkStream to)
    {
        var (buffer, filled) = (new byte[1 << 16], 0);
        while (true)
        {
            var read = await from.ReadAsync(buffer.AsMemory(filled));
            if (read == 0) return;
            filled += read;
            var used = 0;
            while (TrySplit(buffer.AsSpan(used, filled - used), out var headerBytes, out var bodyBytes))
            {
                See(buffer[used], buffer.AsSpan(used + headerBytes, bodyBytes));
                used += headerBytes + bodyBytes;
            }

            await _passing.Task;
            await to.WriteAsync(buffer.AsMemory(0, used));
            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
        }
    }

    private static bool TrySplit(ReadOnlySpan<byte> bytes, out int headerBytes, out int bodyBytes)
    {
        (headerBytes, bodyBytes) = (0, 0);
        for (var at = 1; at < Math.Min(bytes.Length, 5); at++)
        {
            bodyBytes |= (bytes[at] & 0x7f) << (7 * (at - 1));
            if ((bytes[at] & 0x80) != 0) continue;
            headerBytes = at + 1;
            return bytes.Length >= headerBytes + bodyBytes;
        }

        return false;
    }

    private void See(byte first, ReadOnlySpan<byte> body)
    {
        lock (_open)
        {
            switch (first >> 4)
            {
                case ConnectAnswer when (body[0] & 1) == 0:
                    _open.Clear();
                    break;
                case Release:
                    _open.Remove(BinaryPrimitives.ReadUInt16BigEndian(body));
                    break;
                case Publish when (first & 0b110) == 4:
                    SeePublish((first & 8) != 0, body);
                    break;
                default:
                    break;
            }
        }
    }

    private void SeePublish(bool isAgain, ReadOnlySpan<byte> body)
    {
        var topicBytes = BinaryPrimitives.ReadUInt16BigEndian(body);
        var device = Encoding.UTF8.GetString(body.Slice(2, topicBytes)).Split('/')[1];
        var id = BinaryPrimitives.ReadUInt16BigEndian(body[(2 + topicBytes)..]);
        var payload = body[(2 + topicBytes + 2)..];
        payload = payload[(1 + payload[0])..]; // properties shorter than 128 bytes: there are none
        var message = _plan.MessageOf(device, int.Parse(payload, CultureInfo.InvariantCulture));
        var isSame = isAgain && _open.TryGetValue(id, out var known) && known == message;
        _open[id] = message;
        if (!isSame) _deliveries[message]++;
    }
}

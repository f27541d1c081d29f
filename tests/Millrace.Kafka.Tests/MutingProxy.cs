using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Millrace.Kafka.Tests;

/// <summary>
/// Stands between clients and a broker and knows which requests pass. Once armed, a connection that carries records, or positions of a
/// transaction, gets no answer any more, until a client ends the transaction: the broker has done what the client is not told of.
/// </summary>
internal sealed class MutingProxy : IAsyncDisposable
{
    private const short Produce = 0, InitProducerId = 22, EndTxn = 26, TxnOffsetCommit = 28;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<Task> _connections = []; // the accepting loop's, and read when that has ended
    private readonly Task _accepting;
    private volatile bool _isArmed;
    private int _port;

    public MutingProxy()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => _listener.LocalEndpoint.ToString()!;

    /// <summary>Whether a connection was muted.</summary>
    public bool HasMuted { get; private set; }

    /// <summary>Whom it stands before.</summary>
    public void Target(int port) => _port = port;

    public void Arm() => _isArmed = true;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token)));
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException)
        {
            // It ends.
        }
    }

    private async Task ServeAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var broker = new TcpClient();
        try
        {
            await broker.ConnectAsync(IPAddress.Loopback, _port, _stopping.Token);
            var isMute = new StrongBox<bool>();
            var there = AskAsync(client.GetStream(), broker.GetStream(), isMute);
            var back = AnswerAsync(broker.GetStream(), client.GetStream(), isMute);
            await Task.WhenAny(there, back);
            client.Close();
            broker.Close();
            await Task.WhenAll(there, back);
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or IOException or ObjectDisposedException)
        {
            // One of them hung up.
        }
    }

    private async Task AskAsync(NetworkStream client, NetworkStream broker, StrongBox<bool> isMute)
    {
        var length = new byte[4];
        while (true)
        {
            await client.ReadExactlyAsync(length, _stopping.Token);
            var request = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
            await client.ReadExactlyAsync(request, _stopping.Token);
            var kind = BinaryPrimitives.ReadInt16BigEndian(request);
            if (kind is EndTxn or InitProducerId) _isArmed = false;
            if (_isArmed && kind is (Produce or TxnOffsetCommit))
            {
                isMute.Value = true;
                HasMuted = true;
            }

            await broker.WriteAsync(length, _stopping.Token);
            await broker.WriteAsync(request, _stopping.Token);
        }
    }

    private async Task AnswerAsync(NetworkStream broker, NetworkStream client, StrongBox<bool> isMute)
    {
        var bytes = new byte[1 << 16];
        while (true)
        {
            var count = await broker.ReadAsync(bytes, _stopping.Token);
            if (count == 0) return;
            if (!isMute.Value) await client.WriteAsync(bytes.AsMemory(0, count), _stopping.Token);
        }
    }
}

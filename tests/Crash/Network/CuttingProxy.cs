using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Millrace.Servers;

namespace Millrace.Crash.Network;

/// <summary>
/// A TCP proxy that, while it disturbs, picks one of its connections again and again and, some bytes further on in one of its directions,
/// cuts it, closes that direction alone, or holds its bytes back for a while. A message may end in the middle of its length. Thread safe.
/// </summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private const int PauseMilliseconds = 500; // between two disturbances, at most
    private const int BytesUntilMax = 300;

    private readonly TcpListener _listener;
    private readonly ConcurrentDictionary<int, ProxiedConnection> _connections = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Random _random;
    private readonly Task _accepting, _disturbing;
    private readonly int[] _counts = new int[Enum.GetValues<Disturbance>().Length];
    private volatile bool _isDisturbing;
    private volatile int _targetPort;
    private int _accepted;

    public CuttingProxy(int seed)
    {
        _random = new Random(seed);
        _listener = new TcpListener(IPAddress.Loopback, Ports.Free());
        _listener.Start();
        _accepting = Task.Run(AcceptAsync);
        _disturbing = Task.Run(DisturbAsync);
    }

    /// <summary>Where it listens.</summary>
    public string Address => $"{_listener.LocalEndpoint}";

    /// <summary>Whether it disturbs; not at first.</summary>
    public bool IsDisturbing
    {
        get => _isDisturbing;
        set => _isDisturbing = value;
    }

    /// <summary>What it did, in words.</summary>
    public string Account => string.Create(
        CultureInfo.InvariantCulture,
        $"{_accepted} connections, {Count(Disturbance.Reset)} reset, {Count(Disturbance.Close)} closed, " +
        $"{Count(Disturbance.HalfClose)} half closed, {Count(Disturbance.Delay)} delayed");

    /// <summary>How many connections it ended.</summary>
    public int Cuts => Count(Disturbance.Reset) + Count(Disturbance.Close) + Count(Disturbance.HalfClose);

    /// <summary>Where connections lead to. Before it is said they are refused.</summary>
    public void Target(int port) => _targetPort = port;

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await Task.WhenAll(_accepting, _disturbing);
        foreach (var connection in _connections.Values) connection.Cut(isReset: false);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptSocketAsync(_end.Token));
        }
        catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // It ends.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var number = Interlocked.Increment(ref _accepted);
        var broker = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var connection = new ProxiedConnection(client, broker, happened => Interlocked.Increment(ref _counts[(int)happened]));
        try
        {
            client.NoDelay = broker.NoDelay = true;
            await broker.ConnectAsync(IPAddress.Loopback, _targetPort, _end.Token);
            _connections[number] = connection;
            await connection.PumpAsync(_end.Token);
        }
        catch (Exception failure) when (failure is SocketException or OperationCanceledException or ArgumentException or ObjectDisposedException)
        {
            // The broker is away, or the proxy ends.
        }
        finally
        {
            _connections.TryRemove(number, out _);
            connection.Cut(isReset: false);
        }
    }

    private async Task DisturbAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(_random.Next(1, PauseMilliseconds), _end.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            if (!_isDisturbing || _connections.Values.ToArray() is not { Length: > 0 } live) continue;
            var disturbance = _random.Next(20) switch
            {
                < 7 => Disturbance.Reset,
                < 11 => Disturbance.Close,
                < 14 => Disturbance.HalfClose,
                _ => Disturbance.Delay,
            };
            live[_random.Next(live.Length)].Disturb(
                isTowardsBroker: _random.Next(2) == 0, disturbance, _random.Next(BytesUntilMax), TimeSpan.FromMilliseconds(_random.Next(50, 1_500)));
        }
    }

    private int Count(Disturbance disturbance) => Volatile.Read(ref _counts[(int)disturbance]);
}

/// <summary>What can be done to a connection.</summary>
internal enum Disturbance
{
    /// <summary>Both directions end at once, as when a machine dies and another answers in its place.</summary>
    Reset = 0,

    /// <summary>Both directions end as after an orderly close.</summary>
    Close = 1,

    /// <summary>One direction ends, the other one some time later.</summary>
    HalfClose = 2,

    /// <summary>One direction stands still for some time.</summary>
    Delay = 3,
}

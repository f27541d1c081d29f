using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Adapter;
using MQTTnet.Diagnostics.Logger;
using MQTTnet.Formatter;
using MQTTnet.Server;

namespace Millrace.Mqtt.Links;

/// <summary>
/// Accepts devices for MQTTnet's server and gives it a <see cref="DeviceConnection"/> for each, where its own listener would give a plain
/// one.
/// </summary>
internal sealed class DeviceListener(EmbeddedBroker broker, MqttSourceOptions options) : IMqttServerAdapter
{
    private static readonly TimeSpan HandshakeMax = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private Socket? _socket;
    private Task _accepting = Task.CompletedTask;

    public Func<IMqttChannelAdapter, Task>? ClientHandler { get; set; }

    /// <summary>Where it listens, once it does.</summary>
    public int Port { get; private set; }

    public Task StartAsync(MqttServerOptions options, IMqttNetLogger logger)
    {
        var socket = new Socket(Broker.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(Broker.Address, Broker.Port));
            socket.Listen();
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        _socket = socket;
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        _accepting = Run(() => AcceptAsync(socket));
        return Task.CompletedTask;
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        _socket?.Dispose();
        await _accepting;
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _stop.Dispose();
    }

    private MqttBrokerOptions Broker => options.Broker;

    private Task Run(Func<Task> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, options.Scheduler).Unwrap();

    private async Task AcceptAsync(Socket socket)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var device = await socket.AcceptAsync(_stop.Token);
                _ = Run(() => ServeAsync(device));
            }
            catch (Exception failure) when (failure is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // One that gave up while it was accepted, or no handle is free: the next may do better.
                if (!_stop.IsCancellationRequested)
                    await Task.Delay(options.RestartBackoffMin, options.Time, _stop.Token).ContinueWith(
                        static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }

    /// <summary>The edge of a connection: what ends it is its own, and the server has said what there is to say.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The edge of a connection.")]
    private async Task ServeAsync(Socket device)
    {
        using (device)
        {
            try
            {
                device.NoDelay = true;
                await using var stream = new NetworkStream(device);
                if (Broker.Certificate is not { } certificate)
                {
                    await HandleAsync(device, stream, isEncrypted: false);
                    return;
                }

                await using var encrypted = new SslStream(stream);
                await EncryptAsync(encrypted, certificate);
                await HandleAsync(device, encrypted, isEncrypted: true);
            }
            catch (Exception)
            {
                // The connection is closed.
            }
        }
    }

    private async Task EncryptAsync(SslStream encrypted, X509Certificate2 certificate)
    {
        using var deadline = new CancellationTokenSource(HandshakeMax, options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, _stop.Token);
        await encrypted.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, both.Token);
    }

    private async Task HandleAsync(Socket device, Stream stream, bool isEncrypted)
    {
        using var channel = new DeviceChannel(stream, device.LocalEndPoint, device.RemoteEndPoint, isEncrypted);
        var formatter = new MqttPacketFormatterAdapter(new MqttBufferWriter(4 << 10, 64 << 10));
        using var packets = new MqttChannelAdapter(channel, formatter, MqttNetNullLogger.Instance);
        await using var connection = new DeviceConnection(broker, options, channel, packets);
        if (ClientHandler is { } handle) await handle(connection);
    }
}

using System.Buffers;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using MQTTnet.Channel;

namespace Millrace.Mqtt.Links;

/// <summary>
/// The bytes of a device's connection. They are read in large pieces, and what is written is gathered until <see cref="FlushAsync"/>: many
/// small packets cost one call of the system. Reading is for one caller; writing and flushing for any.
/// </summary>
internal sealed class DeviceChannel(Stream stream, EndPoint? local, EndPoint? remote, bool isEncrypted) : IMqttChannel, IDisposable
{
    private const int ReadBytes = 8 << 10, GatheredBytesMax = 32 << 10;

    private readonly byte[] _read = new byte[ReadBytes];
    private readonly SemaphoreSlim _sending = new(1); // held by who writes to the stream, with the buffer that is being written
    private readonly Lock _lock = new(); // guards the buffer that gathers
    private ArrayBufferWriter<byte> _gathering = new(1 << 10);
    private ArrayBufferWriter<byte> _spare = new(1 << 10);
    private int _taken, _filled;

    public X509Certificate2? ClientCertificate => null;

    public EndPoint? RemoteEndPoint => remote;

    public EndPoint? LocalEndPoint => local;

    public bool IsSecureConnection => isEncrypted;

    public Task ConnectAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DisconnectAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public async Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        if (_taken == _filled)
        {
            (_taken, _filled) = (0, 0);
            if (count >= ReadBytes) return await stream.ReadAsync(buffer.AsMemory(offset, count), cancellationToken);
            _filled = await stream.ReadAsync(_read, cancellationToken);
        }

        var bytes = Math.Min(count, _filled - _taken);
        _read.AsSpan(_taken, bytes).CopyTo(buffer.AsSpan(offset));
        _taken += bytes;
        return bytes;
    }

    public Task WriteAsync(ReadOnlySequence<byte> buffer, bool isEndOfPacket, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            foreach (var piece in buffer) _gathering.Write(piece.Span);
            if (_gathering.WrittenCount < GatheredBytesMax) return Task.CompletedTask;
        }

        return FlushAsync(cancellationToken);
    }

    public async Task FlushAsync(CancellationToken cancellation)
    {
        await _sending.WaitAsync(cancellation);
        try
        {
            lock (_lock)
            {
                if (_gathering.WrittenCount == 0) return;
                (_gathering, _spare) = (_spare, _gathering);
            }

            await stream.WriteAsync(_spare.WrittenMemory, cancellation);
            _spare.ResetWrittenCount();
        }
        finally
        {
            _sending.Release();
        }
    }

    public void Dispose() => stream.Dispose();
}

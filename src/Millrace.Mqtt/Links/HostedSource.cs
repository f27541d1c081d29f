using Microsoft.Extensions.Hosting;

namespace Millrace.Mqtt.Links;

/// <summary>Runs a source for a host. The source is made when the host starts it: before, there is no engine.</summary>
internal sealed class HostedSource(Func<MqttSource> make) : IHostedService, IAsyncDisposable
{
    private MqttSource? _source;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _source = make();
        await _source.StartAsync(cancellationToken);
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_source is not null) await _source.DisposeAsync();
    }
}

using System.Text;
using System.Text.Json;
using Millrace;
using Millrace.Mqtt;
using Sensors.View;

namespace Sensors.Simulation;

/// <summary>
/// Brings life in once the platform runs: simulated devices, or a replay, after which it ends the program when that was asked for. Owned by
/// the host.
/// </summary>
internal sealed class SimulationHost(
    IServiceProvider services, SensorsOptions options, IHostApplicationLifetime lifetime, SensorsConsole console, TimeProvider time)
    : BackgroundService
{
    private readonly TaskCompletionSource<MqttServerAddress> _server = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Where devices publish to, once it is known.</summary>
    public Task<MqttServerAddress> Server => _server.Task;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var server = EngineChoice.AddressOf(options);
        if (options.MqttServer is null)
        {
            var source = services.GetRequiredKeyedService<MqttSource>(EngineChoice.MqttSourceName);
            server = server with { Port = await source.Ready.WaitAsync(stoppingToken) };
        }

        _server.TrySetResult(server);
        if (options.IsReplay) await ReplayAsync(server, stoppingToken);
        else if (options.SimulatedDevices > 0) await new SimulatedFleet(options, time).RunAsync(server, stoppingToken);
    }

    private async Task ReplayAsync(MqttServerAddress server, CancellationToken cancellation)
    {
        var replay = new SeriesReplay(options, time);
        await replay.RunAsync(server, cancellation);
        await services.GetRequiredService<ProcessorRuntime>().WaitUntilIdleAsync(cancellation);
        await services.GetRequiredService<ViewReader>().CatchUpAsync(cancellation);
        var report = await services.GetRequiredService<StatsSource>().ReportAsync(replay.MalformedLines, cancellation);
        if (!options.ExitsWhenDone)
        {
            console.WriteMessage($"The replay is done: {report.Readings} readings.");
            return;
        }

        console.WriteResult(Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(report, PlainJson.Api.RunReport)));
        lifetime.StopApplication();
    }
}

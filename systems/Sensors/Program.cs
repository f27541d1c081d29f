using Millrace;
using Millrace.Streams;
using Sensors.Alerts;
using Sensors.Api;
using Sensors.Devices;
using Sensors.Live;
using Sensors.Readings;
using Sensors.Simulation;
using Sensors.Store;
using Sensors.View;

namespace Sensors;

/// <summary>The composition root: which engine, which broker, which store, which doors.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args) => await SensorsRun.RunAsync(args, SensorsConsole.Standard);

    /// <summary>The platform, ready to start.</summary>
    public static WebApplication Build(SensorsOptions options, SensorsConsole console)
    {
        Directory.CreateDirectory(options.DataDirectory);
        var builder = SystemRun.CreateBuilder(options.Urls, SensorsRun.BodyBytesMax, SensorsRun.Farewell, PlainJson.Api);
        var services = builder.Services;
        services.AddOpenApi();
        var events = Topology.Events();
        services.AddSingleton(options);
        services.AddSingleton(console);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(events);
        services.AddReadingStore(options);

        // devices -> MQTT -> sensors.raw -> rules -> sensors.validated -> minutes, enriched -> sensors.enriched
        //                                                              -> watch of each device -> alerts.triggered -> MQTT, page
        // sensors.validated and sensors.enriched -> time-series store
        services.AddMillrace(millrace => millrace
            .UseEngine(options)
            .AddSensorTopics(options.Partitions)
            .AddStreams(Topology.Name, (topology, provider) => Topology.Define(
                topology, events, options.IsReplay ? ClockBounds.Replay : ClockBounds.Live, options.IsReplay,
                provider.GetRequiredService<TimeProvider>()))
            .AddReadingSinks(options)
            .AddMqtt(options));

        services.AddSingleton<SensorsView>();
        services.AddSingleton<StatsSource>();
        services.AddSingleton<LiveSocket>();
        services.AddSingleton<Readiness>();
        services.AddSingleton(provider => new EventPublisher(
            events, Topology.Source, provider.GetRequiredService<TimeProvider>(), () => $"evt-{Guid.CreateVersion7():N}"));
        services.AddSingleton(provider => new ViewReader(
            provider.GetRequiredService<Engine>, events, provider.GetRequiredService<SensorsView>(),
            provider.GetRequiredService<ILogger<ViewReader>>()));
        services.AddHostedService(provider => provider.GetRequiredService<ViewReader>());
        services.AddSingleton(provider => new DescribeDevice(
            provider.GetRequiredService<Engine>, provider.GetRequiredService<EventPublisher>(), provider.GetRequiredService<ViewReader>()));
        services.AddSingleton(provider => new TakeOnAlert(
            provider.GetRequiredService<Engine>, provider.GetRequiredService<EventPublisher>(), provider.GetRequiredService<SensorsView>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SimulationHost>();
        services.AddHostedService(provider => provider.GetRequiredService<SimulationHost>());

        var app = builder.Build();
        app.UseProblemDetails("The platform");
        app.MapHealth("Platform", "Whether everything runs", provider => provider.GetRequiredService<Readiness>().Look());
        app.UseWebSockets();
        app.UseDefaultFiles();
        app.UseStaticFiles();
        app.MapOpenApi();
        app.MapDevices();
        app.MapAlerts();
        app.MapPlatform();
        return app;
    }
}

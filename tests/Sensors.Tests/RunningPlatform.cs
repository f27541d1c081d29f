using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Millrace;
using Sensors.Readings;
using Sensors.Simulation;
using Sensors.View;

namespace Sensors.Tests;

/// <summary>A whole platform in this process, on ports and a folder of its own, with an HTTP client and a device that publishes.</summary>
internal sealed class RunningPlatform : IAsyncDisposable
{
    private readonly TemporaryFolder? _owned;
    private readonly WebApplication _app;

    private RunningPlatform(WebApplication app, TemporaryFolder? owned, Uri address)
    {
        (_app, _owned) = (app, owned);
        Http = new HttpClient { BaseAddress = address };
    }

    public static CancellationToken Patience => TestContext.Current.CancellationToken;

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    public SensorsView View => Services.GetRequiredService<SensorsView>();

    public ProcessorRuntime Runtime => Services.GetRequiredService<ProcessorRuntime>();

    /// <summary>Starts a platform without simulated devices, with four partitions, unless the options say otherwise.</summary>
    public static async Task<RunningPlatform> StartAsync(
        Func<SensorsOptions, SensorsOptions>? change = null, TemporaryFolder? folder = null, StringWriter? output = null)
    {
        var owned = folder is null ? new TemporaryFolder() : null;
        var options = new SensorsOptions
        {
            Urls = ["http://127.0.0.1:0"],
            DataDirectory = (folder ?? owned!).Path,
            MqttPort = 0,
            Partitions = 4,
            Devices = 0,
        };
        output ??= new StringWriter();
        var app = Program.Build(change?.Invoke(options) ?? options, new SensorsConsole(output, output));
        await app.StartAsync(Patience);
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var platform = new RunningPlatform(app, owned, new Uri(address));
        await app.Services.GetRequiredService<ViewReader>().Opened.WaitAsync(Patience);
        return platform;
    }

    /// <summary>Publishes readings over MQTT and waits until all that follows from them is done and in the view.</summary>
    public async Task SendAsync(params SensorReading[] readings)
    {
        await using var publisher = new DevicePublisher(
            await Services.GetRequiredService<SimulationHost>().Server.WaitAsync(Patience), "test-gateway", TimeProvider.System);
        await publisher.PublishAsync(readings, Patience);
        await SettleAsync();
    }

    public async Task SettleAsync()
    {
        await Runtime.WaitUntilIdleAsync(Patience);
        await Services.GetRequiredService<ViewReader>().CatchUpAsync(Patience);
    }

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(await Http.GetByteArrayAsync(path, Patience), type)!;

    public async Task<T> PutAsync<T>(string path, string json, JsonTypeInfo<T> type)
    {
        using var answer = await Http.PutAsync(path, Json(json), Patience);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync(type, Patience))!;
    }

    public Task<HttpResponseMessage> PostAsync(string path, string json) => Http.PostAsync(path, Json(json), Patience);

    public static async Task<ProblemAnswer> ProblemAsync(HttpResponseMessage answer)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        return (await answer.Content.ReadFromJsonAsync<ProblemAnswer>(Patience))!;
    }

    public static StringContent Json(string json) => new(json, System.Text.Encoding.UTF8, "application/json");

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _owned?.Dispose();
    }
}

/// <summary>A folder that is gone at the end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("millrace-sensors-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

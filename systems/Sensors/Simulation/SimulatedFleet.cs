using Millrace.Mqtt;
using Sensors.Readings;

namespace Sensors.Simulation;

/// <summary>
/// Many devices behind a few gateways, which publish over MQTT as real ones would. Owned by <see cref="SimulationHost"/>.
/// </summary>
internal sealed class SimulatedFleet(SensorsOptions options, TimeProvider time)
{
    private const int DevicesPerGateway = 250;
    private const int GatewaysMax = 40;

    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(50);

    /// <summary>Publishes until it is cancelled.</summary>
    public async Task RunAsync(MqttServerAddress server, CancellationToken cancellation)
    {
        var started = time.GetUtcNow();
        var devices = Enumerable.Range(0, options.SimulatedDevices)
            .Select(number => new SimulatedDevice(number, options.Seed, started)).ToArray();
        var gateways = Math.Clamp((devices.Length + DevicesPerGateway - 1) / DevicesPerGateway, 1, GatewaysMax);
        var period = TimeSpan.FromSeconds(devices.Length / (options.Rate ?? devices.Length));
        await Task.WhenAll(Enumerable.Range(0, gateways).Select(gateway => RunGatewayAsync(
            server, gateway, [.. devices.Where((_, number) => number % gateways == gateway)], period, cancellation)));
    }

    /// <summary>
    /// Each device measures once a period, all of them spread over it. What is due is sent together; a gateway that falls behind sends more
    /// at once, with the time at which it was measured.
    /// </summary>
    private async Task RunGatewayAsync(
        MqttServerAddress server, int gateway, SimulatedDevice[] devices, TimeSpan period, CancellationToken cancellation)
    {
        await using var publisher = new DevicePublisher(server, $"simulated-gateway-{gateway}", time);
        using var beats = new PeriodicTimer(Beat, time);
        var start = time.GetUtcNow();
        var step = period / devices.Length;
        var sent = new List<SensorReading>();
        long next = 0;
        while (await beats.WaitForNextTickAsync(cancellation))
        {
            var now = time.GetUtcNow();
            sent.Clear();
            for (; start + (step * next) <= now; next++) devices[next % devices.Length].Measure(start + (step * next), sent);
            await publisher.PublishAsync(sent, cancellation);
        }
    }
}

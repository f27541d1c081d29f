using System.Globalization;
using Millrace;
using Sensors.Api;
using Sensors.Readings;
using Sensors.View;

namespace Sensors.Devices;

/// <summary>Says what people know of a device. It counts for readings that are worked on after it. Thread safe.</summary>
internal sealed class DescribeDevice(Func<Engine> engine, EventPublisher publisher, ViewReader reader)
{
    private const double SilentAfterMax = 31_536_000; // a year

    /// <summary>What is wrong with a description; empty when nothing is.</summary>
    public static FieldErrors Check(string device, DeviceRequest request)
    {
        var errors = new FieldErrors();
        if (!SensorLimits.IsDevice(device))
            errors.Add("deviceId", $"is '{FieldErrors.Show(device)}'; it must be 1 to 64 of [A-Za-z0-9._:-]");
        DemandText(errors, "name", request.Name);
        DemandText(errors, "model", request.Model);
        DemandText(errors, "zone", request.Zone);
        DemandFinite(errors, "low", request.Low);
        DemandFinite(errors, "high", request.High);
        DemandFinite(errors, "criticalLow", request.CriticalLow);
        DemandFinite(errors, "criticalHigh", request.CriticalHigh);
        DemandOrder(errors, "low", request.Low, "high", request.High);
        DemandOrder(errors, "criticalLow", request.CriticalLow, "low", request.Low);
        DemandOrder(errors, "high", request.High, "criticalHigh", request.CriticalHigh);
        DemandOrder(errors, "criticalLow", request.CriticalLow, "criticalHigh", request.CriticalHigh);
        if (request.SilentAfterSeconds is { } seconds && !(seconds >= 1 && seconds <= SilentAfterMax))
            errors.Add("silentAfterSeconds", $"is {seconds}; it must be from 1 to {SilentAfterMax}");
        return errors;
    }

    /// <summary>Publishes a description, and returns when it is durable and the view of this process shows it.</summary>
    public async ValueTask ExecuteAsync(string device, DeviceRequest request, CancellationToken cancellation)
    {
        var published = await publisher.PublishAsync(engine(), new DeviceDescribed
        {
            DeviceId = device,
            Name = request.Name,
            Model = request.Model,
            Zone = request.Zone,
            Low = request.Low,
            High = request.High,
            CriticalLow = request.CriticalLow,
            CriticalHigh = request.CriticalHigh,
            SilentAfterSeconds = request.SilentAfterSeconds,
        }, cancellation: cancellation);
        await reader.WaitAsync(published.Target, published.Offset + 1, cancellation);
    }

    private static void DemandText(FieldErrors errors, string field, string? value)
    {
        if (value is null) return;
        if (string.IsNullOrWhiteSpace(value)) errors.Add(field, "must not be empty; leave it out for none");
        else if (value.Length > SensorLimits.NameLengthMax)
            errors.Add(field, $"has {value.Length} characters; at most {SensorLimits.NameLengthMax} are possible");
        else if (value.Any(c => char.IsControl(c) || char.IsSurrogate(c))) errors.Add(field, "holds a character that names cannot have");
    }

    private static void DemandFinite(FieldErrors errors, string field, double? value)
    {
        if (value is { } present && !double.IsFinite(present))
            errors.Add(field, $"is {present.ToString(CultureInfo.InvariantCulture)}; it must be a number of double precision");
    }

    private static void DemandOrder(FieldErrors errors, string lesser, double? low, string greater, double? high)
    {
        if (low >= high) errors.Add(lesser, $"is {low}; it must be below {greater}, which is {high}");
    }
}

using System.Globalization;
using Sensors.Readings;

namespace Sensors.Simulation;

/// <summary>
/// A device that behaves like one: a daily course, noise, drift, spikes, gaps, late and doubled readings, wrong ones, a battery that runs
/// down and is changed. What it does follows from its seed. Not thread safe.
/// </summary>
internal sealed class SimulatedDevice
{
    private const double SpikeChance = 0.0003;
    private const double SpikeEndChance = 0.05;
    private const double GapChance = 0.0003;
    private const double DriftChance = 0.0005;
    private const double DriftEndChance = 0.002;
    private const double DoubleChance = 0.005;
    private const double WrongChance = 0.002;

    /// <summary>Late by up to 20 seconds, which the order takes in part, and sometimes by minutes, which nothing takes.</summary>
    private const double LateChance = 0.01;
    private const double VeryLateChance = 0.0005;

    private static readonly Kind[] Kinds =
    [
        new("temperature", "celsius", 21, 4, 0.15, 30),
        new("humidity", "percent", 45, 10, 0.5, 55),
        new("pressure", "hectopascal", 1_013, 4, 0.2, -80),
        new("vibration", "millimetre-per-second", 2.5, 0.5, 0.2, 8),
        new("power", "kilowatt", 40, 15, 0.8, 55),
    ];

    private static readonly string[] Zones = ["warehouse-a", "warehouse-b", "warehouse-c", "production", "cold-store", "yard"];

    private readonly Random _random;
    private readonly Kind _kind;
    private readonly Place _place;
    private readonly double _phase;
    private readonly string _run;
    private long _number;
    private long _silentUntil;
    private double _drift;
    private double _driftStep;
    private bool _isSpiking;
    private double _battery;

    /// <summary>A device of a fleet.</summary>
    /// <param name="number">Which, from 0.</param>
    /// <param name="seed">The fleet's seed.</param>
    /// <param name="started">When the run started: ids of another run are others.</param>
    public SimulatedDevice(int number, int seed, DateTimeOffset started)
    {
        _random = new Random(HashOf(seed, number));
        Id = string.Create(CultureInfo.InvariantCulture, $"sensor-{number + 1:000}");
        Zone = Zones[number % Zones.Length];
        _kind = Kinds[number / Zones.Length % Kinds.Length];
        _place = new Place(
            Math.Round(47.6 + (number % Zones.Length * 0.002) + (_random.NextDouble() * 0.0015), 6),
            Math.Round(-122.33 + (_random.NextDouble() * 0.0015), 6));
        _phase = _random.NextDouble();
        _battery = 20 + (_random.NextDouble() * 80);
        _run = started.ToUnixTimeMilliseconds().ToString("x", CultureInfo.InvariantCulture);
    }

    /// <summary>The device's id.</summary>
    public string Id { get; }

    /// <summary>Where it is.</summary>
    public string Zone { get; }

    /// <summary>What it sends now: mostly one reading, sometimes none or two.</summary>
    /// <param name="now">The clock.</param>
    /// <param name="sent">Where its readings go.</param>
    public void Measure(DateTimeOffset now, List<SensorReading> sent)
    {
        var time = now.ToUnixTimeMilliseconds();
        _battery -= 0.0005 * _random.NextDouble();
        if (_battery < 4) _battery = 100; // somebody changed it
        if (time < _silentUntil) return;
        if (_random.NextDouble() < GapChance)
        {
            _silentUntil = time + _random.NextInt64(70_000, 180_000);
            return;
        }

        var reading = Reading(time);
        sent.Add(reading);
        if (_random.NextDouble() < DoubleChance) sent.Add(reading);
    }

    private SensorReading Reading(long time)
    {
        var late = _random.NextDouble() < VeryLateChance ? _random.NextInt64(120_000, 300_000)
            : _random.NextDouble() < LateChance ? _random.NextInt64(0, 20_000) : 0;
        var (unit, value) = (_kind.Unit, Math.Round(Value(time), 3));
        if (_random.NextDouble() < WrongChance)
            (unit, value) = _random.Next(2) == 0 ? ("unknown", value) : (unit, 1_000_000);
        return new SensorReading
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{Id}-{_run}-{_number++}"),
            DeviceId = Id,
            SensorType = _kind.Type,
            Value = value,
            Unit = unit,
            Location = _place,
            Zone = Zone,
            BatteryLevel = Math.Round(_battery, 1),
            SignalStrength = -45 - _random.Next(45),
            Time = time - late,
        };
    }

    private double Value(long time)
    {
        if (_driftStep == 0 && _random.NextDouble() < DriftChance) _driftStep = _kind.Noise * (_random.Next(2) == 0 ? 0.05 : -0.05);
        else if (_driftStep != 0 && _random.NextDouble() < DriftEndChance) (_driftStep, _drift) = (0, 0);
        _drift += _driftStep;
        _isSpiking = _isSpiking ? _random.NextDouble() > SpikeEndChance : _random.NextDouble() < SpikeChance;
        var day = Math.Sin(((time / 86_400_000.0) + _phase) * 2 * Math.PI);
        var noise = (_random.NextDouble() + _random.NextDouble() + _random.NextDouble() - 1.5) * 2 * _kind.Noise;
        return _kind.Mean + (_kind.Course * day) + noise + _drift + (_isSpiking ? _kind.Spike : 0);
    }

    private static int HashOf(int seed, int number) => unchecked((seed * 16_777_619) ^ (number * 668_265_263));

    private sealed record Kind(string Type, string Unit, double Mean, double Course, double Noise, double Spike);
}

namespace Sensors.Readings;

/// <summary>
/// Limits beyond which a value alerts. Null stands for none. Thread safe.
/// </summary>
internal readonly record struct AlertLimits(double? CriticalLow, double? Low, double? High, double? CriticalHigh);

/// <summary>What is known of a sensor type: what it can measure, and what is unusual. Immutable.</summary>
internal sealed record SensorRules
{
    /// <summary>The types that are known; any other is <see cref="Generic"/>.</summary>
    private static readonly Dictionary<string, SensorRules> Known = new SensorRules[]
    {
        new()
        {
            Type = "temperature", Units = ["celsius"], Minimum = -60, Maximum = 150,
            Limits = new AlertLimits(-10, 0, 35, 45), Hysteresis = 1, RateMax = 10, SilentAfter = TimeSpan.FromMinutes(1),
        },
        new()
        {
            Type = "humidity", Units = ["percent"], Minimum = 0, Maximum = 100,
            Limits = new AlertLimits(10, 20, 80, 95), Hysteresis = 2, RateMax = 40, SilentAfter = TimeSpan.FromMinutes(1),
        },
        new()
        {
            Type = "pressure", Units = ["hectopascal"], Minimum = 300, Maximum = 1_200,
            Limits = new AlertLimits(930, 960, 1_050, 1_070), Hysteresis = 2, RateMax = 20, SilentAfter = TimeSpan.FromMinutes(1),
        },
        new()
        {
            Type = "vibration", Units = ["millimetre-per-second"], Minimum = 0, Maximum = 200,
            Limits = new AlertLimits(null, null, 7.1, 11.2), Hysteresis = 0.5, RateMax = 30, SilentAfter = TimeSpan.FromMinutes(1),
        },
        new()
        {
            Type = "power", Units = ["kilowatt"], Minimum = 0, Maximum = 10_000,
            Limits = new AlertLimits(null, null, 80, 100), Hysteresis = 3, RateMax = 120, SilentAfter = TimeSpan.FromMinutes(1),
        },
    }.ToDictionary(rules => rules.Type, StringComparer.Ordinal);

    /// <summary>
    /// A sensor of which nothing is known: any finite value in any unit, no limits; what is unusual is learnt from the device itself.
    /// </summary>
    public static SensorRules Generic { get; } = new()
    {
        Type = "generic", Units = [], Minimum = double.MinValue, Maximum = double.MaxValue,
    };

    /// <summary>The type.</summary>
    public required string Type { get; init; }

    /// <summary>The units that it may be in; empty for any.</summary>
    public required IReadOnlyList<string> Units { get; init; }

    /// <summary>The least value that such a sensor can measure.</summary>
    public required double Minimum { get; init; }

    /// <summary>The greatest value that such a sensor can measure.</summary>
    public required double Maximum { get; init; }

    /// <summary>Where it alerts.</summary>
    public AlertLimits Limits { get; init; }

    /// <summary>How far back within a limit a value must come before its alert is over.</summary>
    public double Hysteresis { get; init; }

    /// <summary>The fastest change that is usual, a minute; null for any.</summary>
    public double? RateMax { get; init; }

    /// <summary>After what time without a reading a device is silent; null for what it lets one expect.</summary>
    public TimeSpan? SilentAfter { get; init; }

    /// <summary>The rules of a type.</summary>
    public static SensorRules Of(string type) => Known.GetValueOrDefault(type, Generic);
}

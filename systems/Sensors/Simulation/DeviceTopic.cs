namespace Sensors.Simulation;

/// <summary>The MQTT topics of devices.</summary>
internal static class DeviceTopic
{
    /// <summary>What is taken: the device is the last but one level.</summary>
    public const string Pattern = "devices/{device}/readings";

    /// <summary>A device's topic.</summary>
    public static string Of(string device) => $"devices/{device}/readings";

    /// <summary>Where alerts are published.</summary>
    public const string Alerts = "alerts/{key}";
}

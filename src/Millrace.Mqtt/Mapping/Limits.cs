namespace Millrace.Mqtt.Mapping;

/// <summary>Refuses options outside of their limits, by name and value.</summary>
internal static class Limits
{
    public static void Check(string name, long value, long min, long max)
    {
        if (value < min || value > max) throw new ArgumentException($"{name} is {value}; {min} to {max} is possible.");
    }

    public static void Check(string name, TimeSpan value, TimeSpan min, TimeSpan max)
    {
        if (value < min || value > max) throw new ArgumentException($"{name} is {value}; {min} to {max} is possible.");
    }
}

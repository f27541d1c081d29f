using System.Buffers;
using Millrace.Streams;
using Sensors.Readings;

namespace Sensors.Averages;

/// <summary>The readings of a device and a minute so far. Changed in place by the aggregate that owns it.</summary>
internal sealed class MinuteOfReadings
{
    private const int NumbersBytes = 6 * 8;

    public long Count { get; set; }

    public double Min { get; set; }

    public double Max { get; set; }

    public double Sum { get; set; }

    public double Last { get; set; }

    public long LastTime { get; set; }

    public string SensorType { get; set; } = "";

    public string Unit { get; set; } = "";

    public string Zone { get; set; } = "";

    /// <summary>
    /// How it is kept: six numbers of 8 bytes, most significant first, then three texts, each behind its length in a byte.
    /// </summary>
    public static StateCodec<MinuteOfReadings> Codec { get; } = new(1, Write, Read);

    private static void Write(MinuteOfReadings minute, IBufferWriter<byte> output)
    {
        var bytes = new StateBytesWriter(output, NumbersBytes + (3 * StateBytesWriter.TextBytesMax));
        bytes.Put(minute.Count);
        bytes.Put(minute.Min);
        bytes.Put(minute.Max);
        bytes.Put(minute.Sum);
        bytes.Put(minute.Last);
        bytes.Put(minute.LastTime);
        bytes.Put(minute.SensorType);
        bytes.Put(minute.Unit);
        bytes.Put(minute.Zone);
        bytes.Close();
    }

    private static MinuteOfReadings Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new StateBytesReader(bytes);
        return new MinuteOfReadings
        {
            Count = reader.Whole(),
            Min = reader.Real(),
            Max = reader.Real(),
            Sum = reader.Real(),
            Last = reader.Real(),
            LastTime = reader.Whole(),
            SensorType = reader.Text(),
            Unit = reader.Text(),
            Zone = reader.Text(),
        };
    }
}

/// <summary>Count, least, greatest, mean and last of a window's readings: no allocation per reading.</summary>
internal sealed class AverageReadings : IAggregate<SensorReading, MinuteOfReadings, MinuteOfReadings>
{
    /// <inheritdoc/>
    public MinuteOfReadings Create() => new() { Min = double.PositiveInfinity, Max = double.NegativeInfinity, LastTime = long.MinValue };

    /// <inheritdoc/>
    public MinuteOfReadings Add(MinuteOfReadings accumulator, SensorReading value)
    {
        accumulator.Count++;
        accumulator.Min = Math.Min(accumulator.Min, value.Value);
        accumulator.Max = Math.Max(accumulator.Max, value.Value);
        accumulator.Sum += value.Value;
        if (value.Time >= accumulator.LastTime)
        {
            accumulator.Last = value.Value;
            accumulator.LastTime = value.Time;
            accumulator.SensorType = value.SensorType;
            accumulator.Unit = value.Unit;
            accumulator.Zone = value.Zone;
        }

        return accumulator;
    }

    /// <inheritdoc/>
    public MinuteOfReadings Merge(MinuteOfReadings left, MinuteOfReadings right) =>
        throw new NotSupportedException("Minutes of tumbling windows are never merged.");

    /// <inheritdoc/>
    public MinuteOfReadings Result(MinuteOfReadings accumulator) => accumulator;
}

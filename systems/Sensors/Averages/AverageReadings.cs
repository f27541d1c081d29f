using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Millrace.Streams;
using Sensors.Readings;

namespace Sensors.Averages;

/// <summary>The readings of a device and a minute so far. Changed in place by the aggregate that owns it.</summary>
internal sealed class MinuteOfReadings
{
    private const int FixedBytes = 48;

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
        var bytes = output.GetSpan(FixedBytes + (3 * (1 + (SensorLimits.NameLengthMax * 3))));
        BinaryPrimitives.WriteInt64BigEndian(bytes, minute.Count);
        BinaryPrimitives.WriteDoubleBigEndian(bytes[8..], minute.Min);
        BinaryPrimitives.WriteDoubleBigEndian(bytes[16..], minute.Max);
        BinaryPrimitives.WriteDoubleBigEndian(bytes[24..], minute.Sum);
        BinaryPrimitives.WriteDoubleBigEndian(bytes[32..], minute.Last);
        BinaryPrimitives.WriteInt64BigEndian(bytes[40..], minute.LastTime);
        var at = FixedBytes;
        WriteText(bytes, ref at, minute.SensorType);
        WriteText(bytes, ref at, minute.Unit);
        WriteText(bytes, ref at, minute.Zone);
        output.Advance(at);
    }

    private static MinuteOfReadings Read(ReadOnlySpan<byte> bytes)
    {
        var at = FixedBytes;
        return new MinuteOfReadings
        {
            Count = BinaryPrimitives.ReadInt64BigEndian(bytes),
            Min = BinaryPrimitives.ReadDoubleBigEndian(bytes[8..]),
            Max = BinaryPrimitives.ReadDoubleBigEndian(bytes[16..]),
            Sum = BinaryPrimitives.ReadDoubleBigEndian(bytes[24..]),
            Last = BinaryPrimitives.ReadDoubleBigEndian(bytes[32..]),
            LastTime = BinaryPrimitives.ReadInt64BigEndian(bytes[40..]),
            SensorType = ReadText(bytes, ref at),
            Unit = ReadText(bytes, ref at),
            Zone = ReadText(bytes, ref at),
        };
    }

    private static void WriteText(Span<byte> bytes, ref int at, string text)
    {
        var length = Encoding.UTF8.GetBytes(text, bytes[(at + 1)..]);
        bytes[at] = checked((byte)length);
        at += 1 + length;
    }

    private static string ReadText(ReadOnlySpan<byte> bytes, ref int at)
    {
        var text = Encoding.UTF8.GetString(bytes.Slice(at + 1, bytes[at]));
        at += 1 + bytes[at];
        return text;
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

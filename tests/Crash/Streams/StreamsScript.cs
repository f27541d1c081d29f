using System.Globalization;
using System.Text;

namespace Millrace.Crash.Streams;

/// <summary>
/// The input: what lies at an offset of a partition follows from the seed, so that whoever finds the partition's end can go on. Half of the
/// records are of a few keys, the others of many, each key's in its partition; none is so far behind that it would be late.
/// </summary>
internal sealed class StreamsScript(int seed)
{
    public const int Partitions = 3;

    /// <summary>How far a record may be behind the latest of its partition, in milliseconds.</summary>
    public const int OutOfOrderness = 5_000;

    private const int Keys = 6_000, BusyKeys = 20, StepMilliseconds = 50;
    private const long Start = 1_767_225_600_000; // 2026-01-01T00:00:00Z

    private static readonly string[][] KeysOf =
    [
        .. Enumerable.Range(0, Partitions).Select(partition => Enumerable.Range(0, Keys).Select(number => $"k{number}")
            .Where(key => Partitioner.PartitionOf(Encoding.UTF8.GetBytes(key), Partitions) == partition).ToArray()),
    ];

    public Input At(int partition, long offset)
    {
        var random = new Random(unchecked((((seed * 31) + partition) * 1_000_003) + (int)offset));
        var keys = KeysOf[partition];
        var key = keys[random.Next(random.Next(2) == 0 ? BusyKeys : keys.Length)];
        return new Input(key, random.Next(1, 100), Start + (offset * StepMilliseconds) - random.Next(OutOfOrderness));
    }

    /// <summary>The last record of a partition, so late that everything before it ends.</summary>
    public static Input End(long offset) => new(Input.EndKey, 0, Start + (offset * StepMilliseconds) + 86_400_000);
}

/// <summary>A record of the input.</summary>
internal sealed record Input(string Key, long Value, long Time)
{
    public const string EndKey = "end";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Key} {Value}");

    public static Input Read(string text, long time)
    {
        var at = text.IndexOf(' ', StringComparison.Ordinal);
        return new Input(text[..at], long.Parse(text[(at + 1)..], CultureInfo.InvariantCulture), time);
    }
}

using Millrace.Streams;

namespace Nexmark;

/// <summary>Counts the rows of all workers, with a checksum that does not depend on their order.</summary>
internal sealed class Tally
{
    /// <summary>Guards the list.</summary>
    private readonly Lock _lock = new();
    private readonly List<Count> _counts = [];

    public long Rows => _counts.Sum(count => count.Rows);

    public ulong Checksum => _counts.Aggregate(0UL, (sum, count) => unchecked(sum + count.Checksum));

    /// <summary>A worker's sink.</summary>
    public Sink<T> Sink<T>()
        where T : struct, IRow
    {
        var count = new Count();
        lock (_lock) _counts.Add(count);
        return new Counting<T>(count);
    }

    private sealed class Count
    {
        public long Rows;
        public ulong Checksum;
    }

    private sealed class Counting<T>(Count count) : Sink<T>
        where T : struct, IRow
    {
        public override void Push(T value, long timestamp)
        {
            count.Rows++;
            count.Checksum = unchecked(count.Checksum + value.Hash);
        }

        public override void Advance(long watermark)
        {
        }
    }
}

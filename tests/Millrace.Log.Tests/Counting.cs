namespace Millrace.Log.Tests;

/// <summary>Counts what can be read, not what offsets say.</summary>
internal static class Counting
{
    public static int RecordsOf(LogEngine engine, TopicPartition source)
    {
        var count = 0;
        using var reader = engine.OpenReader(source, 0);
        while (reader.TryRead(100_000) is { } records)
        {
            using (records)
            {
                foreach (var _ in records) count++;
            }
        }

        return count;
    }
}

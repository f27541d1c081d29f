using System.Buffers;

namespace Millrace.Log.Segments;

/// <summary>Finds the first record at or after a time: segments by their greatest time, then the time index, then batch by batch.</summary>
internal static class TimeSearch
{
    public static long Find(PartitionLog log, long timestamp)
    {
        log.ThrowIfClosed();
        var endOffset = log.EndOffset;
        foreach (var segment in log.Segments)
        {
            var published = segment.PublishedBytes;
            if (published == 0 || segment.Index().MaxTimestamp < timestamp) continue;
            if (FindIn(segment, published, timestamp) is { } offset) return Math.Min(offset, endOffset);
        }

        return endOffset;
    }

    private static long? FindIn(Segment segment, int published, long timestamp)
    {
        long? found = null;
        segment.Scan(segment.Index().PositionOfTime(timestamp), published, (batch, position) =>
        {
            if (found is null && batch.MaxTimestamp >= timestamp) found = FindIn(segment, batch, position, timestamp);
        });
        return found;
    }

    private static long? FindIn(Segment segment, in RecordBatchHeader batch, int position, long timestamp)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(batch.SizeBytes);
        try
        {
            segment.File.Read(position, buffer.AsSpan(0, batch.SizeBytes));
            var records = new RecordEnumerator(buffer.AsMemory(0, batch.SizeBytes), batch.BaseOffset);
            while (records.MoveNext())
            {
                if (records.Current.Timestamp >= timestamp) return records.Current.Offset;
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

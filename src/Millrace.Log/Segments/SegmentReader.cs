using System.Buffers;

namespace Millrace.Log.Segments;

/// <summary>Reads one partition forwards, from the page cache into pooled buffers.</summary>
internal sealed class SegmentReader : PartitionReader
{
    private const int ProbeBytes = 4096;

    private readonly PartitionLog _log;
    private Segment? _segment;
    private int _position;
    private long _offset;
    private bool _isDisposed;

    public SegmentReader(PartitionLog log, long offset)
    {
        if (offset < log.StartOffset || offset > log.EndOffset)
        {
            throw new MillraceException(FailureCodes.OffsetOutOfRange,
                $"Offset {offset} of {log.Name} was asked for; there are {log.StartOffset} to {log.EndOffset}.");
        }

        (_log, _offset) = (log, offset);
    }

    public override TopicPartition Source => _log.Name;

    public override long Offset => _offset;

    public override FetchedRecords? TryRead(int bytesMax)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 1);
        _log.ThrowIfClosed();
        if (_offset >= _log.EndOffset) return null;
        var available = Locate();
        var size = Math.Min(available, Math.Max(bytesMax, ProbeBytes));
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            var whole = ReadWhole(ref buffer, size, new Extent(available, bytesMax), out var nextOffset);
            var records = new FetchedRecords(_log.Name, _offset, nextOffset, buffer, whole, isPooled: true);
            _position += whole;
            _offset = nextOffset;
            return records;
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    public override ValueTask WaitAsync(CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _log.ThrowIfClosed();
        return _log.WaitAsync(_offset, cancellation);
    }

    public override void Dispose() => _isDisposed = true;

    /// <summary>Puts segment and position on the batch that holds the offset, and tells how many bytes are there from it on.</summary>
    private int Locate()
    {
        var segments = _log.Segments;
        if (_segment is null)
        {
            _segment = SegmentOf(segments, _offset);
            _position = _segment.Index().PositionOf(_offset);
            var published = _segment.PublishedBytes;
            SkipBefore(published);
        }

        var available = _segment.PublishedBytes - _position;
        if (available > 0) return available;

        // The end offset is beyond ours, so a later segment holds it: this one is sealed and read to its end.
        _segment = segments[Array.IndexOf(segments, _segment) + 1];
        _position = 0;
        return _segment.PublishedBytes;
    }

    private static Segment SegmentOf(Segment[] segments, long offset)
    {
        for (var i = segments.Length - 1; i >= 0; i--)
        {
            if (segments[i].BaseOffset <= offset) return segments[i];
        }

        throw new InvalidOperationException($"No segment holds offset {offset}.");
    }

    private void SkipBefore(int published)
    {
        Span<byte> header = stackalloc byte[RecordBatchHeader.Size];
        while (_position < published)
        {
            _segment!.File.Read(_position, header);
            if (!RecordBatchHeader.TryReadAlone(header, out var batch) || batch.NextOffset > _offset) return;
            _position += batch.SizeBytes;
        }
    }

    /// <summary>Reads and checks as many whole batches as fit, at least one, growing the buffer for it.</summary>
    private int ReadWhole(ref byte[] buffer, int size, Extent extent, out long nextOffset)
    {
        var count = _segment!.File.Read(_position, buffer.AsSpan(0, size));
        if (RecordBatchHeader.TryReadAlone(buffer.AsSpan(0, count), out var first) && first.SizeBytes > count
            && first.SizeBytes <= extent.Available)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = ArrayPool<byte>.Shared.Rent(first.SizeBytes);
            count = _segment.File.Read(_position, buffer.AsSpan(0, first.SizeBytes));
        }

        var whole = 0;
        nextOffset = _offset;
        while (RecordBatchHeader.TryRead(buffer.AsSpan(whole, count - whole), out var batch))
        {
            if (whole > 0 && whole + batch.SizeBytes > extent.BytesMax) break;
            if (!batch.IsIntact(buffer.AsSpan(whole))) throw Damaged(whole, "its checksum does not match");
            if (batch.NextOffset <= nextOffset && whole > 0)
                throw Damaged(whole, $"its offsets end at {batch.NextOffset}, not after {nextOffset}");
            nextOffset = batch.NextOffset;
            whole += batch.SizeBytes;
        }

        return whole > 0 ? whole : throw Damaged(0, "it is cut off");
    }

    /// <summary>How many bytes are there, and how many are wanted at the most.</summary>
    private readonly record struct Extent(int Available, int BytesMax);

    private MillraceException Damaged(int at, string why) => new(FailureCodes.Corrupt,
        $"{_segment!.FilePath}: the batch at position {_position + at} is damaged: {why}. Restore the folder from a copy.");
}

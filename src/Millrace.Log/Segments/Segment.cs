using System.Globalization;

namespace Millrace.Log.Segments;

/// <summary>
/// One segment file: RecordBatch v2 batches end to end, in Kafka's naming. The writer appends and publishes; readers read below what is
/// published.
/// </summary>
internal sealed class Segment : IDisposable
{
    private const int ReserveBytesMax = 1 << 20;
    private const int ScanBytes = 64 << 10;

    private readonly IStorage _storage;
    private readonly string _pathWithoutEnding;
    private readonly int _indexIntervalBytes;
    private readonly Lock _indexGate = new(); // guards the first building of the index of a segment that was not written by this process
    private SegmentIndex? _index;
    private int _written;
    private int _published;
    private long _reserved;

    private Segment(IStorage storage, string directory, long baseOffset, int indexIntervalBytes, bool create)
    {
        _storage = storage;
        _indexIntervalBytes = indexIntervalBytes;
        BaseOffset = baseOffset;
        _pathWithoutEnding = Path.Combine(directory, NameOf(baseOffset));
        File = storage.Open(FilePath, create);
    }

    public long BaseOffset { get; }

    public IStorageFile File { get; }

    /// <summary>How many bytes readers may see.</summary>
    public int PublishedBytes => Volatile.Read(ref _published);

    /// <summary>How many bytes were appended.</summary>
    public int WrittenBytes => _written;

    public string FilePath => _pathWithoutEnding + ".log";

    public static string NameOf(long baseOffset) => baseOffset.ToString("D20", CultureInfo.InvariantCulture);

    public static Segment Create(IStorage storage, string directory, long baseOffset, int indexIntervalBytes) =>
        new(storage, directory, baseOffset, indexIntervalBytes, create: true) { _index = new SegmentIndex(baseOffset, indexIntervalBytes) };

    /// <summary>Opens a segment of which so many bytes are known to be whole batches.</summary>
    public static Segment Open(IStorage storage, string directory, long baseOffset, int indexIntervalBytes, int bytes)
    {
        if (!storage.FileExists(Path.Combine(directory, NameOf(baseOffset) + ".log")))
        {
            throw new MillraceException(FailureCodes.Corrupt,
                $"{Path.Combine(directory, NameOf(baseOffset))}.log, which the checkpoint names, is missing. Restore the folder from a " +
                "copy.");
        }

        var segment = new Segment(storage, directory, baseOffset, indexIntervalBytes, create: false);
        if (segment.File.Length < bytes)
        {
            var length = segment.File.Length;
            segment.Dispose();
            throw new MillraceException(FailureCodes.Corrupt,
                $"{segment.FilePath} has {length} bytes; the checkpoint knows {bytes}. Restore the folder from a copy.");
        }

        segment._written = segment._published = bytes;
        return segment;
    }

    /// <summary>Makes sure that so many more bytes cannot meet a full disk.</summary>
    public void Reserve(int bytes)
    {
        if (_written + (long)bytes <= _reserved) return;
        // Small partitions take little: the reservation doubles with the segment, from 64 KiB up to 1 MiB at a time.
        var wanted = _written + (long)Math.Max(bytes, Math.Clamp(_written, 64 << 10, ReserveBytesMax));
        File.Reserve(wanted);
        _reserved = wanted;
    }

    /// <summary>Appends a stamped batch; readers do not see it before <see cref="Publish"/>.</summary>
    public void Append(ReadOnlySpan<byte> batch, in RecordBatchHeader header)
    {
        File.Write(_written, batch);
        Index().Add(header, _written);
        _written += batch.Length;
    }

    public void Publish() => Volatile.Write(ref _published, _written);

    /// <summary>The index; built from the segment's batch headers when this process has not written it.</summary>
    public SegmentIndex Index()
    {
        if (Volatile.Read(ref _index) is { } index) return index;
        lock (_indexGate)
        {
            if (_index is not null) return _index;
            var built = new SegmentIndex(BaseOffset, _indexIntervalBytes);
            Scan(0, _written, (header, position) => built.Add(header, position));
            Volatile.Write(ref _index, built);
            return built;
        }
    }

    /// <summary>Reads the headers of the batches between two positions.</summary>
    public void Scan(int from, int to, Action<RecordBatchHeader, int> visit)
    {
        var buffer = new byte[ScanBytes];
        int start = 0, length = 0, position = from;
        while (position < to)
        {
            if (position + RecordBatchHeader.Size > start + length || position < start)
            {
                (start, length) = (position, File.Read(position, buffer.AsSpan(0, Math.Min(ScanBytes, to - position))));
            }

            if (!RecordBatchHeader.TryReadAlone(buffer.AsSpan(position - start, Math.Max(0, start + length - position)), out var header)
                || header.SizeBytes > to - position)
            {
                throw new MillraceException(
                    FailureCodes.Corrupt, $"{FilePath}: the batch at position {position} is cut off. Restore the folder from a copy.");
            }

            visit(header, position);
            position += header.SizeBytes;
        }
    }

    /// <summary>No more batches follow: gives back reserved room and writes the index files.</summary>
    public void Seal()
    {
        File.SetLength(_written);
        _reserved = 0;
        SaveIndex();
    }

    public void SaveIndex()
    {
        try
        {
            Index().Save(_storage, _pathWithoutEnding);
        }
        catch (DiskFullException)
        {
            // The index files are derived and this process has the index in memory; the next start builds it from the segment.
            _storage.DeleteFile(_pathWithoutEnding + ".index");
            _storage.DeleteFile(_pathWithoutEnding + ".timeindex");
        }
    }

    public void Dispose() => File.Dispose();
}

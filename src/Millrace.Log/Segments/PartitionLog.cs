namespace Millrace.Log.Segments;

/// <summary>
/// One partition: its segments in order, the newest one written. One writer appends; any number of readers read what is published and wait
/// for more.
/// </summary>
internal sealed class PartitionLog : IDisposable
{
    private const string MetadataName = "partition.metadata";

    private readonly IStorage _storage;
    private readonly LogOptions _options;
    private readonly Lock _gate = new(); // guards _waiter and _closed
    private Segment[] _segments = [];
    private long _endOffset;
    private int _preparedBytes;
    private TaskCompletionSource? _waiter;
    private string? _closed;

    public PartitionLog(LogOptions options, string logsDirectory, TopicPartition name)
    {
        (_storage, _options, Name) = (options.Storage, options, name);
        DirectoryPath = Path.Combine(logsDirectory, name.ToString());
    }

    public TopicPartition Name { get; }

    public string DirectoryPath { get; }

    /// <summary>The offset that the next published record will get.</summary>
    public long EndOffset => Volatile.Read(ref _endOffset);

    /// <summary>The offset of the first record that is there.</summary>
    public long StartOffset => Segments[0].BaseOffset;

    public Segment[] Segments => Volatile.Read(ref _segments);

    /// <summary>
    /// The offset that the next batch written here gets; ahead of <see cref="EndOffset"/> until it is published. Writer only.
    /// </summary>
    public long NextOffset { get; set; }

    /// <summary>
    /// The base offset of the first segment that the last checkpoint may not have synced whole. Set by the checkpoint, which runs once at a
    /// time.
    /// </summary>
    public long UnsyncedFrom { get; set; }

    /// <summary>Whether anything was appended since the last checkpoint began. Writer only.</summary>
    public bool IsDirty { get; set; }

    /// <summary>A new, empty partition in a new directory; what a deleted topic of that name left is removed.</summary>
    public void Create(Guid topicId)
    {
        _storage.DeleteDirectory(DirectoryPath);
        _storage.CreateDirectory(DirectoryPath);
        WriteMetadata(topicId);
        _segments = [Segment.Create(_storage, DirectoryPath, 0, _options.IndexIntervalBytes)];
        IsDirty = true; // the new file's name is to be synced by the next checkpoint
    }

    /// <summary>
    /// Opens what a checkpoint knows: its segments, each up to a length. Files that it does not name are of no use. What lies beyond in the
    /// last one is written again from the journal, in place, so that recovery needs no room that the disk may not have.
    /// </summary>
    public void Open(IReadOnlyList<SegmentExtent> extents, long endOffset)
    {
        var known = extents.Select(e => Segment.NameOf(e.BaseOffset)).ToHashSet(StringComparer.Ordinal);
        foreach (var name in _storage.ListFiles(DirectoryPath))
        {
            if (name != MetadataName && !known.Contains(Path.GetFileNameWithoutExtension(name)))
                _storage.DeleteFile(Path.Combine(DirectoryPath, name));
        }

        var opened = new List<Segment>(extents.Count);
        try
        {
            foreach (var (baseOffset, bytes) in extents)
                opened.Add(Segment.Open(_storage, DirectoryPath, baseOffset, _options.IndexIntervalBytes, bytes));
        }
        catch
        {
            foreach (var segment in opened) segment.Dispose();
            throw;
        }

        _segments = [.. opened];
        _endOffset = NextOffset = endOffset;
        UnsyncedFrom = extents[^1].BaseOffset;
    }

    /// <summary>
    /// Makes sure that a batch cannot meet a full disk, and begins the next segment when the active one is full: a segment may pass its
    /// limit by what one group commit holds for it. Writer only.
    /// </summary>
    /// <exception cref="DiskFullException">There is no room; nothing was written.</exception>
    public void Prepare(int bytes)
    {
        var active = _segments[^1];
        if (_preparedBytes == 0 && active.WrittenBytes > 0 && active.WrittenBytes + (long)bytes > _options.SegmentBytesMax)
            active = Roll(active);
        active.Reserve(_preparedBytes + bytes);
        _preparedBytes += bytes;
    }

    /// <summary>Appends a stamped batch. Readers see it after <see cref="Publish"/>. Writer only.</summary>
    public void Append(ReadOnlySpan<byte> batch, in RecordBatchHeader header)
    {
        _segments[^1].Append(batch, header);
        IsDirty = true;
        NextOffset = header.NextOffset;
    }

    /// <summary>Forgets what was prepared; called at the end of a group commit, however it went. Writer only.</summary>
    public void EndGroup() => _preparedBytes = 0;

    /// <summary>Shows readers everything appended and wakes those who wait. Writer only.</summary>
    public void Publish()
    {
        _segments[^1].Publish();
        Volatile.Write(ref _endOffset, NextOffset);
        Wake();
    }

    /// <summary>Ends a recovery: what lies beyond the end of the log in the active file is cut off, and the records are shown.</summary>
    public void EndRecovery()
    {
        var active = _segments[^1];
        if (active.File.Length > active.WrittenBytes) active.File.SetLength(active.WrittenBytes);
        EndGroup();
        Publish();
    }

    /// <summary>Waits until the end offset is beyond an offset, or throws as a read would.</summary>
    public ValueTask WaitAsync(long offset, CancellationToken cancellation)
    {
        if (EndOffset > offset) return ValueTask.CompletedTask;
        Task waiting;
        lock (_gate)
        {
            if (EndOffset > offset || _closed is not null) return ValueTask.CompletedTask;
            _waiter ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting = _waiter.Task;
        }

        return new ValueTask(waiting.WaitAsync(cancellation));
    }

    /// <summary>Ends all reading, with a code for those who try.</summary>
    public void Close(string code)
    {
        lock (_gate) _closed ??= code;
        Wake();
    }

    /// <exception cref="MillraceException">The topic was deleted or the engine stopped.</exception>
    public void ThrowIfClosed()
    {
        if (Volatile.Read(ref _closed) is not { } code) return;
        throw new MillraceException(code, code == FailureCodes.TopicNotFound
            ? $"Topic '{Name.Topic}' was deleted."
            : $"The engine has stopped; {Name} cannot be read.");
    }

    /// <summary>Syncs the segments that a checkpoint captured, as far as an earlier one has not, and their names.</summary>
    public void Sync(ReadOnlySpan<Segment> captured)
    {
        foreach (var segment in captured)
        {
            if (segment.BaseOffset >= UnsyncedFrom) segment.File.Sync();
        }

        _storage.SyncDirectory(DirectoryPath);
        UnsyncedFrom = captured[^1].BaseOffset;
    }

    /// <summary>A clean stop: reserved room goes back and the active segment's index files are written.</summary>
    public void Seal() => _segments[^1].Seal();

    public void Dispose()
    {
        foreach (var segment in _segments) segment.Dispose();
    }

    private Segment Roll(Segment full)
    {
        var next = Segment.Create(_storage, DirectoryPath, NextOffset, _options.IndexIntervalBytes);
        full.Seal();
        full.Publish(); // all of it was shown already, but for batches that a recovery appended
        Volatile.Write(ref _segments, [.. _segments, next]);
        return next;
    }

    private void Wake()
    {
        TaskCompletionSource? waiter;
        lock (_gate) (waiter, _waiter) = (_waiter, null);
        waiter?.SetResult();
    }

    private void WriteMetadata(Guid topicId)
    {
        // Kafka's partition.metadata, which its tools expect beside the segments; the id is URL-safe base64 as there.
        var id = Convert.ToBase64String(topicId.ToByteArray(bigEndian: true)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        using var file = _storage.Open(Path.Combine(DirectoryPath, MetadataName), create: true);
        file.Write(0, System.Text.Encoding.ASCII.GetBytes($"version: 0\ntopic_id: {id}\n"));
    }
}

/// <summary>A segment as a checkpoint knows it.</summary>
internal readonly record struct SegmentExtent(long BaseOffset, int Bytes);

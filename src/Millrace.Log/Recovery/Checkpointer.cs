using Millrace.Log.Writing;
using Millrace.Log.Journal;
using Millrace.Log.Segments;

namespace Millrace.Log.Recovery;

/// <summary>
/// Makes checkpoints: what must be consistent is captured in the writer's loop, in memory; syncing segments and writing files goes on
/// beside the writer. When the checkpoint file is in place, the journal before it is dropped. One at a time.
/// </summary>
internal sealed class Checkpointer(Folder folder, LogOptions options, Catalog catalog)
{
    /// <summary>How much longer than its limit a journal file may be to be used again as a whole.</summary>
    private const int SpareLengthsMax = 4;

    private Task? _running;
    private Capture? _captured;

    public bool IsRunning => _running is not null;

    /// <summary>Captures everything before a frame and starts. The journal must have been rolled at that frame.</summary>
    public void Begin(long sequence)
    {
        var captured = new Capture(sequence);
        foreach (var topic in catalog.TopicsByNumber.Values) CaptureTopic(captured, topic);
        foreach (var group in catalog.NamedGroups.Values)
        {
            foreach (var partition in group.Partitions.Values.OrderBy(p => p.Number)) CapturePartition(captured, partition);
        }

        captured.Content = Snapshots.WriteCheckpoint(catalog, sequence);
        _captured = captured;
        _running = options.Storage.RunBlocking(async () =>
        {
            await SaveAsync(captured);
            Write(captured);
        });
    }

    /// <summary>Takes note of a checkpoint's end. A full disk only puts it off; any other failure is the engine's.</summary>
    public async ValueTask ObserveAsync(bool isFinal)
    {
        if (_running is not { } running || (!isFinal && !running.IsCompleted)) return;
        _running = null;
        try
        {
            await running;
        }
        catch (DiskFullException)
        {
            // The journal keeps everything; what was captured counts as changed again, for the next attempt.
            options.Storage.DeleteFile(JournalFile.SpareIn(folder.Journal));
            foreach (var restore in _captured!.Restores) restore();
        }
        finally
        {
            _captured!.Dispose();
        }
    }

    /// <summary>Waits for what is running, however it ends: the engine has failed already.</summary>
    public async Task EndAsync()
    {
        if (_running is not { } running) return;
        await running.ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Current);
        _captured!.Dispose();
    }

    private static void CaptureTopic(Capture captured, TopicLog topic)
    {
        foreach (var partition in topic.Partitions)
        {
            if (!partition.IsDirty) continue;
            captured.Logs.Add((partition, partition.Segments));
            partition.IsDirty = false;
            captured.Restores.Add(() => partition.IsDirty = true);
        }

        if (topic.AreVersionsDirty)
        {
            var before = topic.VersionsAt;
            topic.AreVersionsDirty = false;
            topic.VersionsAt = captured.Sequence;
            captured.Files.Add((Folder.VersionsName(topic.Number, captured.Sequence), Snapshots.WriteVersions(topic)));
            captured.Restores.Add(() => (topic.AreVersionsDirty, topic.VersionsAt) = (true, before));
        }

        if (topic.VersionsAt > 0) captured.FileNames.Add(Folder.VersionsName(topic.Number, topic.VersionsAt));
    }

    private static void CapturePartition(Capture captured, GroupPartition partition)
    {
        if (partition.IsDirty)
        {
            var before = partition.SnapshotAt;
            partition.IsDirty = false;
            partition.SnapshotAt = captured.Sequence;
            captured.Files.Add(
                (Folder.SnapshotName(partition.Group.Number, partition.Number, captured.Sequence),
                    Snapshots.WriteGroupPartition(partition)));
            captured.Restores.Add(() => (partition.IsDirty, partition.SnapshotAt) = (true, before));
            if (partition.State is { } state) captured.States.Add(state);
        }

        if (partition.SnapshotAt > 0)
            captured.FileNames.Add(Folder.SnapshotName(partition.Group.Number, partition.Number, partition.SnapshotAt));
    }

    /// <summary>State on disk is what the checkpoint says, or of later frames, which the journal has.</summary>
    private static async Task SaveAsync(Capture captured)
    {
        try
        {
            await Task.WhenAll(captured.States.Select(state => state.SaveAsync().AsTask()));
        }
        catch (MillraceException failure) when (failure.Code == FailureCodes.DiskFull)
        {
            throw new DiskFullException(failure.Message, failure);
        }
    }

    private void Write(Capture captured)
    {
        var storage = options.Storage;
        foreach (var (log, segments) in captured.Logs) log.Sync(segments);
        storage.SyncDirectory(folder.Logs);
        foreach (var (name, content) in captured.Files) SealedFile.Write(storage, Path.Combine(folder.State, name), content);
        storage.SyncDirectory(folder.State);

        SealedFile.Write(storage, folder.CheckpointDraft, captured.Content!);
        storage.Rename(folder.CheckpointDraft, folder.Checkpoint);
        storage.SyncDirectory(folder.Root);
        Drop(captured);
    }

    /// <summary>The checkpoint stands: older journal files and state files that it does not name are of no use any more.</summary>
    private void Drop(Capture captured)
    {
        string? last = null; // of the older ones: it is used again
        foreach (var name in options.Storage.ListFiles(folder.Journal))
        {
            if (!JournalFile.TryReadName(name, out var first) || first >= captured.Sequence) continue;
            if (last is not null) options.Storage.DeleteFile(Path.Combine(folder.Journal, last));
            last = name;
        }

        if (last is not null && options.RecyclesJournal)
            JournalFile.Retire(options.Storage, folder.Journal, last, (long)SpareLengthsMax * options.JournalBytesMax);
        else if (last is not null)
            options.Storage.DeleteFile(Path.Combine(folder.Journal, last));

        foreach (var name in options.Storage.ListFiles(folder.State))
        {
            if (!captured.FileNames.Contains(name)) options.Storage.DeleteFile(Path.Combine(folder.State, name));
        }
    }

    private sealed class Capture(long sequence) : IDisposable
    {
        public long Sequence { get; } = sequence;

        public ByteWriter? Content { get; set; }

        public List<(PartitionLog Log, Segment[] Segments)> Logs { get; } = [];

        public List<(string Name, ByteWriter Content)> Files { get; } = [];

        public List<StateStore> States { get; } = [];

        public HashSet<string> FileNames { get; } = new(StringComparer.Ordinal);

        public List<Action> Restores { get; } = [];

        public void Dispose()
        {
            Content?.Dispose();
            foreach (var (_, content) in Files) content.Dispose();
        }
    }
}

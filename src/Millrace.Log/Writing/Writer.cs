using System.Threading.Channels;
using Millrace.Log.Journal;
using Millrace.Log.Recovery;
using Millrace.Log.Segments;

namespace Millrace.Log.Writing;

/// <summary>
/// The single writer. It takes what waits, stages it into one frame, writes and syncs the frame, applies it, and lets the callers know: one
/// write and one sync serve all who waited. It alone changes the catalog, the journal and the segments' ends.
/// </summary>
internal sealed class Writer : IDisposable
{
    private readonly Channel<Work> _queue;
    private readonly Checkpointer _checkpointer;
    private readonly Folder _folder;
    private readonly ByteWriter _frame;
    private readonly List<Work> _staged = [];
    private readonly List<PartitionLog> _touched = [];
    private readonly List<TopicLog> _deleted = [];
    private JournalFile? _journal;
    private bool _isOpenedNoted;
    private Task _running = Task.CompletedTask;
    private volatile Exception? _failure;

    public Writer(Folder folder, LogOptions options, Catalog catalog, long nextSequence)
    {
        (_folder, Options, Catalog, NextSequence) = (folder, options, catalog, nextSequence);
        _frame = new ByteWriter(options.GroupBytesMax + 4096);
        _checkpointer = new Checkpointer(folder, options, catalog);
        States = new StateStores(folder, options);
        _queue = Channel.CreateBounded<Work>(new BoundedChannelOptions(options.QueuedCommitsMax)
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
    }

    public LogOptions Options { get; }

    public Catalog Catalog { get; }

    /// <summary>The frame that is being filled.</summary>
    public ByteWriter Frame => _frame;

    /// <summary>Where a group's state is begun.</summary>
    public StateStores States { get; }

    /// <summary>The sequence of the frame that was written last, which is being applied.</summary>
    public long LastSequence => NextSequence - 1;

    /// <summary>The sequence of the next frame.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Why the engine stopped by itself, or null.</summary>
    public Exception? Failure => _failure;

    public void Start() => _running = Options.Storage.RunBlocking(RunAsync);

    /// <summary>
    /// Hands work over. Its order among the caller's own calls is kept: the queue is first in, first out, also for those who wait for room.
    /// </summary>
    public async ValueTask<T> DoAsync<T>(Work<T> work, CancellationToken cancellation)
    {
        ThrowIfFailed();
        if (!_queue.Writer.TryWrite(work))
        {
            try
            {
                await _queue.Writer.WriteAsync(work, cancellation);
            }
            catch (ChannelClosedException)
            {
                ThrowIfFailed();
                throw new MillraceException(FailureCodes.Stopped, "The engine has stopped.");
            }
        }

        return await work.Done;
    }

    /// <summary>Finishes what was handed over, makes a last checkpoint and closes the journal.</summary>
    public async Task StopAsync()
    {
        _queue.Writer.TryComplete();
        await _running;
    }

    /// <summary>Gives the frame's buffer back, after the loop's end.</summary>
    public void Dispose() => _frame.Dispose();

    /// <summary>
    /// Makes sure that so many bytes of entries fit into the journal, and begins it where this opening has not written yet.
    /// </summary>
    /// <exception cref="DiskFullException">There is no room; nothing was written.</exception>
    public void Journal(int bytes)
    {
        _journal ??= JournalFile.Create(Options.Storage, _folder.Journal, NextSequence, NewSalt());
        _journal.Reserve(_frame.Length + bytes + Entries.OverheadBytes + FrameFormat.FrameHeaderSize);
        if (_isOpenedNoted) return;
        Entries.WriteOpened(_frame, Catalog.Generation);
        _isOpenedNoted = true;
    }

    public TopicLog NewTopic(int number, Guid id, TopicSpecification specification) =>
        new(Options, _folder.Logs, number, id, specification);

    /// <summary>Notes a partition whose records are to be shown once the whole frame is applied.</summary>
    public void Touch(PartitionLog log)
    {
        if (!_touched.Contains(log)) _touched.Add(log);
    }

    public void DeleteFiles(TopicLog topic) => _deleted.Add(topic);

    private async Task RunAsync()
    {
        try
        {
            while (await _queue.Reader.WaitToReadAsync())
            {
                // A topic created under the name of one whose files are still to be removed would lose its own with them.
                await _checkpointer.ObserveAsync(isFinal: MustDropFirst());
                if (MustDropFirst()) DropDeleted();
                CommitGroup();
                if (!_checkpointer.IsRunning) DropDeleted();
                if (_journal is { } journal && journal.SizeBytes > Options.JournalBytesMax && !_checkpointer.IsRunning) BeginCheckpoint();
            }

            await StopCleanlyAsync();
        }
        catch (Exception failure)
        {
            FailStop(failure);
            await _checkpointer.EndAsync();
        }
        finally
        {
            _journal?.Dispose();
        }
    }

    /// <summary>Whether the next work creates a topic while files of deleted ones wait for a checkpoint's end.</summary>
    private bool MustDropFirst() => _deleted.Count > 0 && _queue.Reader.TryPeek(out var next) && next is TopicCreation;

    private void CommitGroup()
    {
        _frame.Clear();
        _frame.Next(FrameFormat.FrameHeaderSize);
        var needsSync = false;
        while (_frame.Length < Options.GroupBytesMax && !MustDropFirst() && _queue.Reader.TryRead(out var work))
        {
            if (!TryStage(work)) continue;
            needsSync |= work.NeedsSync;
            if (work.EndsGroup) break;
        }

        if (_frame.Length > FrameFormat.FrameHeaderSize)
        {
            _journal!.Append(_frame.Written, NextSequence, needsSync);
            NextSequence++;
        }

        foreach (var work in _staged) work.Apply(this);
        foreach (var log in _touched) log.Publish();
        foreach (var work in _staged) work.Complete();
        _staged.Clear();
        EndGroup();
    }

    /// <summary>Stages one work, or refuses it alone and leaves the frame as it was.</summary>
    private bool TryStage(Work work)
    {
        var (length, isOpenedNoted, hasRoomNow) = (_frame.Length, _isOpenedNoted, false);
        try
        {
            work.Stage(this);
            _staged.Add(work);
            return true;
        }
        catch (MillraceException refusal)
        {
            work.Fail(refusal);
        }
        catch (DiskFullException full)
        {
            hasRoomNow = !_checkpointer.IsRunning && DropSpare();
            if (!hasRoomNow)
            {
                work.Fail(new MillraceException(
                    FailureCodes.DiskFull,
                    $"The disk is full, nothing was written: {full.Message} Make room; reads go on and writes resume by themselves.",
                    full));
            }
        }
        catch (Exception failure)
        {
            work.Fail(Stopped(failure));
            throw;
        }

        _frame.Cut(length);
        _isOpenedNoted = isOpenedNoted;
        return hasRoomNow && TryStage(work);
    }

    private void EndGroup()
    {
        foreach (var log in _touched) log.EndGroup();
        _touched.Clear();
    }

    /// <summary>Rolls the journal and lets a checkpoint of everything before it be made beside the writing.</summary>
    private void BeginCheckpoint()
    {
        // Relaxed commits may not be synced yet: a file that another follows must be whole.
        _journal!.Sync();
        JournalFile next;
        try
        {
            next = JournalFile.Create(Options.Storage, _folder.Journal, NextSequence, NewSalt());
        }
        catch (DiskFullException)
        {
            // Without room for a new file the journal grows on in its own reserved one; commits meet the full disk and say so.
            return;
        }

        _journal.Dispose();
        _journal = next;
        _isOpenedNoted = false;
        _checkpointer.Begin(NextSequence);
    }

    private async Task StopCleanlyAsync()
    {
        await _checkpointer.ObserveAsync(isFinal: true);
        DropDeleted();
        if (_journal is not null)
        {
            _journal.Trim();
            _journal.Sync();
            foreach (var topic in Catalog.TopicsByNumber.Values)
            {
                foreach (var partition in topic.Partitions) partition.Seal();
            }

            _journal.Dispose();
            _journal = null;
            _checkpointer.Begin(NextSequence);
            await _checkpointer.ObserveAsync(isFinal: true);
        }

        DropSpare();
        FailQueued(new MillraceException(FailureCodes.Stopped, "The engine has stopped."));
    }

    /// <summary>
    /// Gives a disk that is full, or a folder that nobody has open, the room of the spare journal file; false when there is none.
    /// </summary>
    private bool DropSpare()
    {
        var spare = JournalFile.SpareIn(_folder.Journal);
        if (!Options.Storage.FileExists(spare)) return false;
        Options.Storage.DeleteFile(spare);
        return true;
    }

    /// <summary>Removes the files of deleted topics, which no checkpoint uses any more.</summary>
    private void DropDeleted()
    {
        foreach (var topic in _deleted)
        {
            topic.Dispose();
            foreach (var partition in topic.Partitions) Options.Storage.DeleteDirectory(partition.DirectoryPath);
        }

        _deleted.Clear();
    }

    /// <summary>
    /// After a failed write or sync nothing is known about the disk: nobody hears of success any more, and only a new start reads it again.
    /// </summary>
    private void FailStop(Exception failure)
    {
        var reason = Stopped(failure);
        _failure = reason;
        _queue.Writer.TryComplete();
        foreach (var work in _staged) work.Fail(reason);
        FailQueued(reason);
        foreach (var topic in Catalog.TopicsByNumber.Values)
        {
            foreach (var partition in topic.Partitions) partition.Close(FailureCodes.StorageFailed);
        }
    }

    private void FailQueued(Exception reason)
    {
        while (_queue.Reader.TryRead(out var work)) work.Fail(reason);
    }

    private static MillraceException Stopped(Exception failure) => new(FailureCodes.StorageFailed,
        $"The engine stopped because the disk failed it: {failure.Message} Nothing unacknowledged is known to be safe; mend the disk " +
        "and start again.", failure);

    private void ThrowIfFailed()
    {
        if (_failure is MillraceException failure) throw new MillraceException(failure.Code, failure.Message, failure);
    }

    private ulong NewSalt()
    {
        Span<byte> bytes = stackalloc byte[8];
        Options.Random.NextBytes(bytes);
        return BitConverter.ToUInt64(bytes);
    }
}

using Microsoft.Data.Sqlite;

namespace Millrace.Sqlite;

/// <summary>Work within a transaction. It is done under a savepoint of its own: if it throws, others' work stays.</summary>
internal delegate ValueTask<TResult> Write<TResult>(SqliteConnection connection, SqliteTransaction transaction);

/// <summary>
/// The way to the one connection that writes. Whoever gets the turn does what all the others that wait want, in the order in which they
/// came, in one transaction, and tells them once it is on the disk: a group commit without a thread or a loop of its own. Thread safe.
/// </summary>
internal sealed class WriteQueue(SqliteOptions options) : IAsyncDisposable
{
    private const string Savepoint = "millrace_write";

    // Guards the queue and whether it is closed.
    private readonly Lock _lock = new();
    private readonly Queue<Pending> _queue = [];
    private bool _isClosed;

    // Whoever has it is the one who uses the connection.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private SqliteConnection? _connection;

    /// <summary>
    /// Does the work and returns when it is on the disk. A wait that is cancelled may leave the work done: the position tells.
    /// </summary>
    /// <exception cref="MillraceException">As <see cref="SqliteFailures.Describe"/>; what the work throws.</exception>
    public async ValueTask<TResult> RunAsync<TResult>(Write<TResult> write, CancellationToken cancellation)
    {
        var mine = new Pending<TResult>(write, cancellation);
        lock (_lock)
        {
            if (_isClosed) throw new MillraceException(FailureCodes.Throttled, $"The database '{options.Path}' was closed.");
            if (_queue.Count >= options.QueuedBatchesMax)
            {
                throw new MillraceException(FailureCodes.Throttled,
                    $"{_queue.Count} batches wait for '{options.Path}', which is the limit ({nameof(SqliteOptions.QueuedBatchesMax)}).");
            }

            _queue.Enqueue(mine);
        }

        while (!mine.Outcome.IsCompleted)
        {
            // Done by another or one's own turn, whichever is first; the turn is given on either way.
            await _turn.WaitAsync(cancellation);
            try
            {
                if (!mine.Outcome.IsCompleted) await CommitGroupAsync();
            }
            finally
            {
                _turn.Release();
            }
        }

        return await mine.Outcome;
    }

    /// <summary>Waits for the write in hand; those that wait fail.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock) _isClosed = true;
        await _turn.WaitAsync(CancellationToken.None);
        try
        {
            foreach (var pending in TakeAll()) pending.Fail(new MillraceException(FailureCodes.Throttled, "The database was closed."));
            if (_connection is { } connection) await connection.DisposeAsync();
            _connection = null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The edge of the group: a failure that is not of one work alone goes to all, and the connection is opened anew.</summary>
    private async ValueTask CommitGroupAsync()
    {
        var group = TakeGroup();
        try
        {
            _connection ??= await SqliteFile.OpenWriterAsync(options, CancellationToken.None);
            await using var transaction = _connection.BeginTransaction(deferred: false);
            foreach (var pending in group) await DoAsync(pending, _connection, transaction);
            await transaction.CommitAsync(CancellationToken.None);
            foreach (var pending in group) pending.Complete();
        }
        catch (Exception failure)
        {
            foreach (var pending in group) pending.Fail(Described(failure));
            if (_connection is { } broken) await broken.DisposeAsync();
            _connection = null;
        }
    }

    private static async ValueTask DoAsync(Pending pending, SqliteConnection connection, SqliteTransaction transaction)
    {
        await transaction.SaveAsync(Savepoint, CancellationToken.None);
        try
        {
            await pending.DoAsync(connection, transaction);
        }
        catch (Exception failure) when (failure is not SqliteException known || SqliteFailures.IsOfStatement(known))
        {
            // The work's own failure, such as a fenced owner or a missing table. Others may have undone the transaction: they go to all.
            await transaction.RollbackAsync(Savepoint, CancellationToken.None);
            pending.Fail(Described(failure));
        }

        await transaction.ReleaseAsync(Savepoint, CancellationToken.None);
    }

    private static Exception Described(Exception failure) => failure is SqliteException known ? SqliteFailures.Describe(known) : failure;

    private List<Pending> TakeGroup()
    {
        var group = new List<Pending>();
        lock (_lock)
        {
            while (group.Count < options.GroupBatchesMax && _queue.TryDequeue(out var pending)) group.Add(pending);
        }

        return group;
    }

    private List<Pending> TakeAll()
    {
        lock (_lock)
        {
            List<Pending> all = [.. _queue];
            _queue.Clear();
            return all;
        }
    }

    /// <summary>Work that waits. Its outcome is told after the commit.</summary>
    private abstract class Pending
    {
        public abstract ValueTask DoAsync(SqliteConnection connection, SqliteTransaction transaction);

        public abstract void Complete();

        public abstract void Fail(Exception failure);
    }

    private sealed class Pending<TResult>(Write<TResult> write, CancellationToken cancellation) : Pending
    {
        // Waiters run on after the turn is given on, not within it.
        private readonly TaskCompletionSource<TResult> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private TResult? _result;

        public Task<TResult> Outcome => _outcome.Task;

        public override async ValueTask DoAsync(SqliteConnection connection, SqliteTransaction transaction)
        {
            cancellation.ThrowIfCancellationRequested();
            _result = await write(connection, transaction);
        }

        public override void Complete() => _outcome.TrySetResult(_result!);

        public override void Fail(Exception failure) => _outcome.TrySetException(failure);
    }
}

using System.Globalization;
using Microsoft.Data.Sqlite;
using Millrace.Relational;

namespace Millrace.Sqlite.Tests;

/// <summary>The one writer of a file: group commit, failures of one and of all, limits.</summary>
public sealed class WriteQueueTests : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-sqlite-");
    private readonly WriteQueue _queue;

    public WriteQueueTests() => _queue = new WriteQueue(
        new SqliteOptions { Path = Path.Combine(_directory.FullName, "deep", "down", "sink.db"), QueuedBatchesMax = 5, GroupBatchesMax = 4 });

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task What_waits_for_the_writer_shares_transactions()
    {
        var (busy, release) = await OccupyAsync();
        var waiting = Enumerable.Range(0, 5).Select(i => InsertAsync(i)).ToList();

        release.SetResult();
        await busy;
        var transactions = await Task.WhenAll(waiting);

        // Groups of four at most.
        Assert.Single(transactions.Take(4).Distinct());
        Assert.NotSame(transactions[0], transactions[4]);
        Assert.Equal(["0", "1", "2", "3", "4"], await NumbersAsync());
    }

    [Fact]
    public async Task A_fenced_owner_in_a_group_fails_alone()
    {
        var (busy, release) = await OccupyAsync();
        var first = InsertAsync(1);
        var fenced = InsertAsync(2, new MillraceException(FailureCodes.Fenced, "Another one."));
        var last = InsertAsync(3);

        release.SetResult();
        await busy;

        var failure = await Assert.ThrowsAsync<MillraceException>(() => fenced);
        Assert.Equal(FailureCodes.Fenced, failure.Code);
        Assert.Same(await first, await last);
        Assert.Equal(["1", "3"], await NumbersAsync());
    }

    [Fact]
    public async Task A_failure_of_a_statement_fails_alone()
    {
        var (busy, release) = await OccupyAsync();
        var first = InsertAsync(1);
        var broken = RunAsync("SELECT * FROM nothing");
        var last = InsertAsync(3);

        release.SetResult();
        await busy;

        Assert.Equal(FailureCodes.Unreachable, (await Assert.ThrowsAsync<MillraceException>(() => broken)).Code);
        Assert.Same(await first, await last);
        Assert.Equal(["1", "3"], await NumbersAsync());
    }

    [Fact]
    public async Task A_failure_of_the_file_fails_the_group_and_the_next_write_opens_it_anew()
    {
        await LimitPagesAsync();
        var (busy, release) = await OccupyAsync();
        var first = InsertAsync(1);
        var large = RunAsync("INSERT INTO numbers VALUES (zeroblob(1000000))");

        release.SetResult();
        await busy;

        Assert.Equal(FailureCodes.DiskFull, (await Assert.ThrowsAsync<MillraceException>(() => first)).Code);
        Assert.Equal(FailureCodes.DiskFull, (await Assert.ThrowsAsync<MillraceException>(() => large)).Code);
        await InsertAsync(2);
        Assert.Equal(["2"], await NumbersAsync());
    }

    [Fact]
    public async Task More_than_may_wait_is_throttled_and_a_cancelled_wait_writes_nothing()
    {
        var (busy, release) = await OccupyAsync();
        using var cancelled = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 4).Select(i => InsertAsync(i)).ToList();
        var impatient = InsertAsync(99, null, cancelled.Token);

        var throttled = await Assert.ThrowsAsync<MillraceException>(() => InsertAsync(5));
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        release.SetResult();
        await busy;
        await Task.WhenAll(waiting);
        await InsertAsync(6);

        Assert.Equal(FailureCodes.Throttled, throttled.Code);
        Assert.Equal(["0", "1", "2", "3", "6"], await NumbersAsync());
    }

    [Fact]
    public async Task The_file_is_written_ahead_and_synced_at_each_commit()
    {
        Assert.Equal("wal", await RunAsync("PRAGMA journal_mode"));
        Assert.Equal(2L, await RunAsync("PRAGMA synchronous"));
    }

    /// <summary>A write that holds the writer until it is released, in a table of numbers that it makes.</summary>
    private async Task<(Task Busy, TaskCompletionSource Release)> OccupyAsync()
    {
        await RunAsync("CREATE TABLE numbers (n INTEGER)");
        var (entered, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var busy = _queue.RunAsync(
            async (_, _) =>
            {
                entered.SetResult();
                await release.Task;
                return true;
            },
            Cancellation).AsTask();
        await entered.Task;
        return (busy, release);
    }

    /// <summary>The present connection finds the disk full after a few pages more.</summary>
    private async Task LimitPagesAsync()
    {
        var pages = Convert.ToInt64(await RunAsync("PRAGMA page_count"), CultureInfo.InvariantCulture);
        await RunAsync($"PRAGMA max_page_count = {pages + 4}");
    }

    private Task<SqliteTransaction> InsertAsync(int number, Exception? failure = null, CancellationToken? cancellation = null) =>
        _queue.RunAsync(
            async (connection, transaction) =>
            {
                await using var command = Positions.Command(connection, transaction, $"INSERT INTO numbers VALUES ({number})");
                await command.ExecuteNonQueryAsync(Cancellation);
                return failure is null ? transaction : throw failure;
            },
            cancellation ?? Cancellation).AsTask();

    private Task<object?> RunAsync(string sql) => _queue.RunAsync(
        async (connection, transaction) =>
        {
            await using var command = Positions.Command(connection, transaction, sql);
            return await command.ExecuteScalarAsync(Cancellation);
        },
        Cancellation).AsTask();

    private async Task<List<string>> NumbersAsync()
    {
        var path = Path.Combine(_directory.FullName, "deep", "down", "sink.db");
        await using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        await connection.OpenAsync(Cancellation);
        await using var command = Positions.Command(connection, null, "SELECT n FROM numbers ORDER BY n");
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var numbers = new List<string>();
        while (await reader.ReadAsync(Cancellation)) numbers.Add(reader.GetInt64(0).ToString(CultureInfo.InvariantCulture));
        return numbers;
    }
}

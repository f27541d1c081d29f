namespace Millrace.Log.Tests;

/// <summary>What the engine does when the disk refuses.</summary>
public sealed class DiskFaultTests
{
    private static readonly TopicPartition Target = new("t", 0);

    private readonly SimulatedDisk _disk = new(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_sync_is_not_acknowledged_and_stops_the_engine_for_good()
    {
        await using var engine = await OpenAsync();
        await AppendAsync(engine, 10);
        var syncs = _disk.Syncs;
        _disk.FailsSync = path => path.EndsWith(".journal", StringComparison.Ordinal);

        var first = await Assert.ThrowsAsync<MillraceException>(async () => await AppendAsync(engine, 10));
        _disk.FailsSync = _ => false;
        var second = await Assert.ThrowsAsync<MillraceException>(async () => await AppendAsync(engine, 10));

        Assert.Equal(FailureCodes.StorageFailed, first.Code);
        Assert.Equal(FailureCodes.StorageFailed, second.Code);
        Assert.Contains("Input/output error", first.Message, StringComparison.Ordinal);
        Assert.Equal(syncs + 1, _disk.Syncs);
    }

    [Fact]
    public async Task A_sync_that_fails_in_a_checkpoint_stops_the_engine_before_it_acknowledges_more()
    {
        await using var engine = await OpenAsync();
        _disk.FailsSync = path => path.EndsWith(".log", StringComparison.Ordinal);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () =>
        {
            for (var i = 0; i < 10_000; i++) await AppendAsync(engine, 1000);
        });

        Assert.Equal(FailureCodes.StorageFailed, failure.Code);
    }

    [Fact]
    public async Task A_waiting_reader_hears_that_the_engine_stopped()
    {
        await using var engine = await OpenAsync();
        using var reader = engine.OpenReader(Target, 0);
        var waiting = reader.ReadAsync(1000, Cancellation);
        _disk.FailsSync = _ => true;

        await Assert.ThrowsAsync<MillraceException>(async () => await AppendAsync(engine, 10));

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await waiting);
        Assert.Equal(FailureCodes.StorageFailed, failure.Code);
    }

    [Fact]
    public async Task A_full_disk_refuses_writes_keeps_serving_reads_starts_full_and_goes_on_without_repair()
    {
        var appended = 0;
        await using (var engine = await OpenAsync())
        {
            _disk.BytesFree = 300_000;
            var failure = await Assert.ThrowsAsync<MillraceException>(async () =>
            {
                for (; appended < 10_000; appended++) await AppendAsync(engine, 1000);
            });

            Assert.Equal(FailureCodes.DiskFull, failure.Code);
            Assert.True(failure.IsTransient);
            Assert.Equal(appended, Count(engine));
        }

        await using (var engine = await OpenAsync())
        {
            Assert.Equal(appended, Count(engine));
            _disk.BytesFree = 0;
            var failure = await Assert.ThrowsAsync<MillraceException>(async () =>
            {
                while (true) await AppendAsync(engine, 1000);
            });

            Assert.Equal(FailureCodes.DiskFull, failure.Code);
            appended = Count(engine);
            _disk.BytesFree = -1;
            await AppendAsync(engine, 1000);
            Assert.Equal(appended + 1, Count(engine));
        }
    }

    [Fact]
    public async Task A_refused_commit_leaves_nothing_behind_in_the_group_that_others_share()
    {
        await using var engine = await OpenAsync();
        await engine.CreateTopicAsync(new TopicSpecification { Name = "gone", Partitions = 1 }, Cancellation);
        using var doomed = new Commit();
        doomed.To(Target).Add(0, "k"u8, "doomed"u8);
        doomed.To(new TopicPartition("gone", 0)).Add(0, "k"u8, "doomed"u8);
        doomed.Expect("t", "stream", 7, 1);

        var results = await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
            i == 25 ? (object)await engine.CommitAsync(doomed, Cancellation) : await AppendAsync(engine, 10)));

        Assert.IsType<CommitResult.Conflicted>(results[25]);
        Assert.Equal(49, Count(engine));
        Assert.Equal(0, (await engine.FindTopicAsync("gone", Cancellation))!.Partitions[0].EndOffset);
    }

    private async Task<LogEngine> OpenAsync()
    {
        var engine = await LogEngine.OpenAsync("/disk/log", new LogOptions { Storage = _disk, JournalBytesMax = 20_000, SegmentBytesMax = 50_000 }, Cancellation);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        return engine;
    }

    private static async Task<long> AppendAsync(LogEngine engine, int size) =>
        await engine.AppendAsync(Target, batch => batch.Add(0, "k"u8, new byte[size]), null, Cancellation);

    private static int Count(LogEngine engine) => Counting.RecordsOf(engine, Target);
}

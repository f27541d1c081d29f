namespace Millrace.Log.Tests;

/// <summary>Journal files that a checkpoint has made needless are used again.</summary>
public sealed class SpareJournalTests
{
    private const string Journal = "/disk/log/journal", Spare = Journal + "/spare";

    private static readonly TopicPartition Target = new("t", 0);

    private readonly SimulatedDisk _disk = new(1);
    private readonly List<long> _begun = []; // how long each journal file was when it was begun
    private int _appended;

    public SpareJournalTests() => _disk.BeforeDirectorySync = path =>
    {
        if (path == Journal) _begun.Add(LengthOf(Current()));
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_needless_file_is_kept_taken_for_the_next_one_and_gone_after_a_clean_stop()
    {
        await using (var engine = await OpenAsync())
        {
            await AppendUntilAsync(engine, () => _begun.Count == 3);
            Assert.Equal([40, 40], _begun[..2]);
            Assert.InRange(_begun[2], 4096, 5000);
        }

        Assert.False(_disk.FileExists(Spare));
        Assert.All(_disk.ListFiles(Journal), name => Assert.Equal(40, LengthOf($"{Journal}/{name}"))); // a header, and no frame
        await AssertAllThereAsync();
    }

    [Fact]
    public async Task What_a_file_held_before_is_not_read_after_a_power_loss()
    {
        var engine = await OpenAsync();
        await AppendUntilAsync(engine, () => _begun.Count == 3);
        var path = Current();
        _disk.PowerOff();
        await engine.DisposeAsync();
        _disk.PowerOn();

        await AssertAllThereAsync(() => Assert.InRange(LengthOf(path), 40, _begun[2] - 1));
    }

    [Fact]
    public async Task A_spare_file_is_no_longer_than_some_journals()
    {
        await using var engine = await OpenAsync();
        await engine.AppendAsync(Target, batch => batch.Add(0, "k"u8, new byte[200_000]), null, Cancellation);
        _appended++;
        await AppendUntilAsync(engine, () => _begun.Count == 3);
        Assert.Equal(4 * 4096, _begun[2]);
    }

    [Fact]
    public async Task None_is_kept_where_that_is_switched_off()
    {
        await using var engine = await OpenAsync(recycles: false);
        await AppendUntilAsync(engine, () => _begun.Count == 4);
        Assert.All(_begun, length => Assert.Equal(40, length));
        Assert.False(_disk.FileExists(Spare));
    }

    [Fact]
    public async Task A_full_disk_takes_the_spare_file_s_room_before_it_refuses_a_commit()
    {
        await using var engine = await OpenAsync(journalBytesMax: 200_000);
        await AppendUntilAsync(engine, () => _disk.FileExists(Spare));

        // A topic is created after one was deleted only when no checkpoint is at work that may need the deleted one's files.
        await engine.CreateTopicAsync(new TopicSpecification { Name = "gone", Partitions = 1 }, Cancellation);
        await engine.DeleteTopicAsync("gone", Cancellation);
        await engine.CreateTopicAsync(new TopicSpecification { Name = "new", Partitions = 1 }, Cancellation);
        Assert.True(_disk.FileExists(Spare));

        _disk.BytesFree = 0;
        var begun = _begun.Count;
        await AppendUntilAsync(engine, () => !_disk.FileExists(Spare)); // where the next segment needs room
        Assert.Equal(begun, _begun.Count);
        var failure = await Assert.ThrowsAsync<MillraceException>(() => AppendUntilAsync(engine, () => false));
        Assert.Equal(FailureCodes.DiskFull, failure.Code);

        _disk.BytesFree = -1;
        await AppendAsync(engine);
        Assert.Equal(_appended, (await engine.FindTopicAsync("t", Cancellation))!.Partitions[0].EndOffset);
    }

    [Fact]
    public async Task Another_file_in_the_folder_is_named()
    {
        await using (await OpenAsync())
        {
        }

        foreach (var name in new[] { "00000000000000000001.journal", "copy.journal" }) _disk.Open($"{Journal}/{name}", create: true).Dispose();
        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());
        Assert.Equal(FailureCodes.Corrupt, failure.Code);
        Assert.Contains("copy.journal", failure.Message, StringComparison.Ordinal);
    }

    private async Task AssertAllThereAsync(Action? andThen = null)
    {
        await using var engine = await OpenAsync();
        andThen?.Invoke();
        Assert.Equal(_appended, (await engine.FindTopicAsync("t", Cancellation))!.Partitions[0].EndOffset);
        await AppendAsync(engine);
    }

    private async Task AppendUntilAsync(LogEngine engine, Func<bool> isDone)
    {
        for (var i = 0; i < 100_000 && !isDone(); i++) await AppendAsync(engine);
        Assert.True(isDone());
    }

    private async Task AppendAsync(LogEngine engine)
    {
        await engine.AppendAsync(Target, batch => batch.Add(0, "k"u8, new byte[300]), null, Cancellation);
        _appended++;
    }

    private string Current() => $"{Journal}/{_disk.ListFiles(Journal).Last(name => name != "spare")}";

    private long LengthOf(string path)
    {
        using var file = _disk.Open(path, create: false);
        return file.Length;
    }

    private async Task<LogEngine> OpenAsync(int journalBytesMax = 4096, bool recycles = true)
    {
        var options = new LogOptions
        {
            Storage = _disk, JournalBytesMax = journalBytesMax, SegmentBytesMax = 50_000, RecyclesJournal = recycles,
        };
        var engine = await LogEngine.OpenAsync("/disk/log", options, Cancellation);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        return engine;
    }
}

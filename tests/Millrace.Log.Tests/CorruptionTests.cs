namespace Millrace.Log.Tests;

/// <summary>Damage on the disk is named with file and offset; nothing is skipped or guessed.</summary>
public sealed class CorruptionTests
{
    private static readonly TopicPartition Target = new("t", 0);

    private readonly SimulatedDisk _disk = new(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_damaged_frame_that_others_follow_stops_the_start()
    {
        var path = await CrashWithJournalAsync();
        Flip(path, position: 2000);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());

        Assert.Equal(FailureCodes.Corrupt, failure.Code);
        Assert.Contains(path, failure.Message, StringComparison.Ordinal);
        Assert.Contains("offset", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_torn_last_frame_is_cut_off()
    {
        var path = await CrashWithJournalAsync();
        using (var file = _disk.Open(path, create: false)) file.SetLength(file.Length - 10);

        await using var engine = await OpenAsync();

        Assert.Equal(19, (await engine.FindTopicAsync("t", Cancellation))!.Partitions[0].EndOffset);
        Assert.Equal(19, await AppendAsync(engine));
    }

    [Fact]
    public async Task Bytes_of_an_older_file_at_the_tail_never_pass_for_a_frame()
    {
        var path = await CrashWithJournalAsync();
        var older = new byte[700];
        using (var file = _disk.Open(path, create: false))
        {
            file.Read(40, older);
            file.Write(file.Length, older);
        }

        await using var engine = await OpenAsync();

        Assert.Equal(20, (await engine.FindTopicAsync("t", Cancellation))!.Partitions[0].EndOffset);
    }

    [Theory]
    [InlineData("checkpoint", 30)]
    [InlineData("checkpoint", 0)]
    [InlineData("checkpoint", 13)]
    public async Task A_damaged_checkpoint_stops_the_start(string name, int position)
    {
        await (await FillAsync()).DisposeAsync();
        Flip("/disk/log/" + name, position);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());

        Assert.Equal(FailureCodes.Corrupt, failure.Code);
        Assert.Contains("/disk/log/" + name, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_batch_is_named_when_it_is_read()
    {
        await (await FillAsync()).DisposeAsync();
        var path = "/disk/log/logs/t-0/00000000000000000000.log";
        Flip(path, 500);
        await using var engine = await OpenAsync();
        using var reader = engine.OpenReader(Target, 0);

        var failure = Assert.Throws<MillraceException>(() => reader.TryRead(100_000));

        Assert.Equal(FailureCodes.Corrupt, failure.Code);
        Assert.Contains(path, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_segment_stops_the_start()
    {
        await (await FillAsync()).DisposeAsync();
        _disk.DeleteFile("/disk/log/logs/t-0/00000000000000000000.log");

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());

        Assert.Equal(FailureCodes.Corrupt, failure.Code);
    }

    [Fact]
    public async Task A_file_of_a_newer_version_is_refused_as_such()
    {
        var path = await CrashWithJournalAsync();
        using (var file = _disk.Open(path, create: false))
        {
            var header = new byte[Journal.FrameFormat.FileHeaderSize];
            file.Read(0, header);
            header[8] = 2;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(32), Crc32C.Of(header.AsSpan(0, 32)));
            file.Write(0, header);
        }

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());

        Assert.Equal(FailureCodes.UnknownVersion, failure.Code);
    }

    private async Task<string> CrashWithJournalAsync()
    {
        var engine = await FillAsync();
        _disk.PowerOff();
        await engine.DisposeAsync();
        _disk.PowerOn();
        return "/disk/log/journal/" + Assert.Single(_disk.ListFiles("/disk/log/journal"));
    }

    private async Task<LogEngine> FillAsync()
    {
        var engine = await OpenAsync();
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        for (var i = 0; i < 20; i++) await AppendAsync(engine);
        return engine;
    }

    private async Task<LogEngine> OpenAsync() => await LogEngine.OpenAsync("/disk/log", new LogOptions { Storage = _disk, Random = new Random(5) }, Cancellation);

    private static async Task<long> AppendAsync(LogEngine engine) =>
        await engine.AppendAsync(Target, batch => batch.Add(0, "k"u8, new byte[200]), null, Cancellation);

    private void Flip(string path, long position)
    {
        using var file = _disk.Open(path, create: false);
        var one = new byte[1];
        file.Read(position, one);
        one[0] ^= 0xFF;
        file.Write(position, one);
    }
}

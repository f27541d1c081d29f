namespace Millrace.Log.Tests;

/// <summary>The folder on the real disk: who may open it, what a clean stop leaves, options.</summary>
public sealed class DirectoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("millrace-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_second_opening_is_refused_and_names_the_folder()
    {
        await using var first = await LogEngine.OpenAsync(_directory, null, Cancellation);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await LogEngine.OpenAsync(_directory, null, Cancellation));

        Assert.Equal(FailureCodes.DirectoryLocked, failure.Code);
        Assert.Contains(_directory, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_a_clean_stop_the_journal_is_empty_and_the_index_files_are_Kafkas()
    {
        await using (var engine = await LogEngine.OpenAsync(_directory, null, Cancellation))
        {
            await engine.CreateTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
            for (var i = 0; i < 50; i++) await engine.AppendAsync(new TopicPartition("t", 0), b => b.Add(i, "k"u8, new byte[1000]), null, Cancellation);
        }

        Assert.Empty(Directory.GetFiles(Path.Combine(_directory, "journal")));
        var partition = Path.Combine(_directory, "logs", "t-0");
        Assert.Equal(0, new FileInfo(Path.Combine(partition, "00000000000000000000.index")).Length % 8);
        Assert.Equal(0, new FileInfo(Path.Combine(partition, "00000000000000000000.timeindex")).Length % 12);
        Assert.StartsWith("version: 0\ntopic_id: ", await File.ReadAllTextAsync(Path.Combine(partition, "partition.metadata"), Cancellation), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(LogOptions.SegmentBytesMax), 0)]
    [InlineData(nameof(LogOptions.JournalBytesMax), -1)]
    [InlineData(nameof(LogOptions.QueuedCommitsMax), 0)]
    public async Task An_option_out_of_range_is_refused_by_name_and_value(string name, int value)
    {
        var options = name switch
        {
            nameof(LogOptions.SegmentBytesMax) => new LogOptions { SegmentBytesMax = value },
            nameof(LogOptions.JournalBytesMax) => new LogOptions { JournalBytesMax = value },
            _ => new LogOptions { QueuedCommitsMax = value },
        };

        var failure = await Assert.ThrowsAsync<ArgumentException>(async () => await LogEngine.OpenAsync(_directory, options, Cancellation));

        Assert.Contains(name, failure.Message, StringComparison.Ordinal);
        Assert.Contains(value.ToString(System.Globalization.CultureInfo.InvariantCulture), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_topics_files_are_gone_and_its_name_can_be_used_again_also_over_a_crash()
    {
        var disk = new SimulatedDisk(3);
        var options = new LogOptions { Storage = disk, Random = new Random(3) };
        var engine = await LogEngine.OpenAsync("/disk/log", options, Cancellation);
        await engine.CreateTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        await engine.AppendAsync(new TopicPartition("t", 0), b => b.Add(0, "k"u8, "old"u8), null, Cancellation);
        await engine.DeleteTopicAsync("t", Cancellation);
        var created = await engine.CreateTopicAsync(new TopicSpecification { Name = "t", Partitions = 2 }, Cancellation);
        await engine.AppendAsync(new TopicPartition("t", 0), b => b.Add(0, "k"u8, "new"u8), null, Cancellation);
        disk.PowerOff();
        await engine.DisposeAsync();
        disk.PowerOn();

        await using var again = await LogEngine.OpenAsync("/disk/log", options, Cancellation);

        var found = await again.FindTopicAsync("t", Cancellation);
        Assert.Equal(created.Id, found!.Id);
        using var reader = again.OpenReader(new TopicPartition("t", 0), 0);
        using var records = await reader.ReadAsync(1000, Cancellation);
        foreach (var record in records) Assert.Equal("new"u8.ToArray(), record.Value.ToArray());
        Assert.Equal(1, records.NextOffset);
    }

    [Fact]
    public async Task A_topic_created_again_keeps_its_files_when_its_predecessor_was_deleted_during_a_checkpoint()
    {
        var disk = new SimulatedDisk(4);
        var options = new LogOptions { Storage = disk, Random = new Random(4), JournalBytesMax = 4096 };
        using var release = new ManualResetEventSlim();
        var isHeld = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (var engine = await LogEngine.OpenAsync("/disk/log", options, Cancellation))
        {
            await engine.CreateTopicAsync(new TopicSpecification { Name = "busy", Partitions = 1 }, Cancellation);
            await engine.CreateTopicAsync(new TopicSpecification { Name = "t", Partitions = 2 }, Cancellation);
            disk.BeforeDirectorySync = path =>
            {
                if (!path.EndsWith("logs", StringComparison.Ordinal)) return;
                isHeld.TrySetResult();
                release.Wait(Cancellation);
            };
            for (var i = 0; i < 10; i++)
                await engine.AppendAsync(new TopicPartition("busy", 0), b => b.Add(0, "k"u8, new byte[1000]), null, Cancellation);
            await isHeld.Task;

            await engine.DeleteTopicAsync("t", Cancellation);
            var creation = engine.CreateTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
            release.Set();
            await creation;
            await engine.AppendAsync(new TopicPartition("t", 0), b => b.Add(0, "k"u8, "new"u8), null, Cancellation);
        }

        await using var again = await LogEngine.OpenAsync("/disk/log", options, Cancellation);
        using var reader = again.OpenReader(new TopicPartition("t", 0), 0);
        using var records = await reader.ReadAsync(1000, Cancellation);
        foreach (var record in records) Assert.Equal("new"u8.ToArray(), record.Value.ToArray());
        Assert.Equal(["busy-0", "t-0"], disk.ListDirectories("/disk/log/logs"));
    }

    [Fact]
    public void Sync_errors_of_the_system_reach_the_caller()
    {
        // fdatasync on a pipe is EINVAL.
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Uses a Linux pipe.");
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream(System.IO.Pipes.PipeDirection.Out);
        using var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);

        var failure = Assert.Throws<IOException>(() => Disk.SystemCalls.SyncData(handle, "pipe"));

        Assert.Contains("fdatasync of pipe failed", failure.Message, StringComparison.Ordinal);
    }
}

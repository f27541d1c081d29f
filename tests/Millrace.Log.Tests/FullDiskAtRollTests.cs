using System.Globalization;
using Millrace.Log.Journal;

namespace Millrace.Log.Tests;

/// <summary>
/// The next journal file meets a full disk while it is begun: the one before it goes on, beyond the name of the one that was begun, and
/// nothing that was acknowledged is lost, however the process ends.
/// </summary>
public sealed class FullDiskAtRollTests
{
    private const string Folder = "/disk/log/journal";

    private static readonly TopicPartition Target = new("t", 0);

    private readonly SimulatedDisk _disk = new(1);
    private int _appended;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, int, bool, string> Cases { get; } = new MatrixTheoryData<string, int, bool, string>(
        ["create", "write", "sync", "rename", "sync directory"], [1, 2, int.MaxValue], [false, true], ["kill", "power loss", "stop"]);

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task What_was_acknowledged_is_there(string operation, int times, bool hasSpare, string end)
    {
        var engine = await OpenAsync();
        while (hasSpare && !_disk.FileExists(Folder + "/spare")) await AppendAsync(engine);
        var current = Current();
        var left = times;
        _disk.IsFullAt = (what, path) => what == operation && IsOfANext(path, current) && left-- > 0;
        for (var i = 0; i < 60; i++) await AppendAsync(engine);

        switch (end)
        {
            case "kill":
                _disk.PowerOff();
                await engine.DisposeAsync();
                _disk.Kill();
                break;
            case "power loss":
                _disk.PowerOff();
                await engine.DisposeAsync();
                _disk.PowerOn();
                break;
            default:
                await engine.DisposeAsync();
                break;
        }

        _disk.IsFullAt = (_, _) => false;
        await AssertThereAndGoesOnAsync(_disk.PowerOn);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("header")]
    [InlineData("used before")]
    public async Task Names_that_a_power_loss_brings_back_of_files_that_were_given_up_end_nothing(string content)
    {
        var engine = await OpenAsync();
        var (current, first) = (Current(), long.Parse(Current().AsSpan(0, 20), CultureInfo.InvariantCulture));
        _disk.IsFullAt = (what, path) => what == "create" && IsOfANext(path, current);
        for (var i = 0; i < 60; i++) await AppendAsync(engine);
        _disk.PowerOff();
        await engine.DisposeAsync();
        _disk.Kill();
        _disk.IsFullAt = (_, _) => false;
        foreach (var given in new[] { first + 20, first + 21, first + 40 }) GiveUp(current, given, content);

        await AssertThereAndGoesOnAsync(_disk.Kill);
    }

    [Fact]
    public async Task A_damaged_frame_before_the_name_of_a_file_that_was_given_up_is_named()
    {
        var engine = await OpenAsync();
        var current = Current();
        _disk.IsFullAt = (what, path) => what == "sync directory" && path == Folder;
        for (var i = 0; i < 60; i++) await AppendAsync(engine);
        _disk.PowerOff();
        await engine.DisposeAsync();
        _disk.Kill();
        using (var file = _disk.Open($"{Folder}/{current}", create: false)) file.Write(700, "damage"u8);

        var failure = await Assert.ThrowsAsync<MillraceException>(async () => await OpenAsync());
        Assert.Equal(FailureCodes.Corrupt, failure.Code);
        Assert.Contains(current, failure.Message, StringComparison.Ordinal);
    }

    private async Task AssertThereAndGoesOnAsync(Action revive)
    {
        await using (var again = await OpenAsync())
        {
            Assert.Equal(_appended, Counting.RecordsOf(again, Target));
            for (var i = 0; i < 30; i++) await AppendAsync(again);
            _disk.PowerOff();
        }

        revive();
        await using var last = await OpenAsync();
        Assert.Equal(_appended, Counting.RecordsOf(last, Target));
    }

    private void GiveUp(string current, long first, string content)
    {
        using var file = _disk.Open($"{Folder}/{first:D20}.journal", create: true);
        if (content == "empty") return;
        Span<byte> header = stackalloc byte[FrameFormat.FileHeaderSize];
        FrameFormat.WriteFileHeader(header, salt: 4711 + (ulong)first, first);
        file.Write(0, header);
        if (content == "header") return;
        using var before = _disk.Open($"{Folder}/{current}", create: false);
        var frames = new byte[3000];
        before.Read(header.Length, frames);
        file.Write(header.Length, frames);
    }

    private static bool IsOfANext(string path, string current) => path == Folder
        || (Path.GetDirectoryName(path) == Folder && string.CompareOrdinal(Path.GetFileName(path), current) > 0);

    private string Current() => _disk.ListFiles(Folder).Last(name => name != "spare");

    private async Task AppendAsync(LogEngine engine)
    {
        await engine.AppendAsync(Target, batch => batch.Add(0, "k"u8, new byte[300]), null, Cancellation);
        _appended++;
    }

    private async Task<LogEngine> OpenAsync()
    {
        var engine = await LogEngine.OpenAsync("/disk/log", new LogOptions { Storage = _disk, JournalBytesMax = 4096, SegmentBytesMax = 50_000 }, Cancellation);
        await engine.EnsureTopicAsync(new TopicSpecification { Name = "t", Partitions = 1 }, Cancellation);
        return engine;
    }
}

using Millrace.Contract;
using Millrace.RocksDb;

namespace Millrace.Log.Tests;

/// <summary>
/// A folder of its own for each test. A crash is a copy of the folder taken while the engine is open: what the operating system had at that
/// moment, as after a kill. The tests crash while no call is under way; crashes in the middle of calls are the business of the kill -9
/// program.
/// </summary>
internal sealed class LogHost(LogOptions? options = null, RocksDbStateStores? stores = null) : EngineHost
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), $"millrace-contract-{Guid.NewGuid():N}");
    private int _life;

    /// <summary>Files so small that segments roll and checkpoints are made all the time.</summary>
    public static LogOptions SmallFiles =>
        new() { SegmentBytesMax = 4096, JournalBytesMax = 4096, IndexIntervalBytes = 256, GroupBytesMax = 2048 };

    /// <summary>Small segments and a long journal, so that recovery writes many segments again.</summary>
    public static LogOptions SmallSegments => new() { SegmentBytesMax = 4096, IndexIntervalBytes = 256 };

    /// <summary>State on disk, in buffers so small that RocksDB writes files by itself all the time.</summary>
    public static LogHost WithStateOnDisk(LogOptions? options = null) => new(options, new RocksDbStateStores(new RocksDbOptions
    {
        BlockCacheBytesMax = 1 << 20,
        WriteBufferBytesMax = 64 << 10,
    }));

    public override bool CanCrash => true;

    public override bool HasDenseOffsets => true;

    private string Folder => Path.Combine(_root, $"life-{_life}");

    public override async ValueTask<Engine> OpenAsync(CancellationToken cancellation) =>
        await LogEngine.OpenAsync(
            Folder, stores is null ? options : (options ?? new LogOptions()) with { OpenStateStore = stores.Open }, cancellation);

    public override async ValueTask CrashAsync(Engine engine)
    {
        var crashed = Folder;
        _life++;
        CopyAtOneMoment(crashed, Folder);
        await engine.DisposeAsync();
    }

    public override ValueTask DisposeAsync()
    {
        stores?.Dispose();
        Directory.Delete(_root, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Copies until nothing changed meanwhile: a checkpoint may still have been under way.</summary>
    private static void CopyAtOneMoment(string from, string to)
    {
        while (true)
        {
            var before = Describe(from);
            if (before is not null && TryCopy(from, to) && Describe(from) == before) return;
            if (Directory.Exists(to)) Directory.Delete(to, recursive: true);
        }
    }

    /// <summary>What is there, or null when a file went while it was looked at.</summary>
    private static string? Describe(string folder)
    {
        try
        {
            return string.Join('\n', new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
                .Select(file => $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}").Order(StringComparer.Ordinal));
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static bool TryCopy(string from, string to)
    {
        try
        {
            Directory.CreateDirectory(to);
            foreach (var folder in Directory.GetDirectories(from, "*", SearchOption.AllDirectories))
                Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
            foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
            {
                // The lock belongs to the process and is not part of the data.
                if (Path.GetFileName(file) == "lock") continue;
                using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using var target = new FileStream(Path.Combine(to, Path.GetRelativePath(from, file)), FileMode.Create);
                source.CopyTo(target);
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}

public sealed class LogTopicContract : TopicContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogAppendContract : AppendContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogReadContract : ReadContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogConditionalAppendContract : ConditionalAppendContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogProducerContract : ProducerContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogGroupContract : GroupContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogOwnedCommitContract : OwnedCommitContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogStateContract : StateContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogLagContract : LagContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogStopContract : StopContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class LogConcurrencyContract : ConcurrencyContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class SmallFilesAppendContract : AppendContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesReadContract : ReadContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesConditionalAppendContract : ConditionalAppendContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesProducerContract : ProducerContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesOwnedCommitContract : OwnedCommitContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesStateContract : StateContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallFilesConcurrencyContract : ConcurrencyContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallSegmentsAppendContract : AppendContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallSegments);
}

public sealed class SmallSegmentsReadContract : ReadContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallSegments);
}

public sealed class LogModelContract : ModelContract
{
    protected override EngineHost CreateHost() => new LogHost();
}

public sealed class SmallFilesModelContract : ModelContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class SmallSegmentsModelContract : ModelContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallSegments);
}

public sealed class SmallFilesTopicContract : TopicContract
{
    protected override EngineHost CreateHost() => new LogHost(LogHost.SmallFiles);
}

public sealed class StateOnDiskOwnedCommitContract : OwnedCommitContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class StateOnDiskStateContract : StateContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class StateOnDiskModelContract : ModelContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class StateOnDiskStopContract : StopContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class StateOnDiskGroupContract : GroupContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class StateOnDiskConcurrencyContract : ConcurrencyContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk();
}

public sealed class SmallFilesAndStateOnDiskOwnedCommitContract : OwnedCommitContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk(LogHost.SmallFiles);
}

public sealed class SmallFilesAndStateOnDiskStateContract : StateContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk(LogHost.SmallFiles);
}

public sealed class SmallFilesAndStateOnDiskModelContract : ModelContract
{
    protected override EngineHost CreateHost() => LogHost.WithStateOnDisk(LogHost.SmallFiles);
}

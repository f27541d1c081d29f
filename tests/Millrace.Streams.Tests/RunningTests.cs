using Millrace.Contract;
using Millrace.Log;
using Millrace.Streams.Contract;

namespace Millrace.Streams.Tests;

/// <summary>The embedded engine in a folder of its own for each test.</summary>
internal sealed class FolderHost : EngineHost
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-streams-");

    public override bool CanCrash => false;

    public override bool HasDenseOffsets => true;

    public override async ValueTask<Engine> OpenAsync(CancellationToken cancellation) =>
        await LogEngine.OpenAsync(_directory.FullName, new LogOptions { JournalBytesMax = 4 << 20 }, cancellation);

    public override ValueTask CrashAsync(Engine engine) => throw new NotSupportedException();

    public override ValueTask DisposeAsync()
    {
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}

public sealed class EmbeddedStreamsContract : StreamsContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Millrace.Contract;
using Millrace.Log;
using Millrace.RocksDb;
using Millrace.Streams.Contract;

namespace Millrace.Streams.Tests;

/// <summary>The embedded engine in a folder of its own for each test.</summary>
internal sealed class FolderHost(bool hasStateOnDisk = false) : EngineHost
{
    private readonly RocksDbStateStores? _stores = hasStateOnDisk
        ? new RocksDbStateStores(new RocksDbOptions { BlockCacheBytesMax = 1 << 20, WriteBufferBytesMax = 64 << 10 })
        : null;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("millrace-streams-");

    public override bool CanCrash => false;

    public override bool HasDenseOffsets => true;

    public override async ValueTask<Engine> OpenAsync(CancellationToken cancellation) =>
        await LogEngine.OpenAsync(_directory.FullName, new LogOptions { JournalBytesMax = 4 << 20, OpenStateStore = _stores is null ? null : _stores.Open },
            cancellation);

    public override ValueTask CrashAsync(Engine engine) => throw new NotSupportedException();

    public override ValueTask DisposeAsync()
    {
        _stores?.Dispose();
        _directory.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}

public sealed class EmbeddedStreamsContract : StreamsContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

public sealed class NothingInMemoryStreamsContract : StreamsContract
{
    protected override long? StateBytesMax => 0;

    protected override EngineHost CreateHost() => new FolderHost(hasStateOnDisk: true);
}

public sealed class LittleInMemoryStreamsContract : StreamsContract
{
    protected override long? StateBytesMax => 500;

    protected override EngineHost CreateHost() => new FolderHost(hasStateOnDisk: true);
}

public sealed class LittleInMemoryLoadContract : LoadContract
{
    protected override long? StateBytesMax => 10_000;

    protected override EngineHost CreateHost() => new FolderHost(hasStateOnDisk: true);
}

public sealed class EmbeddedGlobalTableContract : GlobalTableContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

public sealed class EmbeddedLoadContract : LoadContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

public sealed class EmbeddedLookupContract : LookupContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

public sealed class EmbeddedAlignmentContract : AlignmentContract
{
    protected override EngineHost CreateHost() => new FolderHost();
}

public sealed class HostTests
{
    [Fact]
    public async Task A_running_topology_explains_itself_while_its_partitions_come()
    {
        const int partitions = 256;
        var stop = TestContext.Current.CancellationToken;
        await using var folder = new FolderHost();
        await using var engine = await folder.OpenAsync(stop);
        await engine.CreateTopicAsync(new TopicSpecification { Name = "in", Partitions = partitions }, stop);
        var topology = new StreamTopology("growing");
        topology.From<string>("in").To(() => new Nowhere());
        using var running = new RunningTopology(topology);
        await using var runtime = new ProcessorRuntime(engine, running.Processors);
        var starting = runtime.StartAsync(stop);

        int shown;
        do shown = running.Explain().Stages[0].Partitions.Count;
        while (shown < partitions && !stop.IsCancellationRequested);
        await starting;

        Assert.Equal(partitions, shown);
    }

    [Fact]
    public async Task A_limit_of_state_on_an_engine_that_keeps_it_in_memory_is_refused_with_what_to_do()
    {
        await using var folder = new FolderHost();
        await using var engine = await folder.OpenAsync(TestContext.Current.CancellationToken);
        var topology = new StreamTopology("limited") { StateBytesMax = 1 << 20 };
        topology.From<string>("in").KeyBy(text => text).Deduplicate(1.Days()).To(() => new Nowhere());
        using var running = new RunningTopology(topology);

        var failure = Assert.Throws<ArgumentException>(() => new ProcessorRuntime(engine, running.Processors));

        Assert.Contains("'limited'", failure.Message, StringComparison.Ordinal);
        Assert.Contains("OpenStateStore", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_runs_its_topologies_which_are_services_and_defines_them_at_its_start()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var folder = new FolderHost();
        await using var services = new ServiceCollection()
            .AddSingleton("!")
            .AddMillrace(m => m
                .UseEngine(async (_, cancellation) => await folder.OpenAsync(cancellation))
                .AddTopic(new TopicSpecification { Name = "in", Partitions = 2 })
                .AddTopic(new TopicSpecification { Name = "out", Partitions = 2 })
                .AddStreams("one", (topology, provider) =>
                {
                    var mark = provider.GetRequiredService<string>();
                    topology.From<string>("in").Select(text => text + mark).To("out", new OutputOptions<string> { Key = text => text });
                })
                .AddStreams("two", topology => topology.From<string>("out").KeyBy(text => text).Deduplicate(1.Days()).To(() => new Nowhere())))
            .BuildServiceProvider();
        var hosted = services.GetServices<IHostedService>().Cast<IHostedLifecycleService>().Single();
        await hosted.StartingAsync(stop);
        await hosted.StartAsync(stop);

        await services.GetRequiredService<Engine>().AppendAsync(new TopicPartition("in", 1), batch => batch.Add(5, "k"u8, "hello"u8), null, stop);
        await services.GetRequiredService<ProcessorRuntime>().WaitUntilIdleAsync(stop);
        var running = services.GetServices<RunningTopology>().ToList();
        var wrote = running[0].Explain().Stages[0].Partitions.Sum(p => p.Operators[^1].RecordsOut);
        var read = running[1].Explain().Stages[0].Partitions.Sum(p => p.Operators[0].RecordsIn);
        await hosted.StopAsync(stop);
        await hosted.StoppedAsync(stop);

        Assert.Equal(["one", "two"], running.Select(one => one.Topology.Name));
        Assert.Equal((1L, 1L), (wrote, read));
        Assert.Empty(running[0].Explain().Stages[0].Partitions);
    }

    private sealed class Nowhere : Sink<string>
    {
        public override void Push(string value, long timestamp)
        {
        }

        public override void Advance(long watermark)
        {
        }
    }
}

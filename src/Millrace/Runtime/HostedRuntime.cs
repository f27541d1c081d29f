using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace;

/// <summary>What the calls of AddMillrace asked for; read once, when the host starts.</summary>
internal sealed class HostPlan
{
    public Func<IServiceProvider, CancellationToken, ValueTask<Engine>>? OpenEngine { get; set; }

    public EventRegistry? Events { get; set; }

    public List<TopicSpecification> Topics { get; } = [];

    public List<Func<IServiceProvider, IReadOnlyList<Processor>>> Processors { get; } = [];

    public List<Func<ProcessorRuntimeOptions, ProcessorRuntimeOptions>> OptionChanges { get; } = [];
}

/// <summary>
/// Owns engine and runtime for a host. The engine opens in the host's first phase, before any service starts (a web server among them), and
/// is disposed in the last, so that requests under way during a stop still find it.
/// </summary>
internal sealed class HostedRuntime(HostPlan plan, IServiceProvider services) : IHostedLifecycleService, IAsyncDisposable
{
    private Engine? _engine;
    private ProcessorRuntime? _runtime;

    public Engine Engine => _engine ?? throw new InvalidOperationException(
        "The engine is not open: it opens when the host starts. Ask for it in a hosted service, a request, or after IHost.StartAsync.");

    public ProcessorRuntime Runtime => _runtime ?? throw new InvalidOperationException(
        "The processors are not there yet: they are made when the host starts. Ask for them in a hosted service, a request, or after " +
        "IHost.StartAsync.");

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (plan.OpenEngine is null)
        {
            throw new InvalidOperationException(
                "No engine is chosen: call UseEngine, or an engine's own method such as UseEmbeddedLog, within AddMillrace.");
        }

        _engine = await plan.OpenEngine(services, cancellationToken);
        foreach (var topic in plan.Topics) await _engine.EnsureTopicAsync(topic, cancellationToken);

        var processors = new List<Processor>(plan.Processors.Count);
        foreach (var make in plan.Processors) processors.AddRange(make(services));
        _runtime = new ProcessorRuntime(_engine, processors, Options());
    }

    public async Task StartAsync(CancellationToken cancellationToken) => await Runtime.StartAsync(cancellationToken);

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_runtime is not null) await _runtime.StopAsync(cancellationToken);
    }

    public async Task StoppedAsync(CancellationToken cancellationToken) => await DisposeAsync();

    /// <summary>Also ends what a start that failed half-way had opened: the container disposes what it made.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_runtime is not null) await _runtime.DisposeAsync();
        if (_engine is not null) await _engine.DisposeAsync();
    }

    private ProcessorRuntimeOptions Options()
    {
        var options = new ProcessorRuntimeOptions
        {
            Time = services.GetService<TimeProvider>() ?? TimeProvider.System,
            LoggerFactory = services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance,
            MeterFactory = services.GetService<IMeterFactory>(),
        };
        foreach (var change in plan.OptionChanges) options = change(options);
        return options;
    }
}

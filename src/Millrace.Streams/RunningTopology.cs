using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Streams.Definition;
using Millrace.Streams.Running;

namespace Millrace.Streams;

/// <summary>
/// A topology as processors: a stage of it per processor, each partition with its own instance. State, timers, positions and what is
/// written are one commit of the runtime. Give <see cref="Processors"/> to one <see cref="ProcessorRuntime"/>. Thread safe.
/// </summary>
public sealed class RunningTopology : IDisposable
{
    private readonly StageRun[] _runs;
    private readonly StreamsMeter _meter;

    /// <summary>Plans a topology's stages. The topology must not be changed afterwards.</summary>
    /// <param name="topology">The topology.</param>
    /// <param name="meters">Where its counters are made; a meter of its own when null.</param>
    /// <exception cref="ArgumentException">It reads nothing, or a topic's name leaves no room for that of its dead letters.</exception>
    public RunningTopology(StreamTopology topology, IMeterFactory? meters = null)
    {
        ArgumentNullException.ThrowIfNull(topology);
        if (topology.Sources.Count == 0) throw new ArgumentException($"Topology '{topology.Name}' reads nothing.", nameof(topology));
        foreach (var source in topology.Sources) new TopicSpecification { Name = DeadLetters.TopicOf(source.Name) }.Validate();
        Topology = topology;
        _meter = new StreamsMeter(meters);
        var stages = Stage.Of(topology);
        var alignments = topology.Alignments.Distinct(StringComparer.Ordinal)
            .ToDictionary(group => group, _ => new AlignmentGroup(), StringComparer.Ordinal);
        var state = new StateLimit(topology.StateBytesMax);
        _runs = [.. stages.Select(stage => new StageRun(topology, stage, stages, _meter) { Alignments = alignments, State = state })];
        Processors = [.. _runs.Select(run => run.Processor)];
    }

    /// <summary>The topology.</summary>
    public StreamTopology Topology { get; }

    /// <summary>
    /// A processor per stage. The first is called as the topology; one that begins behind a topic of the topology's own has the number of
    /// that operator behind the name. Those topics, and dead letters, are made at the start, with as many partitions as the topics before
    /// them.
    /// </summary>
    public IReadOnlyList<Processor> Processors { get; }

    /// <summary>What its operators have done and what they wait for, of the partitions that run in this process, as of their last
    /// calls.</summary>
    public TopologyStatus Explain() => new() { Name = Topology.Name, Stages = [.. _runs.Select(run => run.Status())] };

    /// <summary>Ends its meter, if it is its own.</summary>
    public void Dispose() => _meter.Dispose();
}

/// <summary>Adds streams to an application.</summary>
public static class StreamsRegistration
{
    /// <summary>
    /// Adds a topology. It is defined when the application starts, so that its mistakes stop the start. The <see cref="RunningTopology"/>
    /// is a singleton service; several topologies are several of them.
    /// </summary>
    /// <param name="builder">The application's Millrace.</param>
    /// <param name="name">The topology's name.</param>
    /// <param name="define">Says what is to be done with streams.</param>
    /// <exception cref="ArgumentException">The name is not possible.</exception>
    public static MillraceBuilder AddStreams(this MillraceBuilder builder, string name, Action<StreamTopology, IServiceProvider> define)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(define);
        _ = new StreamTopology(name);
        builder.Services.AddKeyedSingleton(name, (services, _) =>
        {
            var topology = new StreamTopology(name);
            define(topology, services);
            return new RunningTopology(topology, services.GetService<IMeterFactory>());
        });
        builder.Services.AddSingleton(services => services.GetRequiredKeyedService<RunningTopology>(name));
        return builder.AddProcessors(services => services.GetRequiredKeyedService<RunningTopology>(name).Processors);
    }

    /// <summary>Adds a topology that needs no service.</summary>
    /// <param name="builder">The application's Millrace.</param>
    /// <param name="name">The topology's name.</param>
    /// <param name="define">Says what is to be done with streams.</param>
    /// <exception cref="ArgumentException">The name is not possible.</exception>
    public static MillraceBuilder AddStreams(this MillraceBuilder builder, string name, Action<StreamTopology> define)
    {
        ArgumentNullException.ThrowIfNull(define);
        return AddStreams(builder, name, (topology, _) => define(topology));
    }
}

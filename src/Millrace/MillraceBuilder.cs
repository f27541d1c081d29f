using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Millrace;

/// <summary>
/// Says what a host runs: the engine, topics, processors. Handed to the action of <see cref="MillraceServices.AddMillrace"/>. Not thread
/// safe.
/// </summary>
public sealed class MillraceBuilder
{
    private readonly HostPlan _plan;

    internal MillraceBuilder(IServiceCollection services, HostPlan plan) => (Services, _plan) = (services, plan);

    /// <summary>The host's services, for extensions of this builder.</summary>
    public IServiceCollection Services { get; }

    /// <summary>
    /// Says how the engine is opened when the host starts; the host disposes it after everything else has stopped. Exactly one is needed.
    /// </summary>
    /// <exception cref="InvalidOperationException">An engine is chosen already.</exception>
    public MillraceBuilder UseEngine(Func<IServiceProvider, CancellationToken, ValueTask<Engine>> open)
    {
        ArgumentNullException.ThrowIfNull(open);
        if (_plan.OpenEngine is not null) throw new InvalidOperationException("An engine is chosen already; a host runs on one engine.");
        _plan.OpenEngine = open;
        return this;
    }

    /// <summary>A topic to create at the start unless it is there.</summary>
    /// <exception cref="ArgumentException">The specification breaks a rule, or another one of the same name was added.</exception>
    public MillraceBuilder AddTopic(TopicSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        specification.Validate();
        if (_plan.Topics.Find(topic => topic.Name == specification.Name) is not { } same)
        {
            _plan.Topics.Add(specification);
            return this;
        }

        if (same != specification) throw new ArgumentException($"Topic '{specification.Name}' was added with other settings already.");
        return this;
    }

    /// <summary>The registry of event types, which becomes a singleton service. At most one.</summary>
    /// <exception cref="InvalidOperationException">Another registry was added already: one host speaks of one closed set of
    /// types.</exception>
    public MillraceBuilder AddEvents(EventRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        if (_plan.Events is not null && _plan.Events != registry)
            throw new InvalidOperationException("A registry of events was added already; register all types in one.");
        _plan.Events = registry;
        Services.TryAddSingleton(registry);
        return this;
    }

    /// <summary>A processor to run. The function is called once, when the engine is open and the topics are there.</summary>
    public MillraceBuilder AddProcessor(Func<IServiceProvider, Processor> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        return AddProcessors(services => [make(services)]);
    }

    /// <summary>Processors to run that belong together. The function is called once, when the engine is open and the topics are
    /// there.</summary>
    public MillraceBuilder AddProcessors(Func<IServiceProvider, IReadOnlyList<Processor>> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        _plan.Processors.Add(make);
        return this;
    }

    /// <summary>
    /// Changes the runtime's options. They begin with the host's <see cref="TimeProvider"/> (when one is registered), logger factory and
    /// meter factory.
    /// </summary>
    public MillraceBuilder ConfigureRuntime(Func<ProcessorRuntimeOptions, ProcessorRuntimeOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        _plan.OptionChanges.Add(change);
        return this;
    }
}

/// <summary>Adds Millrace to a host.</summary>
public static class MillraceServices
{
    /// <summary>
    /// Adds an engine, topics and processors to a host; may be called several times, and all calls add up. A hosted service opens the
    /// engine and ensures the topics before any other hosted service starts, starts the processors, stops them when the host stops, and
    /// disposes the engine when everything has stopped. <see cref="Engine"/> and <see cref="ProcessorRuntime"/> can be injected from the
    /// start on; before it, asking for one throws an <see cref="InvalidOperationException"/>.
    /// </summary>
    public static IServiceCollection AddMillrace(this IServiceCollection services, Action<MillraceBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        configure(new MillraceBuilder(services, PlanOf(services)));
        return services;
    }

    private static HostPlan PlanOf(IServiceCollection services)
    {
        foreach (var service in services)
        {
            if (service.ServiceType == typeof(HostPlan) && service.ImplementationInstance is HostPlan known) return known;
        }

        var plan = new HostPlan();
        services.AddSingleton(plan);
        services.AddSingleton<HostedRuntime>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<HostedRuntime>());
        services.TryAddSingleton(provider => provider.GetRequiredService<HostedRuntime>().Engine);
        services.TryAddSingleton(provider => provider.GetRequiredService<HostedRuntime>().Runtime);
        return plan;
    }
}

using Microsoft.Extensions.Logging;

namespace Millrace.Messaging;

/// <summary>A group of handlers as it was defined and checked; shared by all its partitions. Immutable and thread safe.</summary>
internal sealed class HandlerGroup
{
    private readonly Dictionary<EventContract, HandlerMethod> _handlers = [];

    private HandlerGroup()
    {
    }

    public required string Name { get; init; }

    public required EventRegistry Registry { get; init; }

    /// <summary>The source of what is said; null when no handler says anything.</summary>
    public required string? Source { get; init; }

    public required int Parallelism { get; init; }

    public required int Attempts { get; init; }

    public required TimeSpan RetryDelay { get; init; }

    public required TimeSpan Retention { get; init; }

    /// <summary>How many events one partition remembers at most.</summary>
    public required int RememberedMax { get; init; }

    public required IReadOnlyList<StateStore> Stores { get; init; }

    public required HandlerMeter Meter { get; init; }

    public required ILogger Logger { get; init; }

    public HandlerMethod? Find(EventContract contract) => _handlers.GetValueOrDefault(contract);

    /// <summary>The pause after a failed attempt: the first delay, doubled with each further one.</summary>
    public TimeSpan DelayAfter(int attempt)
    {
        var delay = RetryDelay;
        for (var i = 1; i < attempt && delay < HandlersBuilder.RetryDelayMax; i++) delay *= 2;
        return delay < HandlersBuilder.RetryDelayMax ? delay : HandlersBuilder.RetryDelayMax;
    }

    public static HandlerGroup Create(
        string name, EventRegistry registry, HandlersBuilder builder, IServiceProvider? services, ILogger logger)
    {
        if (builder.Topics.Count == 0) throw new ArgumentException($"The handlers '{name}' read no topic; call From(...).");
        if (builder.Methods.Count == 0) throw new ArgumentException($"The handlers '{name}' have no handler; call Handle(...).");
        foreach (var topic in builder.Topics)
        {
            new TopicSpecification { Name = topic }.Validate();
            new TopicSpecification { Name = DeadLetters.TopicOf(topic) }.Validate();
        }

        var group = new HandlerGroup
        {
            Name = name,
            Registry = registry,
            Source = builder.Source,
            Parallelism = builder.Parallelism,
            Attempts = builder.Attempts,
            RetryDelay = builder.RetryDelay,
            Retention = builder.Retention,
            RememberedMax = builder.RememberedMax,
            Stores = [.. builder.Stores],
            Meter = HandlerMeter.Create(name, services),
            Logger = logger,
        };
        group.AddHandlers(builder.Methods, services);
        return group;
    }

    private void AddHandlers(IReadOnlyList<Delegate> methods, IServiceProvider? services)
    {
        var parser = new HandlerParser(Registry, Stores, services);
        var byType = new Dictionary<EventContract, HandlerMethod>();
        foreach (var method in methods)
        {
            var handler = parser.Parse(method);
            if (handler.CanSay && Source is null)
                throw new ArgumentException(
                    $"Handler {handler.Name} says events, but the handlers '{Name}' have no source; call WithSource(...).");
            if (byType.TryAdd(handler.Contract, handler)) continue;
            throw new ArgumentException(
                $"Handler {handler.Name}: events of type {handler.Contract.ClrType.Name} are handled by {byType[handler.Contract].Name} " +
                "already; " +
                "one group has one handler per type.");
        }

        // Old versions are lifted before they are handled, so they find the handler of the current one.
        foreach (var contract in Registry.Contracts)
        {
            if (byType.TryGetValue(contract.Current, out var handler)) _handlers.Add(contract, handler);
        }
    }
}

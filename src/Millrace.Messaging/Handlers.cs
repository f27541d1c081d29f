using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Millrace.Messaging;

/// <summary>Makes a processor of plain methods.</summary>
public static class Handlers
{
    /// <summary>
    /// Defines a group of handlers. Each is parsed and compiled here, once; handling an event uses no reflection (docs/decisions/0003).
    /// Thread safe; the result is immutable.
    /// </summary>
    /// <param name="name">The processor's name, which is its consumer group's id: 1 to 249 of <c>[a-zA-Z0-9._-]</c>.</param>
    /// <param name="registry">The types of event.</param>
    /// <param name="define">Says what the group reads, keeps and does.</param>
    /// <param name="services">Where services that handlers take as parameters come from, resolved here, once; also the logger
    /// factory.</param>
    /// <exception cref="ArgumentException">The definition has a mistake; the message names the handler, the parameter and the
    /// type.</exception>
    public static Processor Define(string name, EventRegistry registry, Action<HandlersBuilder> define, IServiceProvider? services = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(define);
        var builder = new HandlersBuilder();
        define(builder);
        var loggers = services?.GetService(typeof(ILoggerFactory)) as ILoggerFactory ?? NullLoggerFactory.Instance;
        var group = HandlerGroup.Create(name, registry, builder, services, loggers.CreateLogger("Millrace.Messaging." + name));
        return new Processor
        {
            Name = name,
            Topics = [.. builder.Topics],
            OffsetReset = builder.OffsetReset,
            Companions = [.. builder.Topics.Select(DeadLetters.CompanionOf)],
            Create = scope => new PartitionHandlers(group, scope),
        };
    }
}

using Microsoft.Extensions.DependencyInjection;

namespace Millrace.Messaging;

/// <summary>Adds handlers to an application.</summary>
public static class HandlersRegistration
{
    /// <summary>
    /// Adds a group of handlers. The definition runs when the application starts, so that its mistakes stop the start. The topic for dead
    /// letters of each topic read is created at the start, where it is missing, with as many partitions as that topic.
    /// </summary>
    /// <param name="builder">The application's Millrace.</param>
    /// <param name="name">The processor's name, which is its consumer group's id.</param>
    /// <param name="define">Says what the group reads, keeps and does.</param>
    public static MillraceBuilder AddHandlers(this MillraceBuilder builder, string name, Action<HandlersBuilder> define)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(define);
        return builder.AddProcessor(services => Handlers.Define(name, services.GetRequiredService<EventRegistry>(), define, services));
    }
}

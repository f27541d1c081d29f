using System.Collections;

namespace Millrace.Messaging;

/// <summary>How many events a return type holds.</summary>
internal enum ReturnCount
{
    None,
    One,
    Many,
}

/// <summary>A handler's return type, taken apart.</summary>
/// <param name="Count">How many events it holds.</param>
/// <param name="Task">The task type around it (<see cref="System.Threading.Tasks.Task"/>, <see cref="ValueTask"/> or their generic forms),
/// or null.</param>
/// <param name="Value">The type within the task, or the type itself; void when there is none.</param>
/// <param name="Item">The type of one event; void when there is none.</param>
internal readonly record struct ReturnShape(ReturnCount Count, Type? Task, Type Value, Type Item)
{
    /// <summary>Takes a type apart; null with a reason when it is none that a handler may have.</summary>
    public static ReturnShape? Of(Type type, EventRegistry registry, out string reason)
    {
        reason = "";
        if (type == typeof(Task) || type == typeof(ValueTask)) return new ReturnShape(ReturnCount.None, type, typeof(void), typeof(void));
        var definition = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        var task = definition == typeof(Task<>) || definition == typeof(ValueTask<>) ? definition : null;
        var value = task is null ? type : type.GetGenericArguments()[0];
        if (value == typeof(void)) return new ReturnShape(ReturnCount.None, null, value, value);
        if (IsEvent(value, registry)) return new ReturnShape(ReturnCount.One, task, value, value);
        if (ItemOf(value) is not { } item)
        {
            reason = $"{value.Name} is neither registered as an event nor a sequence of events";
            return null;
        }

        if (IsEvent(item, registry)) return new ReturnShape(ReturnCount.Many, task, value, item);
        reason = $"{item.Name} is not registered as an event";
        return null;
    }

    /// <summary>A registered class, or a type that can stand for one: object, an interface, an abstract class.</summary>
    private static bool IsEvent(Type type, EventRegistry registry)
    {
        if (type == typeof(object)) return true;
        if (typeof(IEnumerable).IsAssignableFrom(type) && !IsRegistered(type, registry)) return false;
        return type.IsInterface || type.IsAbstract
            ? registry.Contracts.Any(contract => type.IsAssignableFrom(contract.ClrType))
            : IsRegistered(type, registry);
    }

    private static bool IsRegistered(Type type, EventRegistry registry) =>
        registry.Contracts.Any(contract => !contract.IsOld && contract.ClrType == type);

    private static Type? ItemOf(Type type)
    {
        var sequences = type.GetInterfaces().Append(type)
            .Where(t => t.IsGenericType && t.GetGenericTypeDefinition() == typeof(IEnumerable<>)).ToList();
        return sequences.Count == 1 && type != typeof(string) ? sequences[0].GetGenericArguments()[0] : null;
    }
}

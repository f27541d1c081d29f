using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Millrace.Messaging;

/// <summary>
/// Reads a delegate's signature once, at the start, and compiles the call: afterwards an event costs one delegate call and a cast per
/// parameter (docs/decisions/0003-handlers-are-compiled-at-start.md).
/// </summary>
internal sealed class HandlerParser(EventRegistry registry, IReadOnlyList<StateStore> stores, IServiceProvider? services)
{
    /// <exception cref="ArgumentException">The signature is not a handler's; the message names the handler, the parameter and the
    /// type.</exception>
    public HandlerMethod Parse(Delegate handler)
    {
        var method = handler.Method;
        // The first argument of a static method may be bound into the delegate, as it is in compiled expressions and in extension methods.
        var parameters = method.GetParameters().Skip(method.IsStatic && handler.Target is not null ? 1 : 0).ToArray();
        var name = NameOf(method, parameters);
        RequireMethod(handler, method, name);
        if (parameters.Length == 0) throw new ArgumentException($"Handler {name} has no parameter; the first one is the event.");
        foreach (var parameter in parameters) RequireByValue(parameter, name);

        var contract = EventOf(parameters[0], name);
        var shape = ReturnShape.Of(method.ReturnType, registry, out var reason) ?? throw new ArgumentException(
            $"Handler {name} returns {method.ReturnType.Name}: {reason}. It may return nothing, an event, a sequence of events, or a " +
            "task of these.");

        var call = Expression.Parameter(typeof(HandlerCall), "call");
        var storesTaken = new List<int>();
        var arguments = new Expression[parameters.Length];
        arguments[0] = Expression.Convert(Expression.Property(call, nameof(HandlerCall.Data)), parameters[0].ParameterType);
        for (var i = 1; i < parameters.Length; i++) arguments[i] = Argument(call, parameters[i], name, storesTaken);

        var body = ReturnedEvents.Gather(Expression.Invoke(Expression.Constant(handler, handler.GetType()), arguments), shape, call);
        return new HandlerMethod
        {
            Name = name,
            Contract = contract,
            Stores = [.. storesTaken],
            CanSay = shape.Count != ReturnCount.None,
            Invoke = Expression.Lambda<HandlerInvoker>(body, call).Compile(),
        };
    }

    private static void RequireMethod(Delegate handler, MethodInfo method, string name)
    {
        if (!handler.HasSingleTarget) throw new ArgumentException(
            $"Handler {name} is a delegate of several methods; register each on its own.");
        if (method.IsGenericMethod) throw new ArgumentException($"Handler {name} is a generic method; a handler is for one type of event.");
        if (method.ReturnType == typeof(void) && method.IsDefined(typeof(AsyncStateMachineAttribute), false))
            throw new ArgumentException($"Handler {name} is async void, whose end and failure nobody could see; return a Task.");
    }

    private static void RequireByValue(ParameterInfo parameter, string name)
    {
        if (parameter.ParameterType.IsByRef)
            throw new ArgumentException($"Handler {name}, parameter '{parameter.Name}': ref, in and out are not possible.");
        if (parameter.ParameterType.IsByRefLike || parameter.ParameterType.IsPointer)
            throw new ArgumentException(
                $"Handler {name}, parameter '{parameter.Name}': {parameter.ParameterType.Name} cannot outlive a call.");
    }

    private EventContract EventOf(ParameterInfo parameter, string name)
    {
        try
        {
            return registry.Find(parameter.ParameterType);
        }
        catch (ArgumentException failure)
        {
            throw new ArgumentException(
                $"Handler {name}, parameter '{parameter.Name}': the first parameter is the event, but {failure.Message}", failure);
        }
    }

    private Expression Argument(ParameterExpression call, ParameterInfo parameter, string name, List<int> storesTaken)
    {
        var type = parameter.ParameterType;
        if (type == typeof(MessageContext)) return Expression.Property(call, nameof(HandlerCall.Context));
        if (type == typeof(CancellationToken)) return Expression.Property(call, nameof(HandlerCall.Cancellation));
        if (type == typeof(TimeProvider)) return Expression.Property(call, nameof(HandlerCall.Time));
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(State<>))
            return StateArgument(call, parameter, name, storesTaken);
        if (registry.Contracts.Any(contract => contract.ClrType == type))
            throw new ArgumentException(
                $"Handler {name}, parameter '{parameter.Name}': a second event, {type.Name}; a handler takes one, as its first parameter.");
        return Expression.Constant(Service(parameter, name), type);
    }

    private UnaryExpression StateArgument(ParameterExpression call, ParameterInfo parameter, string name, List<int> storesTaken)
    {
        var kept = parameter.ParameterType.GetGenericArguments()[0];
        var index = -1;
        for (var i = 0; i < stores.Count && index < 0; i++) index = stores[i].ValueType == kept ? i : -1;
        if (index < 0)
        {
            throw new ArgumentException(
                $"Handler {name}, parameter '{parameter.Name}': State<{kept.Name}> is not kept; add WithState(name, typeInfo) for " +
                $"{kept.Name}.");
        }

        if (storesTaken.Contains(index)) throw new ArgumentException(
            $"Handler {name}, parameter '{parameter.Name}': State<{kept.Name}> is taken twice.");
        storesTaken.Add(index);
        return Expression.Convert(
            Expression.Call(call, nameof(HandlerCall.StateAt), null, Expression.Constant(index)), parameter.ParameterType);
    }

    private object Service(ParameterInfo parameter, string name)
    {
        Exception? cause = null;
        try
        {
            if (services?.GetService(parameter.ParameterType) is { } service) return service;
        }
        catch (InvalidOperationException failure)
        {
            // A scoped service asked of the root, or a service that lacks one of its own.
            cause = failure;
        }

        var why = cause?.Message ?? (services is null ? "no services were given" : "no such service is registered");
        throw new ArgumentException(
            $"Handler {name}, parameter '{parameter.Name}': {parameter.ParameterType.Name} is none of MessageContext, State<T>, " +
            "CancellationToken and " +
            $"TimeProvider, and not a service that can be resolved once, at the start: {why}.",
            cause);
    }

    private static string NameOf(MethodInfo method, ParameterInfo[] parameters)
    {
        var owner = method.DeclaringType;
        if (!method.Name.Contains('<', StringComparison.Ordinal)) return owner is null ? method.Name : $"{owner.Name}.{method.Name}";
        // The compiler's own name of a lambda or local function would tell nobody anything.
        while (owner is { DeclaringType: not null } && owner.Name.Contains('<', StringComparison.Ordinal)) owner = owner.DeclaringType;
        return $"'({string.Join(", ", parameters.Select(p => $"{p.ParameterType.Name} {p.Name}"))}) =>' in {owner?.Name}";
    }
}

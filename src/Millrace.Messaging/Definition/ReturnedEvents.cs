using System.Linq.Expressions;
using System.Reflection;

namespace Millrace.Messaging;

/// <summary>Puts what a handler returns into its call, whatever the shape: the ends of the compiled expressions.</summary>
internal static class ReturnedEvents
{
    /// <summary>Wraps the call of the user's method so that its result is gathered and its end is a <see cref="ValueTask"/>.</summary>
    public static Expression Gather(Expression invocation, ReturnShape shape, ParameterExpression call)
    {
        if (shape.Task is null && shape.Count == ReturnCount.None)
            return Expression.Block(invocation, Expression.Default(typeof(ValueTask)));
        if (shape.Task == typeof(ValueTask)) return invocation;
        if (shape.Task == typeof(Task)) return Expression.Call(Method(nameof(End)), invocation);
        return shape.Task is null
            ? Expression.Call(Method(shape.Count, "", shape), call, invocation)
            : Expression.Call(Method(shape.Count, shape.Task == typeof(Task<>) ? "OfTask" : "OfValueTask", shape), call, invocation);
    }

    public static ValueTask End(Task? task) => new(Require(task));

    public static ValueTask One<TValue>(HandlerCall call, TValue? value)
    {
        call.Say(value);
        return default;
    }

    public static ValueTask Many<TValue, TItem>(HandlerCall call, TValue? values)
        where TValue : IEnumerable<TItem>
    {
        call.SayAll<TItem>(values);
        return default;
    }

    public static ValueTask OneOfTask<TValue>(HandlerCall call, Task<TValue?>? task) =>
        OneOfValueTask(call, new ValueTask<TValue?>(Require(task)));

    public static ValueTask OneOfValueTask<TValue>(HandlerCall call, ValueTask<TValue?> task)
    {
        if (!task.IsCompletedSuccessfully) return AwaitAsync(call, task);
        call.Say(task.Result);
        return default;

        static async ValueTask AwaitAsync(HandlerCall call, ValueTask<TValue?> task) => call.Say(await task);
    }

    public static ValueTask ManyOfTask<TValue, TItem>(HandlerCall call, Task<TValue?>? task)
        where TValue : IEnumerable<TItem> => ManyOfValueTask<TValue, TItem>(call, new ValueTask<TValue?>(Require(task)));

    public static ValueTask ManyOfValueTask<TValue, TItem>(HandlerCall call, ValueTask<TValue?> task)
        where TValue : IEnumerable<TItem>
    {
        if (!task.IsCompletedSuccessfully) return AwaitAsync(call, task);
        call.SayAll<TItem>(task.Result);
        return default;

        static async ValueTask AwaitAsync(HandlerCall call, ValueTask<TValue?> task) => call.SayAll<TItem>(await task);
    }

    private static TTask Require<TTask>(TTask? task)
        where TTask : Task => task ?? throw new InvalidOperationException("The handler returned null in place of a task.");

    private static MethodInfo Method(ReturnCount count, string suffix, ReturnShape shape) => count == ReturnCount.Many
        ? Method(nameof(Many) + suffix).MakeGenericMethod(shape.Value, shape.Item)
        : Method(nameof(One) + suffix).MakeGenericMethod(shape.Value);

    private static MethodInfo Method(string name) =>
        typeof(ReturnedEvents).GetMethod(name, BindingFlags.Public | BindingFlags.Static)
        ?? throw new InvalidOperationException($"There is no method {name}.");
}

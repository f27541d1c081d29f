namespace Millrace.Messaging;

/// <summary>
/// Calls the user's method with what its parameters ask for. What it says is gathered in the call; the task ends when it has ended.
/// </summary>
internal delegate ValueTask HandlerInvoker(HandlerCall call);

/// <summary>A handler, parsed and compiled.</summary>
internal sealed class HandlerMethod
{
    /// <summary>How the method is called in messages: its class and name.</summary>
    public required string Name { get; init; }

    /// <summary>The event type that it handles, in its current version.</summary>
    public required EventContract Contract { get; init; }

    /// <summary>The indexes of the state stores that it takes part in; empty for most.</summary>
    public required int[] Stores { get; init; }

    /// <summary>Whether its return type lets it say events.</summary>
    public required bool CanSay { get; init; }

    public required HandlerInvoker Invoke { get; init; }
}

namespace Millrace.Streams.Windowing;

/// <summary>Which windows an event time belongs to.</summary>
/// <param name="Count">How many.</param>
/// <param name="First">The first of them; the others are each the next of the one before.</param>
/// <param name="Times">Times whose windows are just these, for who asks for many that lie together; it may be empty.</param>
internal readonly record struct AssignedWindows(int Count, Window First, Window Times)
{
    /// <summary>One window that holds whatever belongs to it alone.</summary>
    public static AssignedWindows Alone(Window window) => new(1, window, window);
}

namespace Millrace.Messaging;

/// <summary>
/// The state of an event's key as a handler sees it: read <see cref="Value"/>, assign it to keep another one, assign null or call <see
/// cref="Remove"/> to forget it. What was assigned is kept in the same commit as the event's position and the events said, or not at all.
/// Use an immutable record: a value that is changed in place, without an assignment, is not kept. Not thread safe.
/// </summary>
/// <typeparam name="T">The state's type, registered by <see cref="HandlersBuilder.WithState{T}"/>.</typeparam>
/// <remarks>A test calls a handler with <c>new State&lt;T&gt;()</c> for a new key or <c>new State&lt;T&gt;(value)</c> for a known
/// one.</remarks>
public sealed class State<T>
    where T : notnull
{
    private T? _value;
    private bool _isClosed;

    /// <summary>The state of a key that nothing is known of.</summary>
    public State()
    {
    }

    /// <summary>The state of a key that has a value.</summary>
    /// <param name="value">The value, as if an earlier event had left it.</param>
    public State(T value)
    {
        ArgumentNullException.ThrowIfNull(value);
        (_value, HasValue) = (value, true);
    }

    /// <summary>Whether the key has a value.</summary>
    public bool HasValue { get; private set; }

    /// <summary>Whether a value was assigned or removed since this object was made.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>
    /// The value; the default of <typeparamref name="T"/> (null for a class) when there is none. Assigning null removes it.
    /// </summary>
    /// <exception cref="InvalidOperationException">Assigned after the handler had ended, when nothing could be kept any more.</exception>
    public T? Value
    {
        get => _value;
        set => Change(value, value is not null);
    }

    /// <summary>Forgets the value.</summary>
    /// <exception cref="InvalidOperationException">Called after the handler had ended.</exception>
    public void Remove() => Change(default, false);

    internal void Close() => _isClosed = true;

    private void Change(T? value, bool hasValue)
    {
        if (_isClosed)
        {
            throw new InvalidOperationException(
                $"State<{typeof(T).Name}> was changed after its handler had ended, when it could not be kept any more: await all work " +
                "within the handler.");
        }

        (_value, HasValue, IsChanged) = (value, hasValue, true);
    }
}

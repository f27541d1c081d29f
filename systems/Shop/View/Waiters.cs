namespace Shop.View;

/// <summary>Who waits for something that has a name. Not thread safe: the view's lock guards it.</summary>
internal sealed class Waiters<T>
{
    private readonly Dictionary<string, List<TaskCompletionSource<T>>> _waiting = new(StringComparer.Ordinal);

    public TaskCompletionSource<T> Add(string key)
    {
        var waiter = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_waiting.TryGetValue(key, out var waiters)) _waiting.Add(key, waiters = new List<TaskCompletionSource<T>>(1));
        waiters.Add(waiter);
        return waiter;
    }

    public void Complete(string key, T value)
    {
        if (!_waiting.Remove(key, out var waiters)) return;
        foreach (var waiter in waiters) waiter.TrySetResult(value);
    }

    public void Remove(string key, TaskCompletionSource<T> waiter)
    {
        if (_waiting.TryGetValue(key, out var waiters) && waiters.Remove(waiter) && waiters.Count == 0) _waiting.Remove(key);
    }
}
